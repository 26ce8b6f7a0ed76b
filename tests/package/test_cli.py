"""`mlops`: its help, and what it says if a task, a project or a library is not there."""

import importlib
import inspect
import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from copier_mlops.cli import TASKS, main, missing_library
from tests.package.shared import loaded
from tests.project import TEMPLATE, registry

EXTRAS = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
# Tasks that poe_tasks.toml calls by other words, that an image or CI runs, or that no project has yet.
UNLISTED = {"adopt-data", "announce", "collect", "lint", "service", "stage", "submit"}


def mlops(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run `mlops` in a folder."""
    command = [sys.executable, "-m", "copier_mlops.cli", *arguments]
    options = {"capture_output": True, "text": True, "encoding": "utf-8", "check": False}
    return subprocess.run(command, cwd=folder, env=os.environ | variables, **options)


def test_the_help_has_every_task_and_loads_nothing_slow(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert [name for name, task in TASKS.items() if f"  {name} " not in printed or task.help not in printed] == []
    assert loaded("from copier_mlops.cli import main\nmain(['--help'])") == set()


def test_without_a_task_the_help_is_an_error(capsys):
    assert main([]) == 2
    assert "usage: mlops TASK" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mlops {registry('tested')['version']}\n"


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_a_task_is_a_function_that_explains_itself(task, capsys):
    module, _, name = task.target.partition(":")
    function = getattr(importlib.import_module(f"copier_mlops.{module}"), name)
    assert next(iter(inspect.signature(function).parameters)) == "arguments"
    assert not task.extra or task.extra in EXTRAS
    if task.name == "service":
        return  # it is an image's command, with no options but those of a batch
    with pytest.raises(SystemExit) as stopped:
        main([task.name, "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("usage: ") and "for example" in printed.lower()


def test_every_task_belongs_to_a_level():
    of_levels = {name for level in registry("levels") for name in level["tasks"]}
    assert TASKS.keys() - of_levels - UNLISTED == set()


@pytest.mark.parametrize(("word", "hint"), [("regster", "; did you mean register?"), ("moon", "\n")])
def test_a_task_that_is_not_there_is_named_with_one_that_is_near(word, hint, capsys):
    assert main([word]) == 2
    assert f"mlops: there is no task {word!r}{hint}" in capsys.readouterr().err


@pytest.mark.parametrize(("task", "now"), [("evaluate", "judge"), ("register", "release")])
def test_an_option_of_0_2_0_that_is_a_task_now_is_named(task, now, capsys):
    assert main([task, "--env", "prod", "--release"]) == 2
    assert capsys.readouterr().err == f"mlops: `{task} --release` is the task {now} now\n  fix: uv run poe {now}\n"


@pytest.mark.parametrize(("task", "library"), [("predict", "pandas"), ("models", "mlflow")])
def test_a_library_that_is_missing_is_named_with_the_extra_that_brings_it(team_project, tmp_path, task, library):
    """Some modules import their libraries at once, for example that of `predict`, and others when they need them."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{library!r}] = None  # as if not installed\n")
    done = mlops(team_project, task, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        f"mlops: {task} needs {library}, which is not installed\n"
        "  fix: name copier-mlops[tracking] in pyproject.toml, then: uv sync\n"
    )


def test_a_library_that_the_teams_code_misses_is_the_teams(tmp_path):
    (tmp_path / "theirs.py").write_text("import moon\n")
    with pytest.raises(ModuleNotFoundError) as caught:
        runpy.run_path(str(tmp_path / "theirs.py"))
    assert missing_library(TASKS["predict"], caught.value) == ""


def test_outside_of_a_project_a_task_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"mlops: no project here: neither .* has \.copier-answers\.yml"):
        main(["register"])
