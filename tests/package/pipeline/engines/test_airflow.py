"""The DAG file, read by Python with stand-ins for Airflow's classes; tests/run/engines has the real ones."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import jinja2
import pytest
from hypothesis import given, settings

from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import EngineError, State
from copier_mlops.pipeline.engines.airflow import STATES, _printed, _state
from copier_mlops.pipeline.engines.airflow_dag import COLLECT, COMMIT, WAIT, Settings, write
from copier_mlops.pipeline.engines.airflow_delivery import check_commit
from copier_mlops.pipeline.fragments import RUN
from copier_mlops.pipeline.plan import Plan
from tests.package.pipeline.engines.drawn import plans
from tests.project import TEMPLATE

ANSWERED = {"url": "http://localhost:8080"}


class Task:
    """What the file makes of an operator; `>>` is noted."""

    def __init__(self, **given: object) -> None:
        self.given, self.after = {**Dag.current.defaults, **given}, set()
        assert self.given["task_id"] not in Dag.current.tasks
        Dag.current.tasks[self.given["task_id"]] = self

    def __rshift__(self, others: "Task | list[Task]") -> None:
        for other in others if isinstance(others, list) else [others]:
            self.after.add(other.given["task_id"])

    def __rrshift__(self, others: "list[Task]") -> None:
        for other in others:
            _ = other >> self


class Dag:
    """What the file makes of the DAG."""

    current: "Dag"

    def __init__(self, **given: object) -> None:
        self.given, self.tasks, self.defaults = given, {}, given["default_args"]
        Dag.current = self

    def __enter__(self) -> "Dag":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Literal(str):
    """A text that Airflow does not render."""


def read(text: str, monkeypatch) -> Dag:
    """Run the file as Airflow does."""
    sdk = {"DAG": Dag, "literal": Literal, "Param": lambda value, **rules: (value, rules)}
    operators = "airflow.providers.standard.operators.bash"
    sensors = "airflow.providers.standard.sensors.filesystem"
    for name, content in {
        "airflow.sdk": sdk,
        operators: {"BashOperator": Task},
        sensors: {"FileSensor": Task},
    }.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(text, "dag.py", "exec"), {})  # noqa: S102
    return Dag.current


def shell(task: Task, folder: Path, **run: object) -> list[str]:
    """Run the command of a task as Airflow does, and return what its shell handed to `uv`."""
    uv = folder / "uv"
    uv.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" > called\n", encoding="utf-8")
    uv.chmod(0o755)
    values = {
        name: text if isinstance(text, Literal) else jinja2.Template(text).render(run)
        for name, text in task.given["env"].items()
    }
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-c", task.given["bash_command"]], cwd=folder, env={"PATH": path} | values, check=True)
    return (folder / "called").read_text(encoding="utf-8").split("\0")[:-1]


def context(commit: str = "c" * 40, run_id: str = "nightly-7", **params: object) -> dict[str, object]:
    """What Airflow knows while it renders."""
    ti = SimpleNamespace(xcom_pull=lambda task_ids: commit if task_ids == COMMIT else None)
    return {"ti": ti, "run_id": run_id, "params": {"run": None, "propose": True} | params}


@settings(max_examples=25)
@given(plan=plans())
def test_the_tasks_are_the_stages_and_wait_for_what_they_need(plan, tmp_path, monkeypatch):
    chosen = Settings(**ANSWERED, gpu_pool="gpu", wait_for="/data/new.csv")
    text = write(plan, chosen)
    assert write(replace(plan, run="other", commit="d" * 40), chosen) == text
    tasks = read(text, monkeypatch).tasks
    slugs = {node.name: node.slug for node in plan.nodes}
    assert tasks.keys() == {*slugs.values(), WAIT, COMMIT, COLLECT}
    edges = {(name, after) for name, task in tasks.items() for after in task.after}
    needed = {need for node in plan.nodes for need in node.needs}
    expected = {(slugs[need], node.slug) for node in plan.nodes for need in node.needs} | {(WAIT, COMMIT)}
    expected |= {(COMMIT, node.slug) for node in plan.nodes if not node.needs}
    assert edges == expected | {(node.slug, COLLECT) for node in plan.nodes if node.name not in needed}
    for node in plan.nodes:
        given_, asked = tasks[node.slug].given, node.resources
        assert given_.get("retries", 0) == asked.retries
        seconds = given_["execution_timeout"].total_seconds() if asked.timeout else None
        assert seconds == asked.seconds
        assert (given_["pool"], given_.get("pool_slots", 1)) == (
            ("gpu", asked.gpu) if asked.gpu else ("default_pool", 1)
        )
    (node, *_) = plan.nodes
    assert shell(tasks[node.slug], tmp_path, **context(run=plan.run)) == plan.command(node)[1:]
    assert not (tmp_path / "hacked").exists()


@settings(max_examples=8)
@given(plan=plans(Path('/srv/it\'s "{{ 2 + 2 }}" $HOME ü.sh')))
def test_the_file_is_as_ruff_writes_it(plan, tmp_path, monkeypatch):
    file = tmp_path / "dag.py"
    file.write_text(write(plan, Settings(**ANSWERED, queue="slow", schedule="0 3 * * *")), encoding="utf-8")
    rules = tmp_path / "ruff.toml"
    rules.write_text(
        (TEMPLATE / "template" / "ruff.toml.jinja").read_text("utf-8").partition("[lint.isort]")[0], "utf-8"
    )
    for command in ("check", "format --check --diff"):
        done = subprocess.run(
            ["ruff", *command.split(), "--config", str(rules), str(file)], capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stdout + done.stderr
    dag = read(file.read_text(encoding="utf-8"), monkeypatch)
    assert dag.defaults["cwd"] == str(plan.folder) and isinstance(dag.defaults["cwd"], Literal)
    assert (dag.given["schedule"], dag.given["catchup"], dag.given["max_active_runs"]) == ("0 3 * * *", False, 1)
    assert dag.defaults["queue"] == "slow" and WAIT not in dag.tasks


@pytest.mark.skipif(sys.platform == "win32", reason="its commands are for bash")
def test_a_run_of_airflow_gets_a_name_that_the_data_remote_takes(tmp_path, monkeypatch):
    node = Node("train", "train", (), Resources())
    dag = read(write(Plan("credit", tmp_path, "", "", (node,)), Settings(**ANSWERED, branch="develop")), monkeypatch)
    assert dag.given["params"]["commit"][0] == "origin/develop"
    for run_id in (
        "scheduled__2026-11-30T03:00:00+00:00",
        "manual__2026-11-30T18:30:59.086916+00:00_AbCdEfGh",
        "asset_triggered__2026-11-30T18:30:59.086916+00:00_AbCdEfGh"[:54],
    ):
        called = shell(dag.tasks["train"], tmp_path, **context(run_id=run_id))
        run = called[called.index("--run") + 1]
        assert RUN.fullmatch(run) and run.endswith("-ccccccc"), run
    called = shell(dag.tasks[COLLECT], tmp_path, **context(run="nightly-7"))
    assert called == f"run --no-sync mlops collect --run nightly-7 --commit {'c' * 40} --propose".split()
    with pytest.raises(subprocess.CalledProcessError, match="exit status 99"):
        shell(dag.tasks[COLLECT], tmp_path, **context(propose=False))


@pytest.mark.skipif(sys.platform == "win32", reason="its commands are for bash")
def test_the_first_task_finds_the_newest_commit_of_a_branch(tmp_path, monkeypatch):
    def git(*words: str, at: Path) -> str:
        return subprocess.check_output(["git", *words], cwd=at, text=True).strip()

    origin, clone = tmp_path / "origin", tmp_path / "clone"
    git("init", "--quiet", "--initial-branch=main", str(origin), at=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message=one", at=origin)
    git("clone", "--quiet", str(origin), str(clone), at=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message=two", at=origin)
    task = read(write(Plan("credit", clone, "", "", ()), Settings(**ANSWERED)), monkeypatch).tasks[COMMIT]

    def find(commit: str) -> str:
        command = ["bash", "-c", task.given["bash_command"]]
        return subprocess.check_output(command, cwd=clone, env=os.environ | {"COMMIT": commit}, text=True).strip()

    assert find("origin/main") == git("rev-parse", "main", at=origin)
    origin.rename(tmp_path / "away")
    assert find(git("rev-parse", "HEAD", at=clone)) == git("rev-parse", "HEAD", at=clone)
    for commit in ("origin/main", "$(touch hacked)", "0" * 40):  # a branch may have moved, so it is not taken as it is
        with pytest.raises(subprocess.CalledProcessError):
            find(commit)
    assert not (clone / "hacked").exists()


def test_a_commit_that_the_workers_cannot_fetch_is_refused(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "--message=one"], cwd=tmp_path, check=True)
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=tmp_path, text=True).strip()
    plan = Plan("credit", tmp_path, "one", head, ())
    check_commit(plan, Settings(**ANSWERED))
    elsewhere = Settings(**ANSWERED, project="/srv/credit")
    with pytest.raises(EngineError, match=r"/srv/credit, and your files of .* are not pushed\n  fix: git"):
        check_commit(plan, elsewhere)
    subprocess.run(["git", "update-ref", "refs/remotes/origin/main", head], cwd=tmp_path, check=True)
    check_commit(plan, elsewhere)


def test_each_state_of_a_task_has_a_meaning():
    for said, meant in STATES.items():
        assert _state({"state": said}, has_ended=False).state is meant
    for said in (None, "scheduled", "queued", "up_for_retry", "up_for_reschedule", "deferred"):
        assert _state({"state": said, "hostname": "node7"}, has_ended=False).state is State.WAITING
        assert _state({"state": said}, has_ended=True).state is State.CANCELLED
    assert _state({}, has_ended=False).state is State.WAITING
    assert _state({"state": "running", "hostname": "node7"}, has_ended=False).place == "on node7"


def test_a_log_is_shown_without_what_airflow_adds():
    hook = "airflow.task.hooks.airflow.providers.standard.hooks.subprocess.SubprocessHook"
    failed = [{"exc_type": "AirflowTaskTimeout", "exc_value": "Timeout, PID: 7"}]
    content = [
        {"event": "::group::Log message source details"},
        {"event": "Filling up the DagBag", "logger": "airflow.dag_processing"},
        {"event": "Running command: ['bash']", "logger": hook},
        {"event": "Output:", "logger": hook},
        {"event": "fold 1 of 5", "logger": hook},
        {"event": "Output:", "logger": hook},
        {"event": "", "logger": hook},
        {"event": "Command exited with return code 1", "logger": hook},
        {"event": "Task failed with exception", "logger": "task", "error_detail": failed},
    ]
    assert _printed(content) == ["fold 1 of 5", "Output:", "", "AirflowTaskTimeout: Timeout, PID: 7"]
    assert _printed(["a line"]) == ["a line"]
