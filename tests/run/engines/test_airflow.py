"""What only Airflow has: its DAG file, schedule and deferred wait, its login, its pools, and names that mean harm."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from copier_mlops.pipeline import follow, plan
from copier_mlops.pipeline.dag import Node, Resources, slug
from copier_mlops.pipeline.engines import EngineAwayError, EngineError, State
from copier_mlops.pipeline.engines import airflow as adapter
from copier_mlops.pipeline.engines.airflow_api import Api
from copier_mlops.pipeline.engines.airflow_dag import COLLECT, WAIT, Settings, write
from tests.project import TEMPLATE, commit, replace
from tests.run.engines import airflow
from tests.run.engines.airflow import Server

# A folder and stages whose names are code for a shell, for Jinja and for Python.
FOLDER = "it's {{ 2 + 2 }} $(touch harm) %s ü.sh"
HOSTILE = ['it"s', "a b.sh", "{{ 2 + 2 }}", "$(touch harm)", "ü;%s", "'''"]
STAGES = {
    "first": {"cmd": "python step.py first.txt", "outs": ["first.txt"]},
    "each": {
        "foreach": {name: number for number, name in enumerate(HOSTILE)},
        "do": {
            "cmd": "python step.py each-${item}.txt first.txt",
            "deps": ["first.txt"],
            "outs": ["each-${item}.txt"],
        },
    },
}
STEP = """\
import pathlib, sys
out, *deps = sys.argv[1:]
if pathlib.Path({told!r}).exists():
    raise SystemExit(out + " is told to fail")
pathlib.Path(out).write_text(out + "".join(pathlib.Path(dep).read_text() for dep in deps))
"""
ENDED = ("success", "failed", "up_for_retry", "upstream_failed")
# Prints what Airflow makes of a folder of DAG files. Serializing checks a DAG against Airflow's own schema.
READ = """\
import json, pathlib, runpy, sys
from airflow.serialization.serialized_objects import DagSerialization
found = {}
for file in pathlib.Path(sys.argv[1]).glob("*.py"):
    dag = runpy.run_path(str(file))["resolve_commit"].dag
    DagSerialization.to_dict(dag)
    found[file.stem] = [
        [each.task_id, each.task_display_name, sorted(each.downstream_task_ids), each.retries,
         each.execution_timeout.total_seconds() if each.execution_timeout else None, each.pool, each.pool_slots,
         each.queue]
        for each in dag.tasks
    ]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    if program := airflow.missing():
        pytest.skip(f"{program} is not installed")
    with airflow.serve(tmp_path_factory.mktemp("airflow")) as found:
        yield found


@pytest.fixture
def here(tmp_path, server, monkeypatch) -> Iterator[Path]:
    """A small repository with hostile names, in which the test is, with a DAG of its own and a remote branch."""
    root = tmp_path / FOLDER
    root.mkdir()
    (root / "step.py").write_text(STEP.format(told=str(tmp_path / "fails")), encoding="utf-8")
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}), encoding="utf-8")
    (root / ".copier-answers.yml").write_text("package_name: credit\nengines: [airflow]\n", encoding="utf-8")
    (root / ".gitignore").write_text("/.venv\n*.txt\n", encoding="utf-8")
    settings = root / "operation" / "configuration" / "engines" / "airflow.yaml"
    settings.parent.mkdir(parents=True)
    shutil.copy(TEMPLATE / "template" / "{{ runs_on_airflow }}" / settings.relative_to(root), settings)
    (root / ".venv").symlink_to(Path(sys.executable).parents[1])
    monkeypatch.chdir(root)
    for command in (
        "git init --quiet --initial-branch=main",
        "dvc init --quiet",
        "dvc config core.analytics false",
        f"dvc remote add --quiet --default store {tmp_path / 'store'}",
        f"git init --quiet --bare {tmp_path / 'origin'}",
        f"git remote add origin {tmp_path / 'origin'}",
    ):
        subprocess.run(command.split(), check=True)
    commit(root)
    subprocess.run(["git", "push", "--quiet", "--set-upstream", "origin", "main"], check=True)
    for name, text in (server.variables | {"ENGINE_AIRFLOW_DAG": tmp_path.name[:60]}).items():
        monkeypatch.setenv(name, text)
    yield root
    if (file := server.dags / f"{tmp_path.name[:60]}.py").exists():
        file.unlink()


