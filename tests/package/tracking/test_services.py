"""Tracking servers that are services: Databricks and Azure ML, without an account at either."""

import pytest

from copier_mlops.settings import load_settings, tracker
from copier_mlops.tracking import server
from tests.render.answers import AZURE_ML


@pytest.fixture
def at(inside, monkeypatch, tmp_path):
    """The settings for a tracking server that a variable names, on a machine without any login."""

    def load(uri: str):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "absent"))
        for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
            monkeypatch.setenv(name, f"$({name})")  # as Azure DevOps passes a secret that is not there
        return load_settings()

    return load


@pytest.mark.parametrize("uri", ["databricks", "databricks://prod"])
def test_databricks_gets_a_path_for_an_experiment(at, monkeypatch, uri):
    own = at("http://127.0.0.1:9").experiment
    assert at(uri).experiment == f"/Shared/{own}"
    monkeypatch.setenv("OPERATION_EXPERIMENT", "/Users/ada/credit")
    assert at(uri).experiment == "/Users/ada/credit"


def test_databricks_without_a_login_is_reported_with_the_variables_to_set(at):
    with pytest.raises(server.TrackingError) as error:
        server.connect(at("databricks"))
    said, fix, _ = str(error.value).splitlines()
    assert said.startswith("tracking: databricks does not answer: ")
    assert fix == "  fix: set DATABRICKS_HOST and DATABRICKS_TOKEN, or log in by `databricks auth login`"


@pytest.mark.parametrize(
    ("uri", "refused", "advice"),
    [
        ("sqlite:///mlflow.db", False, server.FIX),
        ("https://mlflow.example.org", False, server.FIX),
        ("https://mlflow.example.org", True, "set MLFLOW_TRACKING_USERNAME"),
        (AZURE_ML, False, "log in by `az login`, or set AZURE_TENANT_ID"),
        ("postgresql://db/mlflow", True, server.FIX),
    ],
)
def test_the_advice_is_that_of_the_registry(uri, refused, advice):
    assert server.fix(uri, refused).startswith(advice)
    assert tracker("unknown://x") == {}
