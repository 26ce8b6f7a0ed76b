"""A real Prefect runs flows whose commands are those of a small program, so that you see what Prefect itself does."""

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from copier_mlops.pipeline.dag import Node, Resources, slug
from copier_mlops.pipeline.engines import EngineError, StageState, State, Submission
from copier_mlops.pipeline.engines import prefect as adapter
from copier_mlops.pipeline.plan import Plan
from tests.project import TEMPLATE
from tests.run.engines import prefect
from tests.run.project import commands, typed
from tests.update.conftest import BEFORE, history

__all__ = ["history"]

PAGE = TEMPLATE / "docs" / "how-to" / "engines" / "prefect.md"
# `uv` of the worker. It writes down what it is asked, and does as the name of the stage says. A project that has an
# environment gets the real one.
UV = """\
#!{python}
import json, os, sys, time
words = sys.argv[3:]
if os.path.exists(".venv"):
    os.execv({uv!r}, ["uv", *sys.argv[1:]])
if words[0] == "python":
    os.execv(sys.executable, words)
told = {told!r}
with open(told + "/asked", "a") as asked:
    asked.write(json.dumps(words[1:]) + "\\n")
name = words[2]
print(name, "says: ü $HOME %s", flush=True)
if "fails" in name:
    sys.exit(3)
if "slow" in name:
    with open(told + "/began", "w") as began:
        began.write(str(os.getpid()))
    time.sleep(120)
    with open(told + "/survived", "w"):
        pass
"""
HOSTILE = (
    "a@'; touch boom; '",
    'b@"; import boom',
    "grün straße",
    "c@$(touch boom)",
    "d@{{ boom }} {name} %s",
    "e@--run",
)
FOLDER = "my 'project' $HOME ü %s"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[prefect.Server]:
    """Prefect, whose worker finds the program above in the place of uv."""
    if program := prefect.missing():
        pytest.skip(f"{program} is not installed")
    folder = tmp_path_factory.mktemp("prefect")
    (folder / "bin").mkdir()
    uv = folder / "bin" / "uv"
    uv.write_text(UV.format(python=sys.executable, uv=shutil.which("uv"), told=str(folder)), encoding="utf-8")
    uv.chmod(0o755)
    with prefect.serve(folder, f"{uv.parent}:") as found:
        yield found


