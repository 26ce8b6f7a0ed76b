"""Packages, targets and the way back, with a real registry and real processes."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from copier_mlops import handover
from copier_mlops.hosts.interface import Approval
from copier_mlops.release import approval, containers, deploy, health, history, judge, package, rollback, verify, wheels
from copier_mlops.release.targets import Deployment, local, process
from copier_mlops.serving import batch
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import models, register, server
from tests.package.shared import flip, new_database, stored, tracked, uri


@pytest.fixture(scope="module")
def stage(inside, team_project, tmp_path_factory):
    """The settings of stage, on a port that is free, with two registered versions; its service ends with them."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inside.setenv("MLFLOW_TRACKING_URI", uri(folder))
    inside.setenv("RELEASE_URL", f"http://127.0.0.1:{port}")
    inside.setenv("OPERATION_BIND", "127.0.0.1")
    inside.setattr(containers, "PROGRAMS", ())
    settings = load_settings("stage")
    client = new_database(folder, settings)
    for number, strength in enumerate((1.0, 0.1)):
        run = tracked(settings, folder / f"{number}.skops", strength, pipeline=str(number))
        register.register(client, settings, run)
    yield settings
    if record := process.found(history.service(client, settings)):
        process.end(record)
    shutil.rmtree(team_project / "build", ignore_errors=True)  # a worker may run only tests that make none


@pytest.fixture
def client(stage) -> MlflowClient:
    return server.connect(stage)


@pytest.fixture
def first(client, stage) -> dict:
    """Version 1 runs in stage, which ran no other."""
    if alias(client, stage) != "1" or running(client, stage) is None:
        put(client, stage, "1")
    history.keep(client, stage, ["1"])
    return handover.read("deploy-stage", "deployment")


@pytest.fixture
def second(client, stage) -> dict:
    """Version 2 runs in stage, which ran version 1 before."""
    if alias(client, stage) != "2" or running(client, stage) is None:
        put(client, stage, "2")
    history.keep(client, stage, ["1", "2"])
    return handover.read("deploy-stage", "deployment")


def put(client: MlflowClient, stage: Settings, version: str) -> dict:
    """Package a version as `poe package` does, and deploy it."""
    packaged = package.of_version(client, stage, version, package.JOB)
    return deploy.deploy(client, stage, packaged, package.JOB, None)


def alias(client: MlflowClient, stage: Settings) -> str | None:
    """The version that the alias of stage is at."""
    found = models.current(client, stage)
    return found and str(found.version)


def running(client: MlflowClient, stage: Settings) -> dict | None:
    """The process that serves, if it is alive."""
    return process.found(history.service(client, stage))


def image() -> Path:
    """The build context of the package."""
    return handover.build() / package.JOB / "image"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_port_that_somebody_else_has_is_left_alone(client, stage):
    host, port = "127.0.0.1", int(os.environ["RELEASE_URL"].rpartition(":")[2])
    with socket.create_server((host, port)) as foreign:
        with pytest.raises(SystemExit, match=f"port {port} is not free, and this project does not use it"):
            put(client, stage, "1")
        with socket.create_connection((host, port)):
            foreign.accept()[0].close()
    assert alias(client, stage) is None
    assert running(client, stage) is None


def test_the_same_model_gives_the_same_context_and_another_one_does_not(client, stage):
    documents, contexts = [], []
    for version in ("1", "1", "2"):
        documents.append(package.of_version(client, stage, version, package.JOB))
        contexts.append(contents(handover.build() / package.JOB))
    assert documents[0] == documents[1] == handover.read(package.JOB, "package") | documents[0]
    assert contexts[0] == contexts[1]
    assert documents[0]["image"] != documents[2]["image"]
    assert not documents[0]["built"]
    needed = contexts[0]["image/requirements.txt"].decode()
    assert {"fastapi", "uvicorn", "pydantic-settings", "scikit-learn"} <= {
        line.partition("==")[0] for line in needed.splitlines()
    }
    assert not [name for name in ("mlflow", "dvc", "matplotlib", "pytest") if f"\n{name}==" in needed]
    assert b'"specVersion": "1.5"' in contexts[0]["sbom.cdx.json"]


