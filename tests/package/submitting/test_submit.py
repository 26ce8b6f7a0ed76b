"""`mlops submit` and `mlops announce` in repositories that the template did not render."""

import contextlib
import importlib
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from copier_mlops import cli, submitting
from copier_mlops.submitting import FILE, RUNNERS, Submitted
from tests import foreign
from tests.package.hosts.server import TOKEN, Server
from tests.platforms import on_posix
from tests.project import TEMPLATE, registry, replace, run
from tests.run.project import commands

HOSTS = [name for name, entry in registry("hosts").items() if entry["api"]]
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")


@pytest.fixture(autouse=True)
def as_on_a_laptop(monkeypatch, tmp_path) -> None:
    """No variable of a runner; `python` of a stage is that of the tests."""
    for name in (*RUNNERS, "HOST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)


def mlops(folder: Path, *words: str, code: int = 0, **variables: str) -> str:
    """What a task says, and that it ends so; stages print elsewhere."""
    output, end = io.StringIO(), 0
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, variables),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        try:
            end = cli.main([*words])
        except SystemExit as stopped:
            print(stopped.code)
            end = 1
    printed = output.getvalue()
    assert end == code, printed
    assert "Traceback" not in printed and TOKEN not in printed
    return printed


@on_posix
def test_a_pipeline_runs_in_its_own_environment_and_says_what_came_of_it(tmp_path):
    path = foreign.write(tmp_path / "models", "foreach", folder="ml", remote=True)
    mlops(path, "submit", "--project", "ml", "--run", "nightly-7", "--push")
    done = Submitted.read(path / "ml")
    assert (done.engine, done.run, done.code, done.reason) == ("local", "nightly-7", 0, "")
    assert done.commit == run(path, "git", "rev-parse", "HEAD").strip()
    assert (path / "ml" / "dvc.lock").is_file()
    assert len([each for each in (tmp_path / "models-store").rglob("*") if each.is_file()]) >= 3
    printed = mlops(path, "announce", "--project", "ml", "--comment", "--lock", "change_request")
    assert "### The pipeline succeeded on `local`" in printed and "not a run of a change request" in printed
    assert "commit them, since this repository has no remote" in printed
    assert ".copier-answers.yml" not in run(path, "git", "status", "--short")


@on_posix
def test_a_stage_that_fails_fails_the_task_and_keeps_the_lock_of_git(tmp_path, capfd):
    path = foreign.write(tmp_path / "models", "foreach")
    replace(path / "data" / "rows.csv", "one", "broken")
    mlops(path, "submit", code=255)
    assert "a row is broken" in capfd.readouterr().out
    printed = mlops(path, "announce", "--lock", "commit")
    assert "### The pipeline failed on `local`" in printed
    assert "the run failed, so dvc.lock in git stays as it was" in printed


@on_posix
def test_an_engine_runs_the_stages_of_a_repository_that_names_the_package(tmp_path):
    settings = {"ci__metaflow_yaml": "jobs: 2\n", "requirements_txt": "copier-mlops[metaflow,submit]\n"}
    path = foreign.write(tmp_path / "models", "plots", remote=True, **settings)
    variables = {"METAFLOW_HOME": str(tmp_path), "METAFLOW_USER": "tester"}
    words = ("submit", "--engine", "metaflow", "--run", "one", "--settings", "ci/metaflow.yaml")
    printed = mlops(path, *words, **variables)
    assert "train: ended" in printed, printed
    done = Submitted.read(path)
    assert done.code == 0 and done.place
    assert "model.txt" in (path / "dvc.lock").read_text(encoding="utf-8")
    assert (path / "results" / "metrics.json").is_file()


@on_posix
def test_the_commands_of_the_page_run(tmp_path):
    page = (TEMPLATE / "docs" / "how-to" / "any_repository.md").read_text(encoding="utf-8")
    path = foreign.write(tmp_path / "models", "plots")
    printed = [mlops(path, *line.split()[1:]) for line in commands(page)]
    assert len(printed) == 2 and "`nightly-7`" in printed[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "slurm"), "no requirement here names copier-mlops\n  fix: uv add"),
        (("--run", "a b"), "'a b' is not the name of a run"),
        (("--settings", "ci/none.yaml"), "ci/none.yaml is not a file of this repository"),
        (("--settings", "../settings.yaml"), "../settings.yaml is not a file of this repository"),
    ],
)
def test_a_wrong_word_is_a_sentence_with_a_fix(tmp_path, words, said):
    path = foreign.write(tmp_path / "models", "plots")
    (tmp_path / "settings.yaml").write_text("jobs: 1\n", encoding="utf-8")
    printed = mlops(path, "submit", *words, code=1)
    assert said in printed and "fix: " in printed
    done = Submitted.read(path)
    assert done.code == 1 and said.splitlines()[0] in done.reason
    assert "### The pipeline did not start" in mlops(path, "announce")


