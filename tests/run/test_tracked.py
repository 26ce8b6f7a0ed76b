"""MLflow: what a run holds, registering, going back, and a server that is away."""

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from tests.run.login import behind_login
from tests.run.project import NO_JOBS

# A password with signs that an address has to quote.
SECRET = "s3cr/t:hunter@2"  # noqa: S105


def holds_secret(text: bytes) -> bool:
    """Return whether a text has the password, or a part of it, as it is, quoted or in a login."""
    login = base64.b64encode(f"bob:{SECRET}".encode())
    return any(part in text for part in (b"hunter", quote(SECRET, safe="").encode(), login))


READ = """
import json
from mlflow import MlflowClient
from copier_mlops.settings import load_settings
from copier_mlops.tracking import connect, server

settings = load_settings()
client = connect(settings)
experiment = server.experiment(client, settings)
runs = client.search_runs([experiment.experiment_id])
version = client.get_model_version_by_alias(settings.model_name, settings.model_alias)
run = client.get_run(version.run_id)
model = client.get_logged_model(run.data.tags["model.uri"].rpartition("/")[2])
print(json.dumps({
    "runs": len(runs), "params": run.data.params, "metrics": run.data.metrics, "tags": run.data.tags,
    "inputs": [each.dataset.digest for each in run.inputs.dataset_inputs], "version": version.version,
    "version_tags": version.tags, "artifacts": [each.path for each in client.list_artifacts(run.info.run_id)],
    "model": model.artifact_location.removeprefix("file://"),
}))
"""


@pytest.fixture
def tracked(project) -> dict:
    """What MLflow holds about the model that is registered."""
    (project.path / "build" / "read.py").write_text(READ)
    printed = project.run("uv run --quiet python build/read.py")
    return json.loads(printed.splitlines()[-1])


def test_a_run_holds_parameters_metrics_model_code_data_and_libraries(project, tracked):
    lock = yaml.safe_load(project.text("dvc.lock"))
    hashes = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}
    assert tracked["params"]["train.leaf"] == "20"
    for name, value in json.loads(project.text("metrics/test.json")).items():
        if name != "candidate":
            assert tracked["metrics"][name] == pytest.approx(value)
    assert len(tracked["tags"]["git.commit"]) == 40
    assert tracked["tags"]["library.scikit-learn"]
    assert tracked["tags"]["dvc.md5.data/raw/german_credit.csv"] == "4609dadefb94c1a04cc1de2dfe39a8a5"
    assert tracked["tags"]["dvc.md5.build/model/model.skops"] == hashes["build/model/model.skops"]
    assert tracked["inputs"] == [hashes["data/processed/train.parquet"]]
    assert {"dvc.lock", "params.yaml", "plots"} <= set(tracked["artifacts"])
    described = yaml.safe_load((Path(tracked["model"]) / "MLmodel").read_text())
    assert len(json.loads(described["signature"]["inputs"])) == 20
    assert (Path(tracked["model"]) / "input_example.json").is_file()


def test_one_hash_from_the_lock_to_the_version(project, tracked):
    lock = yaml.safe_load(project.text("dvc.lock"))
    hashes = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}
    content = (Path(tracked["model"]) / "model.skops").read_bytes()
    assert content == (project.path / "build/model/model.skops").read_bytes()
    assert hashlib.md5(content).hexdigest() == hashes["build/model/model.skops"]  # noqa: S324 (DVC's own)
    assert tracked["tags"]["model.md5"] == tracked["version_tags"]["md5"] == hashes["build/model/model.skops"]
    assert tracked["tags"]["model.sha256"] == hashlib.sha256(content).hexdigest()


def test_the_registered_version_leads_back_to_the_run(tracked):
    assert tracked["version_tags"]["git.commit"] == tracked["tags"]["git.commit"]
    assert tracked["version_tags"]["sha256"] == tracked["tags"]["model.sha256"]


def test_tracking_and_registering_again_makes_nothing_new(project, tracked):
    assert "is tracked already" in project.run("uv run poe train")
    assert f"is version {tracked['version']}" in project.run("uv run poe register")