def test_the_packaged_service_loads_without_mlflow_and_without_the_repository(client, stage, tmp_path):
    package.of_version(client, stage, "1", package.JOB)
    folder = shutil.copytree(image(), tmp_path / "services" / "1")
    code = process.code_of(folder)
    wheels.unpack(folder / "wheels", code)
    program = "import sys; from copier_mlops.serving import packaged; packaged.main(['--check']); print(sorted("
    program += "name for name in sys.modules if name.split('.')[0] in ('mlflow', 'dvc')), packaged.__file__)"
    environment = process.variables_of_process(folder, process.variables("prod", "127.0.0.1", 8080))
    command = [sys.executable, "-c", program]
    shown = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert "is ready with version 1\n[] " in shown.stdout, shown.stderr
    assert str(code) in shown.stdout


def test_a_model_that_changed_in_the_artifact_store_is_not_packaged(client, stage, first):
    file = stored(client, stage, "2")
    content = flip(file)
    try:
        with pytest.raises(SystemExit) as refused:
            package.of_version(client, stage, "2", package.JOB)
    finally:
        file.write_bytes(content)
    sentence, fix = str(refused.value).splitlines()
    assert sentence.startswith("package: version 2 of lending cannot be used: ")
    assert "is damaged: its SHA-256 is" in sentence
    assert fix.startswith("  fix: restore the file")
    # What was packaged before is not taken for what failed.
    with pytest.raises(SystemExit, match="is not here"):
        handover.read(package.JOB, "package")
    assert alias(client, stage) == "1"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "model/model.skops",
            "deploy: build/package/image does not contain the model of the release: .* is damaged: its",
        ),
        ("requirements.txt", "deploy: build/package/image is damaged or was changed"),
        ("model/model.json", "deploy: build/package/image is damaged or was changed"),
    ],
)
def test_a_context_with_a_changed_byte_is_not_deployed(client, stage, first, path, sentence):
    packaged = package.of_version(client, stage, "2", package.JOB)
    flip(image() / path)
    with pytest.raises(SystemExit, match=f"^{sentence}[^\n]*\n  fix: uv run poe package$"):
        deploy.deploy(client, stage, packaged, package.JOB, None)
    assert alias(client, stage) == "1"
    verify.verify(first, stage)


def test_a_context_that_is_gone_is_not_deployed(client, stage, first):
    packaged = package.of_version(client, stage, "2", package.JOB)
    shutil.rmtree(image())
    with pytest.raises(SystemExit, match="does not contain the model of the release: no model file at"):
        deploy.deploy(client, stage, packaged, package.JOB, None)


def test_a_service_that_cannot_load_changes_nothing(client, stage, first, monkeypatch):
    before = running(client, stage)
    monkeypatch.setenv("OPERATION_MAX_BODY_BYTES", "0")
    with pytest.raises(SystemExit, match=r"version 2 does not start; nothing was changed(.*\n)*.*max_body_bytes"):
        put(client, stage, "2")
    assert running(client, stage) == before
    assert alias(client, stage) == "1"
    verify.verify(first, stage)


def test_a_service_that_ends_at_once_gives_way_to_the_old_one(client, stage, first, monkeypatch):
    monkeypatch.setenv("OPERATION_BIND", "203.0.113.9")
    with pytest.raises(
        SystemExit,
        match=r"version 2 ended with \d(.*\n)*.*([Cc]annot assign|can't assign|not valid)(.*\n)*.*1 answers again",
    ):
        put(client, stage, "2")
    assert alias(client, stage) == "1"
    verify.verify(first, stage)


def test_a_process_that_only_has_the_number_of_the_old_one_is_never_ended(client, stage, first):
    known = running(client, stage)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        created = psutil.Process(other.pid).create_time()
        for record in (known | {"pid": other.pid}, known | {"pid": other.pid, "created": created}):
            assert process.found(record) is None
            process.end(record)
        assert process.found(known | {"machine": "elsewhere"}) is None
        assert other.poll() is None
        other.communicate(b"\n")


