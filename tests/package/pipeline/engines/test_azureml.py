"""The pipeline job for Azure ML: read by Azure's client, and run by a workspace that refuses what it does not know."""

import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from hypothesis import HealthCheck, given, settings
from marshmallow import ValidationError

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import EngineAwayError, EngineError, State, azureml, azureml_job
from copier_mlops.pipeline.engines.azureml_job import JOB, Settings
from copier_mlops.pipeline.plan import Plan
from tests.package.pipeline.engines import azureml_server
from tests.package.pipeline.engines.azureml_server import Server
from tests.package.pipeline.engines.drawn import plans
from tests.package.pipeline.engines.pods import DIAMOND, HOSTILE, called
from tests.project import TEMPLATE

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the nodes of the tests are processes of POSIX"),
    pytest.mark.filterwarnings("ignore::marshmallow.warnings.Marshmallow4Warning"),
]

# The `mlops` of an image: it writes what it gets, and is slow or fails if a file says so.
MLOPS = """\
#!{python}
import json, os, pathlib, sys, time
name, told = sys.argv[2], pathlib.Path({told!r})
files = [str(each) for each in sorted(pathlib.Path().rglob("*")) if each.is_file()]
with (told / "called").open("a") as called:
    called.write(json.dumps([sys.argv[1:], files, dict(os.environ)]) + "\\n")
until = time.time() + 60
while (told / (name + ".slow")).exists() and time.time() < until:
    (told / (name + ".began")).write_text("")
    time.sleep(0.05)
if (told / (name + ".fails")).exists():
    sys.exit(name + " is told to fail")
print(name, "ran")
"""
WHOLE = {
    "image": "registry.example.org/credit:{commit}",
    "compute": "cpu-cluster",
    "computes": {"gpu": "gpu-cluster"},
    "identity": "managed",
    "shm_size": "8g",
    "variables": {"TZ": "UTC"},
}


def plan(
    needs: dict[str, list[str]], folder: Path = Path("/srv/credit"), commit: str = "c" * 40, **asked: Resources
) -> Plan:
    nodes = [Node(name, dag.slug(name), tuple(each), asked.get(name, Resources())) for name, each in needs.items()]
    return Plan("german-credit", folder, "nightly-7", commit, tuple(nodes))


def write(plan: Plan, run: str = "nightly-7", **given: object) -> dict:
    return azureml_job.document(plan, Settings(**(WHOLE | given)), run)


def loaded(document: dict, code: Path) -> object:
    """Read a job as Azure's client does; it warns of a field that it does not know."""
    from azure.ai.ml import load_job

    job = load_job(io.StringIO(azureml_job.text(document)), relative_origin=str(code / "pipeline.yml"))
    found = job._validate()
    assert found.passed and not found._warnings, found.error_messages
    return job


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans())
def test_azure_reads_the_job_of_any_shape(plan, tmp_path):
    (tmp_path / "dvc.yaml").touch()
    document = write(plan, computes={"gpu": "gpu-cluster"})
    job = loaded(document, tmp_path)
    assert yaml.safe_load(azureml_job.text(document)) == document
    keys = {node.name: azureml_job.key(node) for node in plan.nodes}
    assert len(set(keys.values())) == len(keys) and job.jobs.keys() == set(keys.values())
    for node in plan.nodes:
        entry = document["jobs"][keys[node.name]]
        assert set(entry.get("inputs", {})) == {f"after_{keys[need]}" for need in node.needs}
        assert f"mlops stage {node.slug} --run nightly-7" in entry["command"]
        assert "$(" not in entry["command"] and "`" not in entry["command"]


