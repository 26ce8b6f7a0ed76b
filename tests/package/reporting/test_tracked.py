"""What the report asks the tracking server: an answer at once, or one sentence."""

import socket
import time

import pytest

from copier_mlops.reporting import tracked
from copier_mlops.settings import load_settings
from copier_mlops.tracking import lineage, server
from tests.package.reporting import runs


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with the results of a run."""
    runs.project(tmp_path, "regression")
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "OPERATION_ENVIRONMENT", *tracked.IMPATIENT):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_database_that_is_not_there_is_not_made(root):
    found = tracked.ask(root, load_settings())
    assert found.reason.startswith("sqlite:///") and found.reason.endswith("is not there yet")
    assert found.version == "not known"
    assert not (root / "mlflow.db").exists()


def test_a_server_that_does_not_answer_costs_seconds_and_a_sentence(root):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://bob:pw@127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        found = tracked.ask(root, load_settings().model_copy(update={"tracking_uri": address}))
        assert time.monotonic() - start < 20
    assert "does not answer" in found.reason
    assert "pw" not in found.reason and "\n" not in found.reason


def test_the_version_and_the_served_figures_are_those_of_the_server(root):
    settings = load_settings()
    client = server.connect(settings)
    assert tracked.ask(root, settings) == tracked.Tracked("not registered")
    experiment = client.create_experiment(settings.experiment, artifact_location=root.as_uri())
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "rmse", 2.5)
    client.create_registered_model(settings.model_name)
    tags = {"pipeline": lineage.pipeline_hash(root)}
    version = client.create_model_version(settings.model_name, root.as_uri(), run.info.run_id, tags=tags)
    client.set_registered_model_alias(settings.model_name, settings.model_alias, version.version)
    assert tracked.ask(root, settings) == tracked.Tracked("1", "1", {"rmse": 2.5})


def test_a_request_that_the_server_refuses_is_named(root, monkeypatch):
    def refuse(*_: object) -> None:
        raise RuntimeError("no such table\nat https://bob:pw@example.org/x?token=1")

    server.connect(load_settings())
    monkeypatch.setattr(tracked, "_answer", refuse)
    reason = tracked.ask(root, load_settings()).reason
    assert "refused a request: no such table at https://example.org/x" in reason
    assert "pw" not in reason


def test_a_run_of_a_server_with_pages_has_an_address(root, monkeypatch):
    class Answer:
        experiment_id = "12"
        info = type("Info", (), {"run_id": "ab c"})

    class Client:
        def get_experiment_by_name(self, _):
            return Answer

    for module, name, value in (
        ("server", "connect", lambda _: Client()),
        ("server", "find_run", lambda *_: Answer),
        ("models", "versions", lambda *_: []),
        ("models", "current", lambda *_: None),
    ):
        monkeypatch.setattr(f"copier_mlops.tracking.{module}.{name}", value)
    settings = load_settings().model_copy(update={"tracking_uri": "https://bob:pw@example.org/ml/"})
    assert tracked.ask(root, settings).page == "https://example.org/ml/#/experiments/12/runs/ab%20c"