def test_settings_that_are_missing_are_named_with_the_option(tmp_path):
    path = foreign.write(tmp_path / "models", "plots", remote=True, requirements_txt="copier-mlops\n")
    printed = mlops(path, "submit", "--engine", "slurm", code=1)
    assert "operation/configuration/engines/slurm.yaml is not here\n  fix: name the file: --settings FILE" in printed
    assert printed.splitlines()[-2].startswith("submit: ")


def test_a_folder_that_is_no_repository_of_dvc_is_named(tmp_path):
    assert "no repository of DVC here" in mlops(tmp_path, "submit", code=1)
    assert "none is not a folder" in mlops(tmp_path, "submit", "--project", "none", code=1)
    foreign.dvc(tmp_path, "init", "--quiet", "--no-scm")
    assert "git has no commit of this repository" in mlops(tmp_path, "submit", code=1)
    (tmp_path / FILE).unlink()
    assert "does not say what was submitted" in mlops(tmp_path, "announce", code=1)


def test_without_a_data_remote_nothing_is_pushed(tmp_path):
    path = foreign.write(tmp_path / "models", "plots")
    assert "nothing is pushed" in mlops(path, "submit", "--push")


@pytest.fixture(params=HOSTS)
def place(request, tmp_path) -> Iterator[SimpleNamespace]:
    """A run of a change request on each host, with a server in the place of its API."""
    fake = importlib.import_module(f"tests.package.hosts.fakes.{request.param}")
    with Server() as server, Server() as server.store:
        state = fake.install(server)
        path = foreign.write(tmp_path / "models", "plots")
        yield SimpleNamespace(path=path, variables=fake.runner(server, tmp_path), state=state, server=server)
        assert server.problems == []


def announce(host: SimpleNamespace, *words: str, **changed: object) -> str:
    done = {"engine": "slurm", "run": "one", "commit": "0" * 40, "place": "", "code": 0} | changed
    Submitted(**done).write(host.path)
    output = io.StringIO()
    variables = {name: os.environ[name] for name in KEPT if name in os.environ} | host.variables
    variables |= {name: text for name, text in os.environ.items() if name.startswith("GIT_")}
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        contextlib.chdir(host.path),
        contextlib.redirect_stdout(output),
    ):
        assert cli.main(["announce", *words]) == 0
    assert TOKEN not in output.getvalue()
    return output.getvalue()


def test_the_comment_is_updated_and_not_repeated(place):
    address = "https://engine.example.org/runs/7"
    announce(place, "--comment", place=f"the run {address}", code=1)
    announce(place, "--comment", place=f"the run {address}", run="two")
    assert len(place.state.comments) == 1
    posted = json.dumps(place.state.comments, ensure_ascii=False)
    assert f"[The run on the engine]({address})" in posted and "`two`" in posted and "succeeded" in posted
    announce(place, "--comment", engine="airflow")
    assert len(place.state.comments) == 2


def test_the_run_of_a_change_request_brings_no_lock_to_git(place):
    assert "take `lock: artifact`" in announce(place, "--lock", "commit")
    assert place.server.writes() == []


def test_a_name_that_a_person_chose_is_no_markup():
    assert Submitted("slurm", "a", "0", "jobs 7 and 8", 0).link == ""
    assert Submitted("airflow", "a", "0", "see http://127.0.0.1:8080/dags/x, please", 0).link.endswith("/dags/x")


@pytest.mark.parametrize("host", registry("hosts"))
def test_a_runner_is_known_by_the_variable_that_its_adapter_reads(host):
    module = importlib.import_module(f"copier_mlops.hosts.{host}").ADAPTER
    variables = [variable for variable, name in RUNNERS.items() if name == host]
    for variable in variables:
        assert module(SimpleNamespace(), {variable: "true"}).on_runner()
        with mock.patch.dict(os.environ, {variable: "true", "GITHUB_ACTIONS": "true" if host == "forgejo" else ""}):
            assert submitting._answers(Path("x"))["git_host"] == host
    assert variables
