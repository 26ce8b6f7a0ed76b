"""Credentials in variables: what DVC gets of them, and what is left behind."""

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.config import Config

from copier_mlops.pipeline import remote_login

HOSTILE = 'it\'s #1; "quoted" $HOME'


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A process that has provided nothing yet, and nothing of it afterwards."""
    monkeypatch.setenv(remote_login.FOLDER, "")
    remote_login.provide.cache_clear()
    yield
    remote_login.provide.cache_clear()


def options(monkeypatch, remote: str, **variables: str) -> dict[str, str]:
    """What DVC reads about the remote `storage` for a data remote and these variables."""
    monkeypatch.setattr(remote_login, "answer", lambda name: {"data_remote": remote}.get(name))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    remote_login.provide()
    return Config(validate=False)["remote"]["storage"] if os.environ[remote_login.FOLDER] else {}


def test_user_and_password_become_options(monkeypatch):
    found = options(monkeypatch, "webdavs://host/path", DATA_REMOTE_USER="ada", DATA_REMOTE_PASSWORD=HOSTILE)
    assert found == {"user": "ada", "password": HOSTILE}


@pytest.mark.parametrize("wrap", [str.strip, lambda text: base64.b64encode(text.encode()).decode()])
def test_a_key_becomes_a_file_that_only_this_user_reads(monkeypatch, wrap):
    key = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
    found = options(monkeypatch, "ssh://host/path", DATA_REMOTE_USER="ada", DATA_REMOTE_KEY=wrap(key))
    file = Path(found["keyfile"])
    assert file.read_text("utf-8") == key
    if os.name != "nt":
        assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


def test_a_variable_may_name_the_file_of_a_key(monkeypatch, tmp_path):
    (tmp_path / "key.json").write_text("{}", "utf-8")
    found = options(monkeypatch, "gs://bucket/path", DATA_REMOTE_KEY=str(tmp_path / "key.json"))
    assert found == {"credentialpath": str(tmp_path / "key.json")}


@pytest.mark.parametrize("missing", ["", "$(DATA_REMOTE_USER)"])
def test_a_secret_that_the_host_does_not_have_is_no_credential(monkeypatch, missing):
    assert options(monkeypatch, "ssh://host/path", DATA_REMOTE_USER=missing) == {}
    assert "DATA_REMOTE_USER" not in os.environ


@pytest.mark.parametrize("remote", ["../data", "s3://bucket/path", "http://host/data"])
def test_other_remotes_get_nothing(monkeypatch, remote):
    assert options(monkeypatch, remote, DATA_REMOTE_USER="ada", AWS_ACCESS_KEY_ID="key") == {}
    assert os.environ["AWS_ACCESS_KEY_ID"] == "key"


def test_nothing_is_left_when_the_process_ends(tmp_path):
    (tmp_path / ".copier-answers.yml").write_text("data_remote: ssh://host/path\n", "utf-8")
    code = (
        "import os; from copier_mlops.pipeline import remote_login as login; login.provide(); "
        "print(os.environ[login.FOLDER], os.path.isfile(os.path.join(os.environ[login.FOLDER], 'config')))"
    )
    variables = os.environ | {"DATA_REMOTE_USER": "ada"}
    variables.pop(remote_login.FOLDER)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True)
    folder, was_there = done.stdout.split()
    assert (was_there, Path(folder).exists()) == ("True", False)
