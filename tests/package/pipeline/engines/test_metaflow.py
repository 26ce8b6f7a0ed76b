"""The flow for Metaflow: checked by its own linter, and run by it with a `uv` that writes down what it gets."""

import ast
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copier_mlops.pipeline import dag, live
from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import EngineError, State, metaflow, metaflow_flow, metaflow_records
from copier_mlops.pipeline.engines.metaflow import FlowRun
from copier_mlops.pipeline.engines.metaflow_records import Record
from copier_mlops.pipeline.plan import Plan
from tests.package.pipeline.engines.drawn import plans

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Metaflow has no Windows")

# It writes what `uv run` gets, and the stage that it stands for is slow, or fails, if a file says so.
UV = """\
#!{python}
import os, pathlib, signal, sys, time
name, told = sys.argv[5], pathlib.Path({told!r})
with (told / "called").open("a") as called:
    called.write("\\x00".join(sys.argv[1:]) + "\\n")
def end(*_):
    (told / (name + ".ended")).write_text("")
    sys.exit(9)
signal.signal(signal.SIGTERM, end)
until = time.time() + 60
while (told / (name + ".slow")).exists() and time.time() < until:
    (told / (name + ".began")).write_text("")
    time.sleep(0.05)
if (told / (name + ".fails")).exists():
    print(name, "is told to fail", flush=True)
    sys.exit(3)
print(name, "ran")
"""


def plan(folder: Path, needs: dict[str, list[str]], **asked: Resources) -> Plan:
    nodes = [Node(name, dag.slug(name), tuple(each), asked.get(name, Resources())) for name, each in needs.items()]
    return Plan("german-credit", folder, "nightly-7", "c" * 40, tuple(nodes))


