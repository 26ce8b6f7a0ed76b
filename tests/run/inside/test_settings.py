"""Settings from YAML and the environment. Managed by the template."""

import pytest
from operation.configuration import settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "OPERATION_ENVIRONMENT", "OPERATION_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_every_environment_can_be_read_and_serves_an_alias_of_its_own():
    aliases = {settings.load(name).model_alias for name in ("dev", "stage", "prod")}
    assert len(aliases) == 3


def test_a_variable_wins_over_the_file(monkeypatch):
    monkeypatch.setenv("OPERATION_PORT", "1234")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    loaded = settings.load("dev")
    assert (loaded.port, loaded.tracking_uri) == (1234, "http://127.0.0.1:1")


def test_a_wrong_variable_is_named(monkeypatch):
    monkeypatch.setenv("OPERATION_PORT", "many")
    with pytest.raises(SystemExit, match="port"):
        settings.load("dev")


def test_an_unknown_environment_is_refused_with_those_that_exist():
    with pytest.raises(SystemExit, match="unknown environment 'moon': expected dev, stage, prod"):
        settings.load("moon")


def test_a_sqlite_file_is_the_same_from_every_folder():
    assert settings.absolute("sqlite:///mlflow.db") == f"sqlite:///{(settings.ROOT / 'mlflow.db').as_posix()}"
    assert settings.absolute("http://localhost:5000") == "http://localhost:5000"