@pytest.fixture
def plan(server, tmp_path, monkeypatch) -> Callable[..., Plan]:
    """Make a plan of stages, each of which needs those that are named with it; what was asked before is forgotten."""
    folder = tmp_path / FOLDER
    (folder / "operation" / "configuration" / "engines").mkdir(parents=True)
    (folder / ".copier-answers.yml").write_text("package_name: credit\n", encoding="utf-8")
    configure(folder)
    for words in ("init -q -b main", "add --all", "commit -q -m one", "remote add origin .", "fetch -q origin"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True, env=server.own)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip()
    for name in ("asked", "began", "survived"):
        (server.folder / name).unlink(missing_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PREFECT_API_URL", server.url)

    def make(run: str, stages: Mapping[str, tuple[str, ...]], **resources: Resources) -> Plan:
        nodes = [Node(name, slug(name), needs, resources.get(name, Resources())) for name, needs in stages.items()]
        return Plan("credit", folder, run, commit, tuple(nodes))

    return make


def configure(project: Path, **settings: object) -> None:
    """Write the settings of the engine."""
    write(project / "operation" / "configuration" / "engines" / "prefect.yaml", settings | {"jobs": 2})


def write(file: Path, document: Mapping[str, object]) -> None:
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def asked(server: prefect.Server) -> list[list[str]]:
    """The commands of stages that ran, in the order in which they began."""
    file = server.folder / "asked"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def follow(submission: Submission) -> dict[str, StageState]:
    """Return the states at the end of a run."""
    for _ in range(300):
        states = submission.states()
        if all(each.state.has_ended for each in states.values()):
            return dict(states)
        time.sleep(0.3)
    raise AssertionError(f"not at its end within 90 seconds: {states}")


def wait_for(file: Path) -> None:
    for _ in range(400):
        if file.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{file} is not there within 40 seconds")


def test_names_and_folders_stay_what_they_are(server, plan):
    chain = {name: HOSTILE[:number][-1:] for number, name in enumerate(HOSTILE)}
    planned = plan("hostile", chain)
    submission = adapter.submit(planned)
    states = follow(submission)
    assert {name: each.state for name, each in states.items()} == dict.fromkeys(HOSTILE, State.SUCCEEDED)
    expected = [["stage", name, "--run", "hostile", "--commit", planned.commit] for name in HOSTILE]
    assert asked(server) == expected
    assert not list(planned.folder.rglob("boom"))
    assert f"{HOSTILE[0]} says: ü $HOME %s" in submission.log(HOSTILE[0])
    assert next(iter(states.values())).place.startswith("process ")


def test_a_stage_that_fails_ends_its_branch_and_one_that_is_slow_ends_at_its_timeout(server, plan):
    stages = {"first": (), "fails": ("first",), "after": ("fails",), "slow": ("first",), "other": ("first",)}
    asks = {"slow": Resources(timeout="2s"), "fails": Resources(retries=1, partition="gpu")}
    submission = adapter.submit(plan("branches", stages, **asks))
    states = {name: each.state for name, each in follow(submission).items()}
    failed, well = State.FAILED, State.SUCCEEDED
    assert states == {"first": well, "fails": failed, "after": State.SKIPPED, "slow": failed, "other": well}
    names = [words[1] for words in asked(server)]
    assert sorted(names) == ["fails", "fails", "first", "other", "slow"]  # one more attempt, and nothing after it
    log = submission.log("fails")
    assert "fails says: " in log and "the command ended with the exit code 3" in log and "Traceback" not in log
    number = int((server.folder / "began").read_text())
    assert not Path(f"/proc/{number}").exists() and not (server.folder / "survived").exists()
    tags = [task["tags"] for task in submission.tasks.values() if task["name"] == "fails"]
    assert tags == [["gpu"]]


def test_a_run_is_found_again_and_ends_when_prefect_cancels_it(server, plan):
    planned = plan("found", {"slow": (), "after": ("slow",)})
    submission = adapter.submit(planned)
    wait_for(server.folder / "began")
    assert adapter.submit(planned).place == submission.place
    server.run("flow-run", "cancel", submission.place.rpartition("/")[2])
    states = {name: each.state for name, each in follow(submission).items()}
    assert states == {"slow": State.CANCELLED, "after": State.CANCELLED}
    number = int((server.folder / "began").read_text())
    for _ in range(100):
        if not Path(f"/proc/{number}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{number}").exists() and not (server.folder / "survived").exists()


def test_a_scheduled_run_takes_the_branch_as_it_is_and_proposes_the_lock(server, plan):
    planned = plan("unused", {"first": (), "last": ("first",)})
    configure(planned.folder, schedule="0 3 * * 1-5", timezone="Europe/Berlin", runs_at_once=2)
    said = adapter.deploy(planned)
    assert said.startswith("credit/scheduled runs at 0 3 * * 1-5 (Europe/Berlin): ")
    assert adapter.deploy(planned) == said
    found = server.ask("deployments/name/credit/scheduled")
    assert [each["schedule"]["cron"] for each in found["schedules"]] == ["0 3 * * 1-5"]
    assert found["global_concurrency_limit"]["limit"] == 2
    created = server.ask(f"deployments/{found['id']}/create_flow_run", {})
    server.wait(lambda: server.ask(f"flow_runs/{created['id']}")["state_type"] in adapter.ENDED)
    assert server.ask(f"flow_runs/{created['id']}")["state_name"] == "Completed"
    run = f"{planned.commit[:7]}-{created['id'][:8]}"
    ends = ["--run", run, "--commit", planned.commit]
    assert asked(server) == [["stage", "first", *ends], ["stage", "last", *ends], ["collect", *ends, "--propose"]]
    (report,) = server.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [created["id"]]}}})
    assert "| first | completed | " in report["data"] and run in report["data"]


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_a_pool_of_containers_takes_the_image_and_checks_its_variables(server, plan, kind):
    server.run("work-pool", "create", "--type", kind, f"of-{kind}")
    planned = plan(f"in-{kind}", {"first": ()})
    own = {"work_pool": f"of-{kind}", "type": kind, "image": "registry.example.org/credit:1", "folder": "/srv/credit"}
    configure(planned.folder, **own, job_variables={"env": {"TZ": "UTC"}})
    submission = adapter.submit(planned)
    assert submission.states() == {"first": StageState(State.WAITING)}
    assert f"prefect worker start --pool of-{kind}" in submission.place
    number = submission.place.partition(";")[0].rpartition("/")[2]
    deployment = server.ask(f"deployments/{server.ask(f'flow_runs/{number}')['deployment_id']}")
    assert deployment["job_variables"] == {"image": "registry.example.org/credit:1", "env": {"TZ": "UTC"}}
    submission.cancel()
    assert submission.states() == {"first": StageState(State.CANCELLED)}
    configure(planned.folder, **own, job_variables={"env": "not a mapping"})
    with pytest.raises(EngineError) as refused:
        adapter.submit(planned)
    assert "Prefect refuses deployments/ (422)" in str(refused.value) and "not a mapping" in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"work_pool": "nobody"}, "has no work pool 'nobody'\n  fix: prefect work-pool create --type process nobody"),
        ({"type": "docker", "image": "x"}, "the work pool mlops is of the type process, not docker\n  fix: "),
        ({"schedule": "at noon"}, "Prefect refuses deployments/ (422): "),
    ],
)
def test_what_the_server_does_not_have_is_said(server, plan, settings, said):
    planned = plan("refused", {"first": ()})
    configure(planned.folder, **settings)
    with pytest.raises(EngineError) as refused:
        adapter.deploy(planned)
    assert said in str(refused.value)