def test_what_a_stage_asks_for_reaches_azure(tmp_path):
    (tmp_path / "dvc.yaml").touch()
    asked = Resources(gpu=1, timeout="90m", retries=2, image="other:{commit}", shared_memory="1Ti")
    found = write(plan({"a@x": [], "b": ["a@x"]}, **{"a@x": asked}))
    loaded(found, tmp_path)
    assert found["identity"] == {"type": "managed"} and found["tags"] == {"run": "nightly-7", "commit": "c" * 40}
    assert found["settings"] == {"force_rerun": True, "continue_on_step_failure": True}
    once = "mlops stage a-x --run nightly-7 && echo done > ${{outputs.done}}/done"
    assert found["jobs"] == {
        "a_x": {
            "type": "command",
            "display_name": "a-x",
            "command": f"for attempt in 1 2 3; do {once} && exit 0; done; exit 1",
            "code": ".",
            "environment": {"image": f"other:{'c' * 12}"},
            "compute": "azureml:gpu-cluster",
            "environment_variables": {"TZ": "UTC"},
            "outputs": {"done": {"type": "uri_folder"}},
            "limits": {"timeout": 3 * 5400},
            "resources": {"shm_size": "1024g"},
        },
        "b": {
            "type": "command",
            "display_name": "b",
            "command": "mlops stage b --run nightly-7",
            "code": ".",
            "environment": {"image": f"registry.example.org/credit:{'c' * 12}"},
            "compute": "azureml:cpu-cluster",
            "environment_variables": {"TZ": "UTC"},
            "inputs": {"after_a_x": "${{parent.jobs.a_x.outputs.done}}"},
            "limits": {"timeout": 86400},
            "resources": {"shm_size": "8g"},
        },
    }


def test_settings_that_are_not_set_leave_no_trace(tmp_path):
    (tmp_path / "dvc.yaml").touch()
    plain = {"identity": "", "shm_size": "", "variables": {}, "image": "azureml:credit:3"}
    found = write(plan({"a": []}, a=Resources(partition="long")), computes={"long": "large-cluster"}, **plain)
    loaded(found, tmp_path)
    assert "identity" not in found
    assert found["jobs"]["a"] == {
        "type": "command",
        "display_name": "a",
        "command": "mlops stage a --run nightly-7",
        "code": ".",
        "environment": "azureml:credit:3",
        "compute": "azureml:large-cluster",
        "limits": {"timeout": 86400},
    }


@pytest.mark.parametrize(
    ("run", "given", "said"),
    [
        ("nightly.7", {}, "'nightly.7' cannot name a run in Azure ML\n  fix: use at most 63 letters, digits"),
        ("r" * 64, {}, "cannot name a run in Azure ML"),
        ("x; rm -rf .", {}, "cannot name a run in Azure ML"),
        ("one", {"image": ""}, "no image is named\n  fix: set image in operation/configuration"),
        ("one", {"compute": "", "computes": {}}, "no compute is named\n  fix: set compute in operation/configuration"),
        (
            "one",
            {"partition": "long"},
            "the stage a wants the partition long, which is not in computes\n  fix: name its",
        ),
    ],
)
def test_what_azure_would_refuse_is_refused(run, given, said):
    asked = Resources(partition=given.pop("partition", None))
    with pytest.raises(EngineError, match=said):
        write(plan({"a": []}, a=asked), run, **given)