def test_airflow_reads_the_stages_as_they_are(server, tmp_path):
    """Pipelines of several shapes and with all settings, read by one process of Airflow."""
    gpu = Resources(gpu=2, retries=3, timeout="90m")
    shapes = {
        "chain": [("a", ()), ("b", ("a",)), ("c", ("b",))],
        "names": [
            (name, ()) for name in (*HOSTILE, "import", "stage", "resolve-commit", "collect_results", "timedelta")
        ],
        "wide": [("top", ()), *((f"a_stage_with_a_long_name_{n}", ("top",)) for n in range(9))],
        "joins": [*((f"s{n}", ()) for n in range(4)), ("all", ("s0", "s1", "s2", "s3")), ("two", ("s1", "s2"))],
    }
    plans = {}
    for shape, stages in shapes.items():
        nodes = tuple(Node(name, slug(name), needs, gpu if name == "top" else Resources()) for name, needs in stages)
        plans[shape] = plan.Plan("credit", Path(FOLDER), "run", "c" * 40, nodes)
        settings = Settings(url="http://localhost", gpu_pool="gpu", queue="slow", pool="p", wait_for="/data/{{ ds }}")
        (tmp_path / f"{shape}.py").write_text(write(plans[shape], settings), encoding="utf-8")
    printed = subprocess.check_output([server.python, "-c", READ, str(tmp_path)], env=server.own, text=True)
    found = json.loads(printed.splitlines()[-1])
    for shape, made in plans.items():
        tasks = {task_id: (name, after, rest) for task_id, name, after, *rest in found[shape]}
        slugs = {node.name: node.slug for node in made.nodes}
        edges = {(slugs[need], node.slug) for node in made.nodes for need in node.needs}
        ours = set(slugs.values())
        assert {(each, after) for each in ours for after in tasks[each][1] if after in ours} == edges
        assert {name for name, *_ in tasks.values()} >= set(slugs)
        assert tasks[WAIT][1] == ["resolve_commit"]
        assert set(tasks["resolve_commit"][1]) == {node.slug for node in made.nodes if not node.needs}
        assert {each for each in ours if COLLECT in tasks[each][1]} == ours - {need for need, _ in edges}
    tasks = {task_id: rest for task_id, *rest in found["wide"]}
    assert tasks["top"][2:] == [3, timedelta(minutes=90).total_seconds(), "gpu", 2, "slow"]
    assert tasks[WAIT][4:] == ["p", 1, "slow"]


def end_of(submission: adapter.DagRun, task: str) -> str:
    """The state in which a task ends, which may be after all stages have ended."""
    for _ in range(300):
        state = submission.api.get(*submission.path, "taskInstances", task)["state"]
        if state in ("success", "failed", "skipped", "upstream_failed"):
            return state
        time.sleep(0.2)
    raise AssertionError(f"{task} is {state}")


def test_a_run_that_failed_goes_on_and_one_that_succeeded_is_found(here, tmp_path, capfd):
    """Names that mean harm are names only, in the folder of the project and in the stages."""
    (tmp_path / "fails").touch()
    assert follow.start("airflow", "nightly-7").wait() == 1
    printed = capfd.readouterr().out
    assert "first | first.txt is told to fail" in printed and "did not start" in printed
    (tmp_path / "fails").unlink()
    resumed = follow.start("airflow", "nightly-7")
    assert resumed.wait() == 0
    assert resumed.submission.attempts["first"] == 2  # the same run, not another of that name
    assert len(yaml.safe_load((here / "dvc.lock").read_text("utf-8"))["stages"]) == 1 + len(HOSTILE)
    assert not list(tmp_path.rglob("harm"))
    assert end_of(resumed.submission, COLLECT) == "skipped"
    commit(here)
    subprocess.run(["git", "checkout", "--quiet", "--detach", resumed.plan.commit], check=True)
    found = follow.start("airflow", "nightly-7")
    assert found.wait() == 0
    assert found.submission.attempts == resumed.submission.attempts  # nothing ran again