def test_a_commit_that_the_worker_does_not_have_is_said_in_the_log(server, plan):
    planned = plan("lost", {"first": (), "last": ("first",)})
    lost = Plan(planned.project, planned.folder, planned.run, "0" * 40, planned.nodes)
    submission = adapter.submit(lost)
    states = {name: each.state for name, each in follow(submission).items()}
    assert states == {"first": State.FAILED, "last": State.SKIPPED}
    assert f"does not have the commit {'0' * 40}" in submission.log("first")


def test_the_commands_of_the_page(server, copier, history, tmp_path):
    """Each as it is typed, with a pool of its own; the server is up already, and a small pipeline is enough."""
    install, start, pool, worker, update, setup, train, again, show, deploy = commands(PAGE.read_text(encoding="utf-8"))
    own = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    assert set(prefect.REQUIREMENTS) <= set(shlex.split(install))
    subprocess.run([*shlex.split(install), "--exclude-newer", prefect.day()], env=server.own | own, check=True)
    assert "3." in subprocess.check_output([tmp_path / "bin" / "prefect", "--version"], env=server.own, text=True)
    assert start.startswith("prefect server start --host 127.0.0.1")
    server.run(*shlex.split(pool.replace("mlops", "page"))[1:])
    server.start("page", *shlex.split(worker.replace("mlops", "page"))[1:])
    server.wait(lambda: server.ask("work_pools/page")["status"] == "READY")

    project = copier.at(history).copy(tmp_path / "project", BEFORE)
    project.environment |= server.variables | {"ENGINE_PREFECT_WORK_POOL": "page"}
    project.commit()
    project.run(typed(update, history))
    project.run(setup)
    write(
        project.path / "dvc.yaml",
        {"stages": {name: {"cmd": f"echo {name} > {name}.txt", "outs": [f"{name}.txt"]} for name in "ab"}},
    )
    project.commit()
    printed = project.run(f"{train} --no-track")
    assert "stage 2 of 2, " in printed and project.text("dvc.lock").count("md5") == 4
    run = printed.partition("train: the run ")[2].partition(" ")[0]
    assert "stage 2 of 2, " in project.run(again.replace("RUN", run) + " --no-track")
    assert "pipeline(run: str" in project.run(show)
    assert f"/scheduled has no schedule: http://127.0.0.1:{server.port}/" in project.run(deploy)
    away = project.run(f"{train} --no-track", fails=True, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert "train: Prefect does not answer at http://127.0.0.1:9/api: no connection\n  fix: " in away