def test_a_deployment_that_was_killed_is_done_again(client, stage, first, monkeypatch):
    class Killed(BaseException):
        pass

    def launch(*arguments):
        launched.append(really(*arguments))
        raise Killed

    launched, really = [], process.launch
    monkeypatch.setattr(process, "launch", launch)
    with pytest.raises(Killed):
        put(client, stage, "2")
    monkeypatch.setattr(process, "launch", really)
    assert alias(client, stage) == "1"
    assert put(client, stage, "2")["before"] == "1"
    # The one that nobody had time to write down is found and replaced.
    assert launched[0][0].poll() is not None
    assert alias(client, stage) == "2"


def test_a_copy_with_a_changed_byte_is_made_again_and_older_ones_are_deleted(client, stage, second):
    place = handover.build() / "deploy-stage"
    (copy,), (code,) = ((place / kind).iterdir() for kind in ("services", "code"))
    assert copy.name == code.name
    assert copy.name.startswith("2-")
    changed, untouched = (code / "copier_mlops" / "serving" / name for name in ("batch.py", "online.py"))
    before = untouched.stat().st_mtime_ns
    flip(copy / "model" / "model.skops")
    flip(changed)
    verify.verify(put(client, stage, "2"), stage)
    assert contents(copy) == contents(image())
    assert changed.read_bytes() == Path(batch.__file__).read_bytes()
    # The service that ran until then read its code from there.
    assert untouched.stat().st_mtime_ns == before


def test_back_and_no_further(client, stage, second, capsys):
    rollback.roll_back("stage", None)
    printed = capsys.readouterr().out
    assert "stage goes from version 2 back to 1" in printed
    assert "verify: 125 records are answered" in printed
    assert alias(client, stage) == "1"
    for wanted, sentence in [(None, "ran no version before 1"), ("2", "never ran version 2; it ran 1")]:
        with pytest.raises(SystemExit, match=f"{sentence}; nothing was changed"):
            rollback.roll_back("stage", wanted)
    assert alias(client, stage) == "1"


@pytest.mark.parametrize(
    ("ran", "wanted", "place"),
    [
        (["1", "2"], None, 0),
        (["1", "2", "2"], None, 0),
        (["2", "1", "3"], None, 1),
        (["2", "1", "3"], "2", 0),
        (["1", "2", "1"], None, 1),
    ],
)
def test_the_version_before_is_that_of_the_history(ran, wanted, place):
    assert rollback.position(ran, wanted, "prod") == place


def test_verify_names_the_difference(client, stage, first):
    with pytest.raises(SystemExit, match=r"verify: version 2 does not answer at .*: version 1 answers"):
        verify.verify(first | {"version": "2"}, stage, seconds=0.5)
    assert not handover.read("deploy-stage", "verification")["ok"]
    with pytest.raises(SystemExit, match="it does not answer"):
        verify.verify(first | {"url": "http://127.0.0.1:9"}, stage, seconds=0.5)


def test_the_record_and_the_service_name_the_file_that_was_tracked(client, stage, first, capsys):
    version = client.get_model_version(stage.model_name, "1")
    assert (first["sha256"], first["md5"]) == (version.tags["sha256"], "1" * 32)
    verify.verify(first, stage)
    assert f"verify: its model file has the SHA-256 {first['sha256']}" in capsys.readouterr().out


def test_verify_refuses_a_service_with_another_model_file(client, stage, first):
    with pytest.raises(SystemExit) as refused:
        verify.verify(first | {"sha256": "f" * 64}, stage)
    sentence, fix = str(refused.value).splitlines()
    assert sentence == (
        "verify: the model file of version 1 is another one: the service names the SHA-256 "
        f"{first['sha256']}, the record {'f' * 64}"
    )
    assert fix == "  fix: uv run poe rollback --env stage"


@pytest.mark.parametrize("document", [{"version": "1", "sha256": "a"}, {"version": "1", "sha256": "a", "md5": ""}])
def test_only_a_service_that_0_2_0_deployed_may_name_no_file(document):
    if "md5" in document:
        with pytest.raises(verify.DifferenceError, match="the service names the SHA-256 of none, the record a"):
            verify.check_model({"model_version": "1"}, document)
    else:
        assert "before 0.3.0" in verify.check_model({"model_version": "1"}, document)


