"""Every project is clean for its own linter and formatter from the first minute."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.render.answers import CASES

COMMANDS = ["ruff check", "ruff format --check --diff"]


def complaints(folder: Path, command: str) -> str:
    """What ruff says about a folder, each project by its own settings; nothing where all is well."""
    command = [*command.split(), "--no-cache", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    assert "No Python files" not in done.stderr
    return done.stdout + done.stderr if done.returncode else ""


def test_ruff_finds_nothing(render, tmp_path):
    for position, answers in enumerate(CASES.values()):
        shutil.copytree(render(**answers), tmp_path / f"{position:03}", ignore=shutil.ignore_patterns("*.csv"))
    for command in COMMANDS:
        assert not (found := complaints(tmp_path, command)), found[-4000:]


@pytest.mark.parametrize("command", COMMANDS)
def test_ruff_would_find_something(default, tmp_path, command):
    project = tmp_path / "project"
    shutil.copytree(default, project)
    (project / "src" / "german_credit" / "train.py").write_text("import os\nx=1\n", encoding="utf-8")
    assert complaints(project, command)