def test_a_dead_server_is_named_and_nothing_is_lost(unchanged):
    params = unchanged.path / "params.yaml"
    params.write_text(params.read_text().replace("regularisation: 1.0", "regularisation: 3.0"))
    printed = unchanged.run("uv run poe train", fails=True, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert "tracking: http://127.0.0.1:9 does not answer" in printed
    assert "nothing is lost" in printed
    assert "is not tracked" in unchanged.run("uv run poe register", fails=True)
    # The pipeline's result is there; it is tracked without running again.
    assert "track: run" in unchanged.run("uv run poe track")


def test_a_damaged_result_is_not_tracked(unchanged):
    model = unchanged.path / "build" / "model" / "model.skops"
    content = model.read_bytes()
    model.unlink()
    model.write_bytes(content[:1000])
    printed = unchanged.run("uv run poe track", fails=True)
    assert "build/model/model.skops is damaged or was changed" in printed
    unchanged.run("uv run dvc checkout --force build/model/model.skops")
    assert "is tracked already" in unchanged.run("uv run poe track")


def test_a_model_that_changed_in_the_store_is_tracked_anew_by_the_command_that_is_named(project, tmp_path):
    own = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/own.db"}
    for task in ("setup", "track"):
        project.run(f"uv run poe {task}", **own)
    stored = max((project.path / "mlruns").rglob("model.skops"), key=lambda file: file.stat().st_mtime)
    content = stored.read_bytes()
    stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    printed = project.run("uv run poe register", fails=True, **own)
    assert "register: the model of run " in printed
    assert "is damaged: its SHA-256 is" in printed
    for command in printed.partition("  fix: ")[2].splitlines()[0].split(" && "):
        project.run(command, **own)
    assert "is version 1" in project.run("uv run poe register", **own)


def test_before_anything_ran_each_task_names_the_one_to_run(project, tmp_path):
    clone = project.clone(tmp_path / "clone")
    clone.run("git rm --quiet -r dvc.lock metrics")
    database = f"sqlite:///{tmp_path}/empty.db"
    for task, advice in {
        "register": "there is no dvc.lock\n  fix: uv run poe train",
        "evaluate": "fix: uv run poe train",
        "track": "fix: uv run poe train",
        "report": "uv run poe train",
        "serve": "fix: uv run poe train, then uv run poe register",
        "predict --data operation/tests/sample.csv": "fix: uv run poe train, then uv run poe register",
    }.items():
        assert advice in clone.run(f"uv run poe {task}", fails=True, MLFLOW_TRACKING_URI=database)


def test_a_server_over_http_does_what_the_file_does(project, tmp_path, port):
    uri = f"http://127.0.0.1:{port}"
    command = (
        f"uv run mlflow server --host 127.0.0.1 --port {port} --workers 1 "
        f"--backend-store-uri sqlite:///{tmp_path}/server.db --artifacts-destination {tmp_path}/artefacts"
    )
    with project.serve(command, f"{uri}/health", **NO_JOBS), behind_login("bob", SECRET, uri) as place:
        at_server, printed = {"MLFLOW_TRACKING_URI": f"http://bob:{quote(SECRET, safe='')}@{place}"}, []

        def run(task: str, **options: bool) -> str:
            printed.append(project.run(f"uv run poe {task}", **options, **at_server))
            return printed[-1]

        wrong = {"MLFLOW_TRACKING_URI": f"http://bob:hunter@{place}"}
        printed.append(project.run("uv run poe models", fails=True, **wrong))
        assert f"http://{place} refuses the login" in printed[0]
        assert "fix: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in printed[0]
        assert "done experiment" in run("setup")
        assert f"http://{place} answers" in run("doctor")
        assert "track: run" in run("train")
        assert "is version 1" in run("register --env prod")
        predict = "predict --env prod --data operation/tests/sample.csv --out build/http.csv"
        assert "125 records by version 1" in run(predict)
        assert "version 1" in run("evaluate --env prod")
        assert "version 1" in run("models")
        run("report")
        assert "has no version at alias candidate" in run("rollback", fails=True)
        # The same interface as that of Databricks, but for its registry and its artifacts.
        there = {"MLFLOW_TRACKING_URI": "databricks", "DATABRICKS_HOST": uri, "DATABRICKS_TOKEN": SECRET}
        printed.append(project.run("uv run poe setup", **there))
        assert "ok tracking server: databricks answers" in printed[-1]
        assert "done experiment: /Shared/german-credit, number " in printed[-1]
    assert not holds_secret("".join(printed).encode())
    files = [*tmp_path.rglob("*"), *(project.path / "build").rglob("*")]
    assert [file for file in files if file.is_file() and holds_secret(file.read_bytes())] == []


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://bob:{}@127.0.0.1:9", "tracking: http://127.0.0.1:9 does not answer"),
        ("postgresql://bob:{}@127.0.0.1:9/mlflow", "tracking: postgresql://127.0.0.1:9/mlflow does not answer"),
        ("sqlite:////proc/mlflow/x.db?password={}", "tracking: sqlite:////proc/mlflow/x.db does not answer"),
    ],
)
def test_a_server_that_is_away_is_named_without_its_login(project, uri, shown):
    for task in ("doctor", "track"):
        printed = project.run(f"uv run poe {task}", fails=True, MLFLOW_TRACKING_URI=uri.format(quote(SECRET, safe="")))
        assert not holds_secret(printed.encode())
    assert shown in printed


def test_a_data_remote_is_named_without_its_login(unchanged):
    unchanged.run(f"uv run dvc remote modify --local storage url https://bob:{quote(SECRET, safe='')}@127.0.0.1:9/data")
    try:
        printed = unchanged.run("uv run poe doctor")
    finally:
        unchanged.run("uv run dvc remote modify --local storage url --unset")
    assert "ok data remote: https://127.0.0.1:9/data is not asked" in printed
    assert not holds_secret(printed.encode())