def test_prod_needs_an_approval_of_this_version(client):
    handover.write("release", "release", {"released": True, "version": "1", "champion_version": None})
    with pytest.raises(SystemExit, match="deploy-prod: nobody has approved it"):
        deploy.allowed(client, "prod", "1")
    approval.record("prod", Approval("Ada", "here", "2026-11-20T00:00:00+00:00"))
    assert deploy.allowed(client, "prod", "1")["by"] == "Ada"
    with pytest.raises(SystemExit, match="the approval is for version 1, not for 2"):
        deploy.allowed(client, "prod", "2")
    assert deploy.allowed(client, "stage", "2") is None


def test_a_service_of_this_machine_is_asked_without_the_proxy_of_the_environment(stage, first, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    verify.verify(first, stage)
    found, seen = health.answer_at("http://service.example.org:9")
    assert (found, seen) == (None, "it does not answer (ProxyError)")


def test_an_approval_is_used_up_by_what_it_allowed(client):
    handover.write("release", "release", {"released": True, "version": "1", "champion_version": None})
    approval.record("prod", Approval("Ada", "here", "2026-11-20T00:00:00+00:00"))
    approval.use_up("deploy-prod")
    with pytest.raises(SystemExit, match="deploy-prod: nobody has approved it"):
        deploy.allowed(client, "prod", "1")


def test_a_verdict_beside_another_champion_is_out_of_date(client):
    """Two models were judged beside no champion; when the first is in prod, the second may be worse than it."""
    prod = load_settings("prod")
    first = {"released": True, "version": "1", "champion_version": None}
    second = {"promoted": True, "champion_version": None}
    models.point(client, prod, client.get_model_version(prod.model_name, "1"))
    try:
        judge.require_same_champion(client, first, "deploy")  # the same deployment again
        judge.require_same_champion(client, {"champion_version": "1"}, "release")
        with pytest.raises(SystemExit, match="beside no champion, and prod has version 1 now\n  fix: judge again"):
            judge.require_same_champion(client, second, "release")
    finally:
        client.delete_registered_model_alias(prod.model_name, prod.model_alias)
    with pytest.raises(SystemExit, match="beside version 1, and prod has no champion now"):
        judge.require_same_champion(client, {"champion_version": "1"}, "release")


def test_a_model_of_uncommitted_code_goes_neither_to_stage_nor_to_prod(client, stage, first, monkeypatch):
    client.set_model_version_tag(stage.model_name, "2", "git.dirty", "true")
    try:
        with pytest.raises(SystemExit, match="deploy: the model was trained from uncommitted code: commit") as refused:
            deploy.main(["--env", "stage", "--version", "2"])
        assert "environment_stage/release.yaml" in str(refused.value)
        assert alias(client, stage) == "1"
        with pytest.raises(SystemExit, match="judge: the model was trained from uncommitted code: commit abc is not"):
            judge.require_committed({"git.dirty": "true", "git.commit": "abc"}, "prod", "judge")
        judge.require_committed({"git.dirty": "false"}, "prod", "judge")
        monkeypatch.setenv("RELEASE_UNCOMMITTED", "true")
        deploy.main(["--env", "stage", "--version", "2"])
        assert alias(client, stage) == "2"
    finally:
        client.set_model_version_tag(stage.model_name, "2", "git.dirty", "false")


EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://localhost:8080", "localhost"),
        ("https://credit.example.org", EVERYWHERE),  # a proxy answers there
    ],
)
def test_a_service_listens_at_the_address_of_its_url(stage, url, address, monkeypatch):
    monkeypatch.delenv("OPERATION_BIND")
    assert local.address(Deployment(load_settings("stage"), url, {}, Path(), Path(), None)) == address
    monkeypatch.setenv("OPERATION_BIND", "192.0.2.1")
    assert local.address(Deployment(load_settings("stage"), url, {}, Path(), Path(), None)) == "192.0.2.1"
