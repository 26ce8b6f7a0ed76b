"""The pipeline for Kubeflow: read by kfp's own protobufs, and run by a server that refuses what it does not know."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Resources
from copier_mlops.pipeline.engines import (
    EngineAwayError,
    EngineError,
    State,
    kubeflow,
    kubeflow_api,
    kubeflow_pipeline,
    kubernetes,
)
from copier_mlops.pipeline.engines.kubeflow_pipeline import JOB, Settings
from copier_mlops.pipeline.plan import Plan
from tests.package.pipeline.engines import kfp_validator, kubeflow_server
from tests.package.pipeline.engines.drawn import plans
from tests.package.pipeline.engines.kubeflow_server import Server
from tests.package.pipeline.engines.pods import DIAMOND, HOSTILE, called, ended, install, plan, wait

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pods of the tests are processes of POSIX")

WHOLE = {
    "image": "registry.example.org/credit:{commit}",
    "secret": "credit-remote",
    "secret_keys": ("AWS_ACCESS_KEY_ID",),
    "pull_secret": "registry",
    "variables": {"TZ": "UTC"},
    "claim": "mlops-data",
    "node_selector": {"pool": "training"},
}


@pytest.fixture(scope="session")
def kfp(tmp_path_factory) -> Iterator[Callable[[str], str]]:
    """Ask kfp what is wrong with a pipeline."""
    folder = tmp_path_factory.mktemp("kfp")
    python = folder / "bin" / "python"
    for command in (
        ["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)],
        ["uv", "pip", "install", "--quiet", "--python", str(python), *kfp_validator.REQUIREMENTS],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"kfp cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    with subprocess.Popen(
        [python, kfp_validator.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(text: str) -> str:
            process.stdin.write(json.dumps(text) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield ask
        process.stdin.close()


def write(plan: Plan, run: str = "nightly-7", **given: object) -> str:
    found = Settings(**(WHOLE | given))
    return kubeflow_pipeline.text(kubeflow_pipeline.document(plan, found, run))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans())
def test_kfp_reads_the_pipeline_of_any_shape_and_its_names_are_those_of_kubernetes(plan, kfp):
    text = write(plan)
    assert kfp(text) == ""
    spec, platform = yaml.safe_load_all(text)
    kubeflow_server.check({"pipeline_spec": spec, "platform_spec": platform})
    tasks = spec["root"]["dag"]["tasks"]
    slugs = {node.name: node.slug for node in plan.nodes}
    assert {name: set(task.get("dependentTasks", [])) for name, task in tasks.items()} == {
        node.slug: {slugs[need] for need in node.needs} for node in plan.nodes
    }
    assert max(len(name) for name in [*tasks, *spec["components"], *spec["deploymentSpec"]["executors"]]) <= 63
    for node in plan.nodes:
        container = spec["deploymentSpec"]["executors"][f"exec-{node.slug}"]["container"]
        assert container["command"] == ["mlops", "stage", node.slug, "--run", "nightly-7"]


def test_what_a_stage_asks_for_reaches_kfp_and_kubernetes():
    asked = Resources(cpu=0.5, memory="4Gi", gpu=2, shared_memory="2Gi", timeout="90m", retries=2, image="other:1")
    spec, platform = yaml.safe_load_all(write(plan({"a": [], "b": ["a"]}, a=asked)))
    first, second = (spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"] for name in "ab")
    assert first["image"] == "other:1" and second["image"] == f"registry.example.org/credit:{'c' * 12}"
    assert first["resources"] == {
        "cpuLimit": 0.5,
        "cpuRequest": 0.5,
        "resourceCpuLimit": "500m",
        "resourceCpuRequest": "500m",
        "memoryLimit": 4.294967296,
        "memoryRequest": 4.294967296,
        "resourceMemoryLimit": "4Gi",
        "resourceMemoryRequest": "4Gi",
        "accelerator": {"count": "2", "resourceCount": "2", "resourceType": "nvidia.com/gpu", "type": "nvidia.com/gpu"},
    }
    assert "resources" not in second
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["a"]["retryPolicy"]["maxRetryCount"] == 2 and "retryPolicy" not in tasks["b"]
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert pods["exec-a"]["activeDeadlineSeconds"] == "5400" and pods["exec-b"]["activeDeadlineSeconds"] == "86400"
    assert pods["exec-a"]["tolerations"][0]["key"] == "nvidia.com/gpu" and "tolerations" not in pods["exec-b"]
    (shared,) = pods["exec-a"]["emptyDirMounts"]
    assert shared["mountPath"] == kubernetes.SHARED_PATH and (shared["medium"], shared["sizeLimit"]) == (
        "Memory",
        "2Gi",
    )


@pytest.mark.parametrize(
    ("needs", "run", "given", "said"),
    [
        ({"a": []}, "Nightly_7", {}, "'Nightly_7' cannot name the run in Kubernetes\n  fix: use at most 63"),
        ({"a": []}, "r" * 64, {}, "cannot name the run in Kubernetes"),
        ({"a": []}, "one", {"image": ""}, "no image is named\n  fix: set image in operation/configuration"),
        ({f"s{each}": [] for each in range(2000)}, "one", {}, "bytes, and 1,000,000 are the most\n  fix: "),
    ],
)
def test_what_kubeflow_would_refuse_is_refused(needs, run, given, said):
    with pytest.raises(EngineError, match=said):
        write(plan(needs), run, **given)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (("pipeline_spec",), "parallelism"),
        (("pipeline_spec", "root", "dag", "tasks", "a"), "timeout"),
        (("pipeline_spec", "deploymentSpec", "executors", "exec-a", "container"), "workingDir"),
        (("platform_spec", "platforms", "kubernetes", "deploymentSpec", "executors", "exec-a"), "deadline"),
    ],
)
def test_a_field_that_nobody_knows_is_found_by_kfp_and_by_the_server_of_the_tests(place, name, kfp):
    found = copy.deepcopy(kubeflow_pipeline.document(plan({"a": []}), Settings(**WHOLE), "one"))
    spot = found
    for each in place:
        spot = spot[each]
    spot[name] = 1
    assert name in kfp(kubeflow_pipeline.text(found))
    with pytest.raises(kubeflow_server.RefusedError, match=f"unknown field in .*{name}"):
        kubeflow_server.check(found)


@pytest.fixture
def told(tmp_path) -> Path:
    """A folder that says what stages do, with an `mlops`."""
    return install(tmp_path / "told")


@pytest.fixture
def server(tmp_path, told, monkeypatch) -> Iterator[Server]:
    """A server that is up, which the settings name."""

    def unpack(image: str, folder: Path) -> None:
        folder.mkdir()
        (folder / "image").write_text(image, encoding="utf-8")

    secrets = {"credit-remote": {"AWS_ACCESS_KEY_ID": "key", "OTHER": "no"}}
    found = Server(tmp_path, unpack, {"PATH": str(told / "bin")}, secrets)
    found.come_back()
    choose(monkeypatch, url=found.url)
    for name in (kubeflow_api.ADDRESS, kubeflow_api.TOKEN):
        monkeypatch.delenv(name, raising=False)
    yield found
    found.go_away()
    assert not found.faults


def choose(monkeypatch, **given: object) -> None:
    monkeypatch.setattr(Settings, "load", classmethod(lambda cls, _: cls(**(WHOLE | given))))


def test_a_stage_that_fails_keeps_back_what_needs_it_and_nothing_else(server, told):
    given = plan(DIAMOND, a=Resources(retries=1))
    (told / "a.fails").write_text("")
    server.seconds_to_end = 2.0
    run = kubeflow.submit(given)
    assert run.place == f"{server.url}/#/runs/details/{run.number}"
    found = {"a": State.FAILED, "b": State.SKIPPED, HOSTILE: State.SUCCEEDED, "c": State.SUCCEEDED}
    assert ended(run) == found | {"last": State.SKIPPED}
    calls = called(told)
    assert sorted(each[0][1] for each in calls) == ["a", "a", "c", dag.slug(HOSTILE)]
    for words, files, variables in calls:
        assert words == ["stage", words[1], "--run", "nightly-7"] and files == ["image"]
        assert variables.keys() - {"LC_CTYPE"} == {"PATH", "TZ", "AWS_ACCESS_KEY_ID"}
    assert run.log("a") == "a is told to fail\n"
    assert run.log("b") == f"Kubeflow has no output of it; see {run.place}"

    (told / "a.fails").unlink()
    assert server.get("run", run.number)["state"] == "RUNNING"
    again = kubeflow.submit(given)  # another one, in which ended stages have their results on the data remote
    assert again.number != run.number
    assert set(ended(again).values()) == {State.SUCCEEDED}
    wait(lambda: server.get("run", again.number)["state"] == "SUCCEEDED")
    assert kubeflow.submit(given).number == again.number
    assert kubeflow.submit(replace(given, commit="d" * 40)).number not in (run.number, again.number)


def test_a_run_is_found_again_and_cancelled(server, told):
    given = plan({"a": [], "lone": [], "b": ["a"]})
    (told / "a.slow").write_text("")
    run = kubeflow.submit(given)
    wait(lambda: (told / "a.began").exists() and run.states()["lone"].state is State.SUCCEEDED)
    again = kubeflow.submit(given)
    assert again.number == run.number
    found = {"a": State.RUNNING, "lone": State.SUCCEEDED, "b": State.WAITING}
    assert {name: each.state for name, each in again.states().items()} == found
    again.cancel()
    assert server.get("run", run.number)["state"] == "CANCELED"
    assert run.states()["b"].state is State.SKIPPED and run.states()["lone"].state is State.SUCCEEDED
    assert all(process.poll() is not None for each in server.processes.values() for process in each)


def test_the_timeout_of_a_stage_ends_its_pod(server, told):
    (told / "a.slow").write_text("")
    run = kubeflow.submit(plan({"a": []}, a=Resources(timeout="1s")))
    assert ended(run) == {"a": State.FAILED}
    assert "longer than the specified deadline" in run.log("a")


def test_a_server_that_is_away_is_told_apart_from_one_that_refuses(server, told, monkeypatch):
    run = kubeflow.submit(plan({"a": []}))
    ended(run)
    server.go_away()
    with pytest.raises(EngineAwayError, match="Kubeflow does not answer: "):
        run.states()
    server.come_back()
    assert run.states()["a"].state is State.SUCCEEDED
    del server.objects["run"][run.number]
    with pytest.raises(EngineError, match="does not have the run nightly-7 any more\n  fix: uv run poe train"):
        run.states()
    server.token = "s3cret"  # noqa: S105
    with pytest.raises(
        EngineError, match="refuses the login: Request not authenticated\n  fix: set KF_PIPELINES_TOKEN"
    ):
        kubeflow.submit(plan({"a": []}))
    monkeypatch.setenv(kubeflow_api.TOKEN, "s3cret")
    again = kubeflow.submit(plan({"a": []}))
    assert set(ended(again).values()) == {State.SUCCEEDED} and again.log("a") == "a ran\n"
    server.token = ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "",
            "the address of Kubeflow is not set\n  fix: set url in operation/configuration/engines/kubeflow",
        ),
        ("kubeflow.example.org", "not one of the web"),
        ("https://me:hunter2@kubeflow.example.org", "the address https://kubeflow.example.org has a login"),
        ("http://kubeflow.example.org", "the login is not sent to http://kubeflow.example.org"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url, said, monkeypatch):
    monkeypatch.setenv(kubeflow_api.TOKEN, "secret")
    monkeypatch.setenv(kubeflow_api.ADDRESS, url)
    with pytest.raises(EngineError, match=said) as refused:
        kubeflow_api.Api("", "")
    assert "hunter2" not in str(refused.value)


def test_a_deployed_pipeline_runs_by_its_schedule_and_each_run_has_a_name(server, told, monkeypatch):
    given = plan({"a": [], "b": ["a"]})
    choose(monkeypatch, url=server.url, schedule="0 0 3 * * 1-5")
    said = kubeflow.deploy(given)
    assert said.startswith("the pipeline german-credit runs at 0 0 3 * * 1-5: http")
    assert kubeflow.deploy(given) == said  # the same again, and one schedule
    assert len(server.objects["recurring run"]) == 1 and len(server.objects["pipeline"]) == 1
    run = server.tick("german-credit")
    wait(lambda: run["state"] == "SUCCEEDED")
    names = {each[0][3] for each in called(told)}
    assert names == {f"german-credit-{run['run_id'][:5]}"}
    kubeflow.deploy(replace(given, commit="d" * 40))
    found = list(server.objects["version"].values())
    assert found[-1]["display_name"] == f"german-credit-{'d' * 12}"
    assert JOB in json.dumps(found[-1]["pipeline_spec"])
    (recurring,) = server.objects["recurring run"].values()
    assert recurring["pipeline_version_reference"]["pipeline_version_id"] == found[-1]["pipeline_version_id"]
    choose(monkeypatch, url=server.url)
    assert "has no schedule" in kubeflow.deploy(given)
    assert not server.objects["recurring run"]
    assert os.environ.get(kubeflow_api.TOKEN) is None
