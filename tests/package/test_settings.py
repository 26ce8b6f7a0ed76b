"""The settings of environments, from YAML and variables, and the address of the tracking server."""

import os
import shutil

import pytest
import yaml

from copier_mlops import settings
from copier_mlops.lint.values import errors
from copier_mlops.project import CONFIGURATION, answer
from copier_mlops.settings import Settings, load_settings
from tests.project import replace


def test_every_environment_can_be_read_and_serves_an_alias_of_its_own(inside):
    aliases = {load_settings(name).model_alias for name in ("dev", "stage", "prod")}
    assert len(aliases) == 3


def test_a_variable_wins_over_the_file(inside, monkeypatch):
    monkeypatch.setenv("OPERATION_PORT", "1234")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    loaded = load_settings("dev")
    assert (loaded.port, loaded.tracking_uri) == (1234, "http://127.0.0.1:1")


def test_an_empty_variable_does_not_win(inside, monkeypatch):
    monkeypatch.setenv("OPERATION_ENVIRONMENT", "")
    monkeypatch.setenv("OPERATION_PORT", "")
    loaded = load_settings()
    assert (loaded.environment, loaded.port) == ("dev", 8000)


def old_name(folder):
    """Make a project's settings of dev name the address as they did before 0.4."""
    file = folder / "operation" / "configuration" / "environment_dev" / "settings.yaml"
    replace(file, "bind: 127.0.0.1\n", "host: 127.0.0.5\n")
    return file


def test_a_file_or_a_variable_from_before_0_4_still_names_the_address(copied, monkeypatch):
    file = old_name(copied)
    assert load_settings("dev").bind == "127.0.0.5"
    assert list(errors(Settings, yaml.safe_load(file.read_text(encoding="utf-8")), frozenset({"environment"}))) == []
    monkeypatch.setenv("OPERATION_BIND", "")  # so that monkeypatch takes it away at the end
    monkeypatch.delenv("OPERATION_BIND")
    monkeypatch.setenv("OPERATION_HOST", "127.0.0.6")
    assert load_settings("dev").bind == "127.0.0.6"
    monkeypatch.setenv("OPERATION_BIND", "127.0.0.7")
    assert load_settings("dev").bind == "127.0.0.7"


def test_a_file_with_both_names_of_the_address_is_refused(copied):
    file = old_name(copied)
    file.write_text(file.read_text(encoding="utf-8") + "bind: 127.0.0.1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"host: Extra inputs"):
        load_settings("dev")


def test_a_wrong_variable_is_named(inside, monkeypatch):
    monkeypatch.setenv("OPERATION_PORT", "many")
    with pytest.raises(SystemExit, match="port"):
        load_settings("dev")


def test_an_unknown_environment_is_refused_with_those_that_exist(inside):
    with pytest.raises(SystemExit, match="unknown environment 'moon': expected dev, stage, prod"):
        load_settings("moon")


def test_an_environment_of_the_teams_own_comes_after_those_of_a_release(copied):
    shutil.copytree(copied / CONFIGURATION / "environment_dev", copied / CONFIGURATION / "environment_canary")
    assert settings.environments() == ["dev", "stage", "prod", "canary"]
    assert load_settings("canary").environment == "canary"


def test_a_sqlite_file_is_the_same_from_every_folder(inside, team_project, monkeypatch):
    found = settings.absolute("sqlite:///mlflow.db")
    assert found == f"sqlite:///{(team_project / 'mlflow.db').as_posix()}"
    assert settings.sqlite_file(found) == team_project / "mlflow.db"
    monkeypatch.chdir(team_project / "operation")
    assert settings.absolute("sqlite:///mlflow.db") == found
    assert settings.absolute("http://localhost:5000") == "http://localhost:5000"
    assert settings.sqlite_file("http://localhost:5000") is None


def test_the_answer_holds_for_each_environment_that_names_no_server_of_its_own(copied):
    with (copied / CONFIGURATION / "environment_prod" / "settings.yaml").open("a", encoding="utf-8") as file:
        file.write("tracking_uri: https://mlflow.example.org\n")
    assert load_settings("prod").tracking_uri == "https://mlflow.example.org"
    assert load_settings("stage").tracking_uri == settings.absolute(answer("tracking_uri"))


@pytest.mark.parametrize("unset", ["", "$(MLFLOW_TRACKING_TOKEN)"])
def test_a_secret_that_a_host_does_not_have_is_no_login(monkeypatch, unset):
    """GitHub sets an empty text, and Azure DevOps its own syntax, which a server would take for a token."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", unset)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    settings._tracking_uri_of_this_machine()
    assert "MLFLOW_TRACKING_TOKEN" not in os.environ
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "ada"