def test_a_scheduled_run_waits_without_a_worker_and_takes_the_branch(here, server, tmp_path, monkeypatch):
    """A schedule in seconds, which Airflow takes as a sixth field, and a file that is looked for each second."""
    export = tmp_path / "export.csv"
    monkeypatch.setenv("ENGINE_AIRFLOW_SCHEDULE", "* * * * * */10")
    monkeypatch.setenv("ENGINE_AIRFLOW_WAIT_FOR", str(export))
    made = plan.make(here, "unused", "c" * 40)
    text = adapter.compile(made).replace("deferrable=True", "deferrable=True, poke_interval=1")
    settings = Settings.load("airflow")
    (server.dags / f"{settings.dag}.py").write_text(text, encoding="utf-8")
    api = Api(server.url)
    within(60, lambda: api.all("dags", "dags", dag_id_pattern=settings.dag))
    api.send("PATCH", "dags", settings.dag, body={"is_paused": False})
    runs = within(60, lambda: api.all("dag_runs", "dags", settings.dag, "dagRuns"))
    api.send("PATCH", "dags", settings.dag, body={"is_paused": False})
    path = ("dags", settings.dag, "dagRuns", runs[0]["dag_run_id"])
    assert runs[0]["run_type"] == "scheduled" and ":" in path[-1]

    def states() -> dict[str, str]:
        return {each["task_id"]: each["state"] for each in api.all("task_instances", *path, "taskInstances")}

    within(60, lambda: states()[WAIT] == "deferred")
    export.touch()
    ended = within(120, lambda: (found := states())[COLLECT] in ENDED and found)
    api.send("PATCH", "dags", settings.dag, body={"is_paused": True})
    assert {ended[node.slug] for node in made.nodes} == {"success"}
    (stored,) = (tmp_path / "store" / "executions").iterdir()
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True)
    assert stored.name.startswith("scheduled__") and stored.name.endswith(f"-{head[:7]}")
    log = api.get(*path, "taskInstances", COLLECT, "logs", "1", full_content=True)
    assert "--propose" in json.dumps(log)


def within(seconds: float, ask: Callable[[], object]):
    """Return the first answer that is true."""
    until = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < until, f"not within {seconds} seconds"
        time.sleep(0.5)
    return found


def refusal(run: str = "refused") -> str:
    """What `submit` says of a run that it does not start."""
    with pytest.raises(EngineError) as refused:
        adapter.submit(plan.make(Path.cwd(), run, "c" * 40))
    said = str(refused.value)
    assert "\n  fix: " in said and "password-of" not in said
    return said


def test_a_login_that_is_missing_or_wrong_is_named(here, server, monkeypatch):
    monkeypatch.setenv("AIRFLOW_PASSWORD", "password-of-nobody")
    assert "refuses AIRFLOW_USERNAME and AIRFLOW_PASSWORD: Invalid credentials" in refusal()
    monkeypatch.setenv("AIRFLOW_USERNAME", "vera")
    monkeypatch.setenv("AIRFLOW_PASSWORD", "password-of-vera")
    assert "refuses the login for PATCH" in refusal() and "ask for the role" in refusal()
    monkeypatch.setenv("AIRFLOW_TOKEN", "eyJ.old.token")  # it is asked for anew
    assert "refuses the login for PATCH" in refusal()
    monkeypatch.delenv("AIRFLOW_PASSWORD")
    assert "Invalid JWT token" in refusal() and "a new AIRFLOW_TOKEN" in refusal()
    monkeypatch.delenv("AIRFLOW_TOKEN")
    assert "needs a login\n  fix: set AIRFLOW_USERNAME and AIRFLOW_PASSWORD" in refusal()