@pytest.mark.parametrize(
    "given",
    [
        {"subscription": "my-subscription"},
        {"workspace": "a"},
        {"workspace": "w" * 34},
        {"resource_group": "ends."},
        {"compute": "c" * 33},
        {"computes": {"gpu": "-gpu"}},
        {"identity": "key"},
        {"shm_size": "8 GB"},
        {"experiment": "-x"},
        {"schedule": "0 0 3 * * 1"},
        {"shared_folder": "data"},
    ],
)
def test_a_setting_that_azure_would_refuse_is_refused(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        Settings(**given)


@pytest.mark.parametrize(
    ("place", "name", "value", "said"),
    [
        ((), "parallelism", 3, "parallelism.*Unknown field"),
        (("jobs", "b"), "retries", 3, "jobs.b"),
        (("jobs", "b", "environment"), "tag", "1", "jobs.b.environment"),
        (("jobs", "b", "inputs"), "after_c", "${{parent.jobs.c.outputs.done}}", "parent.jobs.c.outputs.done"),
        (("identity",), "type", "key", "identity: .*passed is not in set"),
    ],
)
def test_what_the_client_does_not_know_is_refused_in_a_sentence(place, name, value, said, server, project, monkeypatch):
    given = plan({"a": [], "b": ["a"]}, project, git(project, "rev-parse", "HEAD"))
    found = write(given)
    spot = found
    for each in place:
        spot = spot[each]
    spot[name] = value
    monkeypatch.setattr(azureml_job, "document", lambda *_: found)
    with pytest.raises(EngineError, match=f"Azure ML refuses the job: .*{said}"):
        azureml.submit(given)
    assert not any("/jobs/" in each for each in server.objects)


def test_the_definitions_of_the_page_are_those_of_azure():
    from azure.ai.ml import load_compute, load_environment

    page = (TEMPLATE / "docs" / "how-to" / "engines" / "azureml.md").read_text(encoding="utf-8")
    cluster, environment = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    found = load_compute(io.StringIO(cluster))
    assert (found.name, found.type, found.max_instances) == ("cpu-cluster", "amlcompute", 4)
    assert found.identity.type == "system_assigned"
    made = load_environment(io.StringIO(environment))
    assert (made.name, made.version, made.image) == ("credit", "1", "credit.azurecr.io/credit:1")
    with pytest.raises(ValidationError, match="minimum"):
        load_compute(io.StringIO(cluster.replace("min_instances", "minimum")))


@pytest.fixture
def told(tmp_path) -> Path:
    """A folder that says what stages do, with an `mlops`."""
    folder = tmp_path / "told"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "mlops"
    program.write_text(MLOPS.format(python=sys.executable, told=str(folder)), encoding="utf-8")
    program.chmod(0o755)
    return folder


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path) -> Path:
    """A repository whose data remote is a folder that nodes see; one of its files is ignored, but in git."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    Repo.init(str(folder)).close()
    (folder / ".dvc" / "config").write_text(
        "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../../data\n"
    )
    (folder / "step.py").write_text("print(1)\n")
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "kept.log").write_text("kept\n")
    git(folder, "add", "--force", ".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "kept.log", "step.py")
    git(folder, "commit", "--quiet", "-m", "first")
    (folder / "secret").write_text("not in git\n")
    return folder


@pytest.fixture
def server(tmp_path, told, project, monkeypatch) -> Iterator[Server]:
    """A workspace that is up, which the settings name."""
    place = tmp_path / "azure"
    place.mkdir()
    commits = (git(project, "rev-parse", "HEAD"), "d" * 40)
    images = {f"registry.example.org/credit:{each[:12]}": {"PATH": f"{told / 'bin'}:/bin:/usr/bin"} for each in commits}
    found = Server(place, images)
    found.come_back()
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "TestCloud")  # the client sets it itself, and nobody takes it back
    monkeypatch.delenv("AZUREML_CURRENT_CLOUD")
    for name, value in found.variables.items():
        monkeypatch.setenv(name, value)
    choose(monkeypatch, tmp_path)
    yield found
    found.end()
    assert not found.faults


def choose(monkeypatch, shared: Path, **given: object) -> None:
    whole = WHOLE | {"shared_folder": str(shared)} | given
    monkeypatch.setattr(Settings, "load", classmethod(lambda cls, _: cls(**whole)))


def wait(holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("not within 20 seconds")


def ended(run: azureml.Run) -> dict[str, State]:
    wait(lambda: all(each.state.has_ended for each in run.states().values()))
    return {name: each.state for name, each in run.states().items()}


def test_a_stage_that_fails_keeps_back_what_needs_it_and_nothing_else(server, told, project):
    given = plan(DIAMOND, project, git(project, "rev-parse", "HEAD"), a=Resources(retries=1))
    (told / "a.fails").write_text("")
    run = azureml.submit(given)
    assert run.name == "german-credit_1_nightly-7"
    assert run.place.startswith("https://ml.example.org/runs/german-credit_1_nightly-7?wsid=/subscriptions/")
    found = {"a": State.FAILED, "b": State.SKIPPED, HOSTILE: State.SUCCEEDED, "c": State.SUCCEEDED}
    assert ended(run) == found | {"last": State.SKIPPED}
    calls = called(told)
    assert sorted(each[0][1] for each in calls) == ["a", "a", "c", dag.slug(HOSTILE)]
    tree = {".amlignore", ".dvc/.gitignore", ".dvc/config", ".dvc/config.local", ".dvcignore", ".gitignore"}
    for words, files, variables in calls:
        assert words == ["stage", words[1], "--run", "nightly-7"]
        assert set(files) == tree | {"step.py", "kept.log"}  # what git has, and nothing else
        assert {name for name in variables if name.startswith(("AZUREML", "MLFLOW"))} == {
            *("AZUREML_RUN_ID", "AZUREML_ROOT_RUN_ID"),
            *("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME"),
        }
        assert variables.keys() & {"TZ", "HOME", "IDENTITY_ENDPOINT"} == {"TZ"}
    assert len([each for each in server.objects if "/codes/" in each]) == 1  # uploaded once
    said = "Execution failed. User process exited with status code 1."
    assert run.log("a") == f"a is told to fail\na is told to fail\n\n{said}"
    assert run.log("b") == f"Azure ML has no output of it; see {run.place}"
    server.closed = True
    assert run.log("a").startswith("Azure does not allow it: ")
    server.closed = False

    (told / "a.fails").unlink()
    wait(lambda: server.status(run.name) == "Failed")
    again = azureml.submit(given)  # another one, in which ended stages have their results on the data remote
    assert again.name == "german-credit_2_nightly-7"
    assert set(ended(again).values()) == {State.SUCCEEDED}
    wait(lambda: server.status(again.name) == "Completed")
    assert azureml.submit(given).name == again.name


def test_a_run_is_found_again_and_cancelled(server, told, project):
    given = plan({"a": [], "lone": [], "b": ["a"]}, project, git(project, "rev-parse", "HEAD"))
    (told / "a.slow").write_text("")
    run = azureml.submit(given)
    wait(lambda: (told / "a.began").exists() and run.states()["lone"].state is State.SUCCEEDED)
    again = azureml.submit(given)
    assert again.name == run.name
    found = {"a": State.RUNNING, "lone": State.SUCCEEDED, "b": State.WAITING}
    assert {name: each.state for name, each in again.states().items()} == found
    again.cancel()
    assert server.status(run.name) == "Canceled"
    found = {"a": State.CANCELLED, "lone": State.SUCCEEDED, "b": State.CANCELLED}
    assert {name: each.state for name, each in run.states().items()} == found
    assert all(process.poll() is not None for each in server.processes.values() for process in each)


def test_a_run_that_has_just_failed_is_resumed_and_not_followed(server, told, project):
    given = plan({"a": []}, project, git(project, "rev-parse", "HEAD"))
    (told / "a.fails").write_text("")
    server.lag = 3
    run = azureml.submit(given)
    assert ended(run) == {"a": State.FAILED}
    (told / "a.fails").unlink()
    assert server.status(run.name) == "Running"
    again = azureml.submit(given)
    assert again.name == "german-credit_2_nightly-7" and server.status(run.name) == "Failed"
    assert ended(again) == {"a": State.SUCCEEDED}


def test_the_timeout_of_a_stage_ends_it(server, told, project):
    (told / "a.slow").write_text("")
    run = azureml.submit(plan({"a": []}, project, git(project, "rev-parse", "HEAD"), a=Resources(timeout="1s")))
    assert ended(run) == {"a": State.FAILED}
    assert "Job execution exceeded its timeout" in run.log("a")


def test_a_workspace_that_is_away_is_told_apart_from_one_that_refuses(server, project, monkeypatch):
    given = plan({"a": []}, project, git(project, "rev-parse", "HEAD"))
    run = azureml.submit(given)
    ended(run)
    server.go_away()
    with pytest.raises(EngineAwayError, match="Azure ML does not answer: "):
        run.states()
    server.come_back()
    assert run.states()["a"].state is State.SUCCEEDED

    server.roles = False
    with pytest.raises(EngineError, match=r"Azure does not allow it: .*\n  fix: give yourself the role AzureML Data"):
        azureml.submit(replace(given, run="other"))
    server.roles = True
    server.computes.clear()
    with pytest.raises(EngineError, match=r"Azure ML refuses the job: jobs\.a\.compute: .*cpu-cluster was not found"):
        azureml.submit(replace(given, run="other"))
    monkeypatch.setenv("ENGINE_AZUREML_WORKSPACE", "other-workspace")
    with pytest.raises(EngineError, match="the workspace other-workspace is not in the resource group ml-team: "):
        azureml.submit(given)
    monkeypatch.delenv("ENGINE_AZUREML_SUBSCRIPTION")
    with pytest.raises(EngineError, match="subscription is not set\n  fix: set it in operation/configuration/engines"):
        azureml.submit(given)


def test_a_job_that_ends_before_its_first_stage_says_why(server, project):
    run = azureml.submit(plan({"a": []}, project, git(project, "rev-parse", "HEAD")))
    ended(run)
    server.children[run.name].clear()
    server.status(run.name, "Failed")
    server.objects[f"{azureml_server.ROOT}/jobs/{run.name}"]["error"] = "the quota of cores is used up"
    with pytest.raises(
        EngineError, match=f"cannot run the job: the quota of cores is used up\n  fix: see {run.place[:9]}"
    ):
        run.states()
    del server.objects[f"{azureml_server.ROOT}/jobs/{run.name}"]
    with pytest.raises(EngineError, match="does not have the job german-credit_1_nightly-7 any more\n  fix: uv run"):
        run.states()


def test_without_a_login_nothing_is_sent(server, project, monkeypatch):
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential")
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EngineError, match=r"Azure does not know you: .*\n  fix: az login"):
        azureml.submit(plan({"a": []}, project))


def test_a_data_remote_that_nodes_do_not_reach_is_refused(server, project, monkeypatch, tmp_path):
    given = plan({"a": []}, project, git(project, "rev-parse", "HEAD"))
    for shared in ("", str(tmp_path / "azure")):
        choose(monkeypatch, tmp_path, shared_folder=shared)
        with pytest.raises(
            EngineError, match=r"the data remote is the folder .*/data, which the nodes of Azure ML do not"
        ):
            azureml.submit(given)
    choose(monkeypatch, tmp_path)
    (project / "outside").symlink_to("/etc/hostname")
    git(project, "add", "outside")
    git(project, "commit", "--quiet", "-m", "a link")
    with pytest.raises(EngineError, match="outside is a link to a file outside of the project\n  fix: put a copy"):
        azureml.submit(replace(given, commit=git(project, "rev-parse", "HEAD")))
    assert not any("/jobs/" in each for each in server.objects)


def test_a_schedule_starts_runs_each_of_which_has_a_name(server, told, project, monkeypatch, tmp_path):
    commit = git(project, "rev-parse", "HEAD")
    given = plan({"a": [], "b": ["a"]}, project, commit)
    assert azureml.deploy(given) == "german-credit has no schedule in credit-workspace; to have one, set schedule"
    choose(monkeypatch, tmp_path, schedule="0 3 * * 1-5", time_zone="W. Europe Standard Time")
    said = f"the schedule german-credit in credit-workspace starts {commit[:12]} at 0 3 * * 1-5"
    assert azureml.deploy(given) == said == azureml.deploy(given)
    name = server.tick("german-credit")
    wait(lambda: server.status(name) == "Completed")
    assert {each[0][3] for each in called(told)} == {name}
    choose(monkeypatch, tmp_path)
    azureml.deploy(given)
    found = server.get(f"{azureml_server.ROOT}/schedules/german-credit")["properties"]
    assert found["isEnabled"] is False
    assert JOB in json.dumps([each for each in server.objects.values() if "componentSpec" in each["properties"]])
