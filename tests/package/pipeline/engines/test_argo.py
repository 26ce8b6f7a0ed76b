"""Runs on Argo: pods of the submitted manifest as subprocesses, in trees without git, through `kubectl` and `argo`."""

import base64
import gzip
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest
import yaml

from copier_mlops.pipeline import cli, dag, follow, snapshot
from copier_mlops.pipeline import plan as plans
from copier_mlops.pipeline.dag import Resources
from copier_mlops.pipeline.engines import EngineAwayError, EngineError, State, argo, argo_client, argo_manifest
from copier_mlops.pipeline.engines.argo_manifest import Settings
from tests.package.pipeline.engines.cluster import Cluster, Image, RefusedError, Run
from tests.package.pipeline.engines.pods import DIAMOND, HOSTILE, called, ended, install, plan, wait
from tests.package.pipeline.engines.test_argo_manifest import FOLDER

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pod runs on Linux")

WHOLE: dict[str, Any] = {
    "image": "registry.example.org/credit:{commit}",
    "secret": "credit-remote",
    "variables": {"TZ": "UTC"},
    "claim": "mlops-data",
    "mount": "/store",
    "parallelism": 2,
}
ONE = {"a": []}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch) -> Path:
    """A folder that is a project, with the settings of Argo."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".copier-answers.yml").write_text("package_name: credit\nengines: [argo]\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    choose(monkeypatch)
    return folder


def choose(monkeypatch, **given: object) -> None:
    monkeypatch.setattr(Settings, "load", classmethod(lambda cls, _: cls(**(WHOLE | given))))


@pytest.fixture
def told(tmp_path) -> Path:
    """A folder that says what stages do, with an `mlops`."""
    return install(tmp_path / "told")


@pytest.fixture(params=["kubectl", "argo"])
def cluster(request, told, tmp_path, monkeypatch) -> Iterator[Cluster]:
    """A cluster with what the project renders for it, and one or both of the programs."""
    found, tree = Cluster(tmp_path / "cluster"), tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    programs = found.install(Image({"PATH": str(told / "bin")}, str(tree)))
    if request.param == "kubectl":
        (programs / "argo").unlink()
    found.apply(rendered("argo_access.yaml")[0])
    (volume,) = rendered("argo_volume.yaml")
    volume["metadata"]["annotations"] = {"folder": str(tmp_path)}
    found.apply(volume)
    found.write("Secret", "credit-remote", {"data": {"ANSWER": "42"}})
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    yield found
    for each in (found.folder / "Workflow").glob("*.json"):
        each.unlink()  # a controller that is still at work ends


kubectl = pytest.mark.parametrize("cluster", ["kubectl"], indirect=True)


def rendered(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def test_a_stage_that_fails_ends_its_branch_and_the_next_run_of_the_name_does_the_rest(cluster, told):
    given = plan(DIAMOND, a=Resources(retries=1))
    (told / "a.fails").write_text("")
    run = argo.submit(given)
    found = {"a": State.FAILED, "b": State.SKIPPED, HOSTILE: State.SUCCEEDED, "c": State.SUCCEEDED}
    assert ended(run) == found | {"last": State.SKIPPED}
    calls = called(told)
    assert sorted(each[0][1] for each in calls) == ["a", "a", "c", dag.slug(HOSTILE)]
    for words, files, variables in calls:
        assert words == ["stage", words[1], "--run", "nightly-7"] and files == ["src"]
        assert variables.keys() - {"LC_CTYPE"} == {"HOME", "PATH", "TZ", "ANSWER"}
    assert run.log("a") == "a is told to fail\nError (exit code 1)"
    assert run.log("b") == f"the cluster has no output of it; see {run.place}"
    assert run.states()[HOSTILE].place == "on node7"
    program = "argo get" if shutil.which("argo") else "kubectl get workflows.argoproj.io"
    assert run.place == f"{program} nightly-7"

    (told / "a.fails").unlink()
    again = argo.submit(given)  # the cluster may say that it still runs; stages that have ended are quick
    assert set(ended(again).values()) == {State.SUCCEEDED}
    cluster.wait("nightly-7")
    called(told)
    argo.submit(given)
    assert not called(told)  # it has succeeded
    argo.submit(changed(given, commit="d" * 40))
    assert cluster.read("Workflow", "nightly-7")["metadata"]["annotations"][argo_manifest.COMMIT] == "d" * 40


def test_a_run_is_found_again_and_cancelled(cluster, told):
    given = plan({"a": [], "lone": [], "b": ["a"]})
    (told / "a.slow").write_text("")
    run = argo.submit(given)
    wait(lambda: (told / "a.began").exists() and run.states()["lone"].state is State.SUCCEEDED)
    again = argo.submit(given)
    found = {"a": State.RUNNING, "lone": State.SUCCEEDED, "b": State.WAITING}
    assert {name: each.state for name, each in again.states().items()} == found
    again.cancel()
    found = {"a": State.CANCELLED, "lone": State.SUCCEEDED, "b": State.CANCELLED}
    assert {name: each.state for name, each in run.states().items()} == found
    assert len(called(told)) == 2
    (told / "a.slow").unlink()
    assert set(ended(argo.submit(given)).values()) == {State.SUCCEEDED}


@kubectl
def test_the_timeout_of_a_stage_ends_its_pod(cluster, told):
    (told / "a.slow").write_text("")
    run = argo.submit(plan(ONE, a=Resources(timeout="1s")))
    assert ended(run) == {"a": State.FAILED}
    assert "longer than the specified deadline" in run.log("a")


def test_a_cluster_that_is_away_is_said_to_be(cluster):
    (cluster.folder / "away").touch()
    with pytest.raises(EngineAwayError, match="the cluster does not answer: The connection to the server"):
        argo.submit(plan(ONE))


@kubectl
@pytest.mark.parametrize("missing", ["ServiceAccount", "Secret", "PersistentVolumeClaim"])
def test_what_the_cluster_lacks_is_in_the_log(cluster, missing):
    for each in (cluster.folder / missing).iterdir():
        each.unlink()
    run = argo.submit(plan(ONE))
    assert ended(run) == {"a": State.FAILED}
    assert "not found" in run.log("a")


def test_a_run_that_was_deleted_is_said_to_be(cluster):
    run = argo.submit(plan(ONE))
    ended(run)
    cluster.delete("Workflow", "nightly-7")
    with pytest.raises(EngineError, match="the cluster does not have the workflow nightly-7 any more\n  fix: uv run"):
        run.states()


@kubectl
def test_two_submissions_at_the_same_moment_are_one_run(cluster, told):
    said: list[str] = []
    threads = [threading.Thread(target=lambda: said.append(argo.submit(plan(ONE)).place)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(said) == 2 and cluster.wait("nightly-7") == "Succeeded"
    assert len(called(told)) == 1


@kubectl
def test_a_deployed_template_runs_by_its_schedule(cluster, told, monkeypatch):
    choose(monkeypatch, schedule="0 3 * * *")
    said = argo.deploy(plan(ONE))
    shown = (
        "the workflow template german-credit runs at 0 3 * * * (UTC): argo submit --from workflowtemplate/german-credit"
    )
    assert said == shown
    name = cluster.tick("german-credit")
    assert cluster.wait(name) == "Succeeded"
    assert called(told)[0][0] == ["stage", "a", "--run", name]

    choose(monkeypatch)
    assert "german-credit has no schedule" in argo.deploy(plan(ONE))
    with pytest.raises(RefusedError, match="NotFound"):
        cluster.tick("german-credit")


class Answer(argo_client.Kubectl):
    """A program that prints a workflow."""

    def __init__(self, **found: object) -> None:
        super().__init__("")
        self.printed = json.dumps({"metadata": {}, "spec": {}} | found)

    def _run(self, *words: str, typed: str = "") -> str:
        if words[0] == "logs":
            raise EngineError('the cluster refused: container "main" is waiting to start\n  fix: wait')
        return "pod/one" if words[1] == "pods" else self.printed


def test_workflows_are_read_as_argo_writes_them():
    given = plan(DIAMOND)
    nodes = {f"n{i}": {"displayName": node.slug, "phase": "Succeeded"} for i, node in enumerate(given.nodes)}
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    run = argo.Run(given, Answer(status={"phase": "Succeeded", "compressedNodes": packed}))
    assert {each.state for each in run.states().values()} == {State.SUCCEEDED}
    run.client = Answer()  # nobody has looked at it yet
    assert {each.state for each in run.states().values()} == {State.WAITING}
    run.client = Answer(status={"phase": "Error", "message": "invalid spec: no entrypoint"})
    with pytest.raises(EngineError, match="Argo refuses the run: invalid spec: no entrypoint\n  fix: kubectl get"):
        run.states()
    run.client = Answer(status={"phase": "Running", "offloadNodeStatusVersion": "fnv:1"})
    with pytest.raises(EngineError, match="in its database, which kubectl does not read\n  fix: install argo"):
        run.states()


def test_a_pod_without_an_image_waits_and_a_failure_of_its_log_is_the_log():
    pods = {
        "whole": {"displayName": "a", "phase": "Running", "type": "DAG"},  # a run may have the name of a stage
        "n": {"displayName": "a", "phase": "Running", "type": "Retry"},
        **{f"m{i}": {"displayName": f"a({i})", "phase": "Failed", "message": "one"} for i in range(10)},
        "last": {"displayName": "a(10)", "phase": "Pending", "message": "ImagePullBackOff"},
    }
    run = argo.Run(plan(ONE), Answer(status={"phase": "Running", "nodes": pods}))
    found = run.states()["a"]
    assert (found.state, found.place) == (State.WAITING, "ImagePullBackOff")
    assert run.log("a") == 'the cluster refused: container "main" is waiting to start'


def test_a_run_is_resumed_only_when_argo_has_ended_it(monkeypatch):
    """Argo writes the end of a run some time after that of its last stage."""
    given = plan(ONE)
    nodes = {"n": {"displayName": "a", "phase": "Failed"}}
    seen = [{"phase": phase, "nodes": nodes} for phase in ("Running", "Running", "Failed")]

    class Later(argo_client.Kubectl):
        def get(self, name: str) -> dict[str, Any]:
            status = seen.pop(0) if len(seen) > 1 else seen[0]
            return {"metadata": {}, "spec": {}, "status": status}

        def _run(self, *words: str, typed: str = "") -> str:
            did.append(words[0])
            return ""

    did: list[str] = []
    monkeypatch.setattr(argo, "client", Later)
    argo.submit(given)
    assert did == ["delete", "create"] and len(seen) == 1


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ('no matches for kind "Workflow" in version "argoproj.io/v1alpha1"', "fix: install Argo Workflows in the"),
        ('workflows.argoproj.io is forbidden: User "ada" cannot create', "fix: kubectl auth can-i --list, and see"),
        ('namespaces "traning" not found', "fix: correct namespace in operation/configuration/engines/argo.yaml"),
        ("error: You must be logged in to the server (Unauthorized)", "fix: log in to the cluster, then look: kubectl"),
        ("rpc error: code = Unauthenticated desc = token not valid", "fix: log in to the Argo server, and set ARGO_T"),
        ("something else", "the cluster refused: something else\n  fix: kubectl get --help"),
    ],
)
def test_what_the_cluster_says_is_passed_on(printed, said, tmp_path, monkeypatch):
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\necho '{printed}' >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EngineError, match=said) as refused:
        argo.submit(plan(ONE))
    assert not isinstance(refused.value, EngineAwayError)


def test_without_a_program_the_way_out_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"^kubectl is not installed\n  fix: install kubectl, or argo"):
        argo.submit(plan(ONE))


@pytest.mark.parametrize(
    ("remote", "said"),
    [
        (
            {"url": "../store"},
            "/store, which pods do not have\n  fix: set claim in operation/configuration/engines/argo",
        ),
        (
            {"url": "ssh://localhost/data"},
            "ssh://localhost/data, which only this machine reaches\n  fix: use an object",
        ),
        ({"url": "s3://data/credit", "endpointurl": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000, which only this"),
        ({"url": "s3://data/credit"}, ""),
    ],
)
def test_a_data_remote_that_pods_do_not_reach_is_refused(remote, said, project, monkeypatch):
    (project / ".dvc").mkdir()
    lines = ["[core]", "remote = store", "['remote \"store\"']", *(f"{name} = {text}" for name, text in remote.items())]
    (project / ".dvc" / "config").write_text("\n".join(lines), encoding="utf-8")
    choose(monkeypatch, claim="")
    monkeypatch.setattr(argo, "client", Answered)
    given = changed(plan(ONE), folder=project)
    if not said:
        assert argo.submit(given).place == "kubectl get workflows.argoproj.io nightly-7"
        return
    with pytest.raises(EngineError, match=said):
        argo.submit(given)
    with pytest.raises(EngineError, match=said):
        argo.deploy(given)


class Answered(Answer):
    """A cluster with a run that is under way."""

    def __init__(self, _: str) -> None:
        super().__init__(status={"phase": "Running"})


def test_compile_prints_one_run_or_what_the_cluster_keeps_for_all(monkeypatch, capsys):
    choose(monkeypatch, schedule="0 3 * * *")
    monkeypatch.setattr(snapshot, "resolve", lambda *_: "c" * 40)
    monkeypatch.setattr(plans, "make", lambda _, run, __: changed(plan(ONE), run=run))
    monkeypatch.setattr(follow, "chosen", lambda _: argo)
    cli.compile_for_engine(["--engine", "argo", "--run", "one"])
    printed = capsys.readouterr().out
    assert [each["kind"] for each in yaml.safe_load_all(printed)] == ["Workflow"]
    assert "To start it: kubectl create --filename=FILE" in printed
    cli.compile_for_engine(["--engine", "argo"])
    printed = capsys.readouterr().out
    assert [each["kind"] for each in yaml.safe_load_all(printed)] == ["WorkflowTemplate", "CronWorkflow"]
    assert "the template of all runs" in printed and "kubectl apply --filename=FILE" in printed


@pytest.mark.parametrize("place", ["metadata", "spec", "templates", "container", "tasks", "retryStrategy"])
def test_the_cluster_of_these_tests_refuses_what_it_does_not_know(tmp_path, place):
    document = yaml.safe_load(argo.compile(plan(ONE)))
    spec = document["spec"]
    pod = spec["templates"][1]
    places = {"metadata": document["metadata"], "spec": spec, "templates": pod, "container": pod["container"]}
    places |= {"tasks": spec["templates"][0]["dag"]["tasks"][0], "retryStrategy": pod["retryStrategy"]}
    found = Cluster(tmp_path / "cluster")
    found.write("Workflow", "nightly-7", document)
    Run(str(found.folder), "nightly-7")
    places[place]["hostNetwork"] = True
    found.write("Workflow", "nightly-7", document)
    with pytest.raises(RefusedError, match=r"unknown field in .*: hostNetwork"):
        run = Run(str(found.folder), "nightly-7")
        (stage,) = run.stages.values()
        run.check(stage)