def test_an_address_that_is_not_airflow_is_named(here, server, monkeypatch):
    for url, said in {
        "airflow.example.org": "is not the address of an Airflow server",
        "http://airflow.example.org:8080": "fix: use https, or a tunnel: ssh -N -L 8080:localhost:8080 airflow",
        "https://bob:password-of-bob@airflow.example.org": "the address https://airflow.example.org has a login in it",
        f"{server.url}/elsewhere": "/elsewhere answers 405 to POST /auth/token",
    }.items():
        monkeypatch.setenv("ENGINE_AIRFLOW_URL", url)
        assert said in refusal()
    monkeypatch.setenv("AIRFLOW_TOKEN", "a-token")
    monkeypatch.setenv("ENGINE_AIRFLOW_URL", f"{server.url}/elsewhere")
    assert "/elsewhere/api/v2/version is not Airflow's API: it answers with text/html" in refusal()
    monkeypatch.setenv("ENGINE_AIRFLOW_URL", "http://127.0.0.1:9")
    with pytest.raises(EngineAwayError, match=r"Airflow does not answer at http://127\.0\.0\.1:9: ConnectionError"):
        adapter.submit(plan.make(here, "away", "c" * 40))


def test_what_airflow_would_wait_for_without_end_is_refused(here, server, monkeypatch, tmp_path):
    monkeypatch.setenv("ENGINE_AIRFLOW_POOL", "nowhere")
    assert "Airflow has no pool nowhere\n  fix: airflow pools set nowhere 1 " in refusal()
    monkeypatch.setenv("ENGINE_AIRFLOW_POOL", "small")
    Api(server.url).send("POST", "pools", body={"name": "small", "slots": 0})
    assert "the pool small has 0 slots, and a stage needs 1" in refusal()
    monkeypatch.setenv("ENGINE_AIRFLOW_POOL", "default_pool")
    monkeypatch.setenv("ENGINE_AIRFLOW_PROJECT", "/srv/credit")
    assert "the workers use /srv/credit, and your files of cccccccccccc are not pushed" in refusal()
    monkeypatch.delenv("ENGINE_AIRFLOW_PROJECT")
    monkeypatch.setenv("ENGINE_AIRFLOW_SCHEDULE", "every monday")
    assert "Airflow cannot import " in refusal() and "for example the schedule" in refusal()
    monkeypatch.setenv("ENGINE_AIRFLOW_DAGS_FOLDER", str(tmp_path / "nowhere"))
    assert "the DAG file cannot be written: " in refusal()
    monkeypatch.setenv("ENGINE_AIRFLOW_DAGS_FOLDER", "")
    monkeypatch.setenv("ENGINE_AIRFLOW_DAG", "nobody")
    assert "Airflow does not have the DAG nobody\n  fix: uv run poe compile --engine airflow > nobody.py" in refusal()


def test_a_dag_of_another_pipeline_is_refused(here, server, monkeypatch):
    """If others bring DAG files to Airflow, only the stages count, so that they may add what they want."""
    made = plan.make(here, "unused", "c" * 40)
    dag = os.environ["ENGINE_AIRFLOW_DAG"]
    file = server.dags / f"{dag}.py"
    file.write_text(adapter.compile(made).replace('"mlops"', '"mlops", "by-hand"'), encoding="utf-8")
    api = Api(server.url)
    within(60, lambda: api.all("dags", "dags", dag_id_pattern=dag))
    monkeypatch.setenv("ENGINE_AIRFLOW_DAGS_FOLDER", "")
    replace(here / "dvc.yaml", "a b.sh", "another")
    assert f"the DAG {dag} of Airflow has other stages than dvc.yaml" in refusal()
    replace(here / "dvc.yaml", "another", "a b.sh")
    submitted = adapter.submit(plan.make(here, "cancelled", "c" * 40))
    submitted.cancel()
    assert all(each.state.has_ended for each in submitted.states().values())
    file.write_text("# A DAG of somebody else\n", encoding="utf-8")
    monkeypatch.setenv("ENGINE_AIRFLOW_DAGS_FOLDER", str(server.dags))
    assert "was not written by `poe compile --engine airflow`" in refusal("other")


def test_a_commit_that_is_nowhere_and_a_run_that_is_deleted_end_with_a_sentence(here, capfd):
    submitted = adapter.submit(plan.make(here, "lost", "c" * 40))

    def ends() -> str:
        try:
            submitted.states()
        except EngineError as error:
            return str(error)
        return ""

    submitted.cancel()
    assert State.SUCCEEDED not in {each.state for each in submitted.states().values()}
    submitted.api.send("DELETE", *submitted.path)
    assert "Airflow does not have the run lost of the DAG" in ends()