@pytest.fixture
def told(tmp_path, monkeypatch) -> Path:
    """A folder that says what stages do, with a `uv` that comes first, and a home of Metaflow that nobody may read."""
    folder = tmp_path / "told"
    (folder / "bin").mkdir(parents=True)
    uv = folder / "bin" / "uv"
    uv.write_text(UV.format(python=sys.executable, told=str(folder)), encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(uv.parent), prepend=os.pathsep)
    monkeypatch.setenv("METAFLOW_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("METAFLOW_PROFILE", "of-somebody-else")
    for name in metaflow_records.variables(tmp_path):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # what a test sets is taken back
    monkeypatch.setattr(metaflow.Settings, "load", classmethod(lambda cls, _: cls(jobs=3, tags=("nightly",))))
    return folder


def called(told: Path) -> list[list[str]]:
    """The arguments of each call since this was asked before."""
    file = told / "called"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [line.split("\x00") for line in lines]


def wait(run: FlowRun, holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError((run.folder / metaflow.OUTPUT).read_text(encoding="utf-8"))


def ended(run: FlowRun) -> dict[str, State]:
    """The states of the stages when all have ended."""
    wait(run, lambda: all(each.state.has_ended for each in run.states().values()))
    return {name: each.state for name, each in run.states().items()}


def load(file: Path) -> type:
    """The class of a flow."""
    spec = importlib.util.spec_from_file_location("flow", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.GermanCreditFlow


@settings(max_examples=25)
@given(plan=plans())
def test_metaflow_accepts_the_flow_and_each_stage_comes_after_those_that_it_needs(plan, tmp_path):
    from metaflow import lint
    from metaflow.graph import FlowGraph

    file = tmp_path / "flow.py"
    file.write_text(metaflow_flow.write(replace(plan, project="german-credit")), encoding="utf-8")
    flow = load(file)
    graph = FlowGraph(flow)
    lint.linter.run_checks(graph)
    before: dict[str, set[str]] = {}
    for step in graph.sorted_nodes:
        for each in graph[step].in_funcs:
            before.setdefault(step, set()).update({each}, before.get(each, set()))
    names = {node.name: metaflow_flow.name_of_step(node) for node in plan.nodes}
    assert set(names.values()) == {step for step in graph.nodes if step.startswith("stage_")}
    for node in plan.nodes:
        assert {names[need] for need in node.needs} <= before[names[node.name]]
        found = {each.name: each.attributes for each in getattr(flow, names[node.name]).decorators}
        asked = node.resources
        assert found["catch"]["var"] == metaflow_records.FAILURE
        assert found.get("retry", {}).get("times", 0) == asked.retries
        assert found.get("timeout", {}).get("seconds") == asked.seconds
        assert ("resources" in found) == bool(asked.cpu or asked.memory or asked.gpu)


@settings(max_examples=10)
@given(plan=plans())
def test_no_name_of_a_stage_becomes_code(plan):
    tree = ast.parse(metaflow_flow.write(plan))
    needs = next(each.value for each in tree.body if isinstance(each, ast.Assign) and each.targets[0].id == "NEEDS")
    assert ast.literal_eval(needs) == {node.name: list(node.needs) for node in plan.nodes}
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)]
    stages = [each.args[0].value for each in calls if each.func.attr == "run_stage"]
    assert sorted(stages) == sorted(node.name for node in plan.nodes)


def test_what_a_stage_asks_for_becomes_decorators(tmp_path):
    asked = Resources(cpu=0.5, memory="4Gi", gpu=1, timeout="90m", retries=2)
    text = metaflow_flow.write(plan(tmp_path, {"a": []}, a=asked))
    assert "    @resources(cpu=0.5, memory=4295, gpu=1)\n" in text  # megabytes
    assert "    @retry(times=2, minutes_between_retries=0)\n    @timeout(seconds=5400)\n    @step\n" in text
    assert "from metaflow import FlowSpec, Parameter, catch, resources, retry, step, timeout\n" in text
    assert "from metaflow import FlowSpec, Parameter, catch, step\n" in metaflow_flow.write(plan(tmp_path, {"a": []}))
    with pytest.raises(EngineError, match="the stage a has retries: 5, but Metaflow allows 4\n  fix: "):
        metaflow_flow.write(plan(tmp_path, {"a": []}, a=Resources(retries=5)))


@pytest.mark.parametrize("long", [False, True])
def test_the_flow_passes_the_formatter_and_the_linter(tmp_path, long):
    names = [f"{'a-very-long-name-of-a-stage-' if long else 's'}{number}" for number in range(7)]
    needs = {name: names[: max(0, number - 4)] for number, name in enumerate(names)}
    asked = Resources(cpu=2, memory="512Mi", gpu=1, timeout="90m", retries=1)
    found = plan(Path("/srv/german credit"), needs, **dict.fromkeys(names[::2], asked))
    file = tmp_path / "flow.py"
    file.write_text(metaflow_flow.write(found), encoding="utf-8")
    for command in ("format --check --diff", "check --select E,F,W,I,B,SIM,PL,RUF"):
        words = f"ruff {command} --isolated --line-length 120 {file}".split()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


DIAMOND = {"a": [], "x@$(touch hacked)": [], "b": ["a"], "c": ["x@$(touch hacked)"], "last": ["b", "c"]}
HOSTILE = "x@$(touch hacked)"


def test_a_stage_that_fails_keeps_back_what_needs_it_and_nothing_else(told, tmp_path):
    asked = {"a": Resources(retries=1), HOSTILE: Resources(timeout="30s")}
    given = plan(tmp_path, DIAMOND, **asked)
    (told / "a.fails").write_text("")
    run = metaflow.submit(given)
    first = run.number
    states = {"a": State.FAILED, "b": State.SKIPPED, HOSTILE: State.SUCCEEDED, "c": State.SUCCEEDED}
    assert ended(run) == states | {"last": State.SKIPPED}
    calls = called(told)
    assert sorted(each[4] for each in calls) == ["a", "a", "c", HOSTILE]  # one more attempt, as `retries` says
    assert [each for each in calls if each[4] == "c"] == [given.command(given.nodes[3])[1:]]
    assert run.log("a").splitlines()[-2:] == ["a is told to fail", "the command ended with the exit code 3"]
    assert "b does not start: the run has no result of a" in run.log("b")
    assert not (tmp_path / "hacked").exists()

    (told / "a.fails").unlink()
    output = run.folder / metaflow.OUTPUT
    wait(run, lambda: "the run nightly-7 has no result of a, b, last" in output.read_text(encoding="utf-8"))
    run = metaflow.submit(given)  # it goes on, as soon as Metaflow has ended
    second = run.number
    assert second != first
    assert set(ended(run).values()) == {State.SUCCEEDED}
    assert {each[4] for each in called(told)} >= {"a", "b", "last"}
    again = metaflow.submit(given)  # nothing is left
    assert again.number == second and set(ended(again).values()) == {State.SUCCEEDED}
    assert not called(told)
    other = metaflow.submit(replace(given, commit="d" * 40))
    assert other.number != second and set(ended(other).values()) == {State.SUCCEEDED}
    assert {each[-1] for each in called(told)} == {"d" * 40}


def test_a_run_is_found_again_and_cancelled_with_its_commands(told, tmp_path):
    given = plan(tmp_path, {"a": [], "lone": [], "b": ["a"]})
    (told / "a.slow").write_text("")
    run = metaflow.submit(given)
    wait(run, lambda: (told / "a.began").exists() and run.states()["lone"].state is State.SUCCEEDED)
    again = metaflow.submit(given)
    assert again.number == run.number and again.place == run.place
    assert {name: each.state for name, each in again.states().items()} == {
        "a": State.RUNNING,
        "lone": State.SUCCEEDED,
        "b": State.WAITING,
    }
    again.cancel()
    assert (told / "a.ended").exists()
    found = {"a": State.CANCELLED, "lone": State.SUCCEEDED, "b": State.SKIPPED}
    assert ended(run) == found
    again.cancel()  # of a run that has ended
    (told / "a.slow").unlink()
    called(told)
    assert set(ended(metaflow.submit(given)).values()) == {State.SUCCEEDED}
    assert "b" in {each[4] for each in called(told)}


def test_the_timeout_of_a_stage_ends_its_command(told, tmp_path):
    (told / "a.slow").write_text("")
    run = metaflow.submit(plan(tmp_path, {"a": []}, a=Resources(timeout="2s")))
    assert ended(run) == {"a": State.FAILED}
    assert (told / "a.ended").exists()
    assert "timed out after 0 hours, 0 minutes, 2 seconds" in run.log("a")


def test_if_metaflow_does_not_come_to_a_stage_its_own_output_is_the_log(told, tmp_path, monkeypatch):
    monkeypatch.setattr(metaflow_flow, "write", lambda _: "raise SystemExit('a module is broken')\n")
    run = metaflow.submit(plan(tmp_path, {"a": [], "b": []}))
    assert run.place == "GermanCreditFlow/?; output in build/metaflow/nightly-7/output.log"
    assert ended(run) == {"a": State.FAILED, "b": State.SKIPPED}
    assert run.log("a") == "a module is broken\n"


def test_without_metaflow_the_fix_is_said(told, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match="Metaflow is not installed\n  fix: uv run poe setup"):
        metaflow.submit(plan(tmp_path, {"a": []}))


@pytest.mark.parametrize(
    ("record", "running", "then"),
    [
        (None, State.WAITING, State.SKIPPED),
        (Record("1"), State.RUNNING, State.CANCELLED),
        (Record("1", has_failed=True), State.RUNNING, State.FAILED),  # another attempt follows
        (Record("1", True, True), State.FAILED, State.FAILED),
        (Record("1", True, done=("z",)), State.SKIPPED, State.SKIPPED),
        (Record("1", True, done=("a", "z")), State.SUCCEEDED, State.SUCCEEDED),
    ],
)
def test_the_state_of_a_stage_is_that_of_its_task(record, running, then):
    assert metaflow._state("a", record, True).state is running
    assert metaflow._state("a", record, False).state is then


@given(plan=plans(), chosen=st.data())
def test_a_run_goes_on_before_the_first_stage_that_is_left(plan, chosen):
    left = chosen.draw(st.sets(st.sampled_from([node.name for node in plan.nodes]), min_size=1))
    depth_of = live.depths({node.name: node.needs for node in plan.nodes})
    first = min(depth_of[name] for name in left)
    wave = [node for node in plan.nodes if depth_of[node.name] == first]
    expected = f"wave_{first + 1}" if len(wave) > 1 else metaflow_flow.name_of_step(wave[0])
    assert metaflow_flow.step_before(plan.nodes, left) == expected


@pytest.mark.parametrize(("name", "expected"), [("root", "mlops"), ("me", "me")])
def test_metaflow_gets_a_user_that_it_takes(name, expected, tmp_path, monkeypatch):
    monkeypatch.delenv("METAFLOW_USER", raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: name)
    assert metaflow_records.variables(tmp_path)["METAFLOW_USER"] == expected
