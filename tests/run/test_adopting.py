"""A repository of notebooks becomes level 0 by the commands of docs/how-to/adopting.md."""

import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

from tests.project import TEMPLATE, commit, files
from tests.run.project import Project, commands, typed
from tests.update.conftest import history

__all__ = ["history"]

PAGE = (TEMPLATE / "docs" / "how-to" / "adopting.md").read_text(encoding="utf-8")
NAME = "House prices"

CELL = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "source": ["prices.mean()"]}
OUTPUT = {"data": {"text/plain": ["42"]}, "execution_count": 1, "metadata": {}, "output_type": "execute_result"}
NOTEBOOK = {"cells": [CELL | {"outputs": [OUTPUT]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
WORKFLOW = """\
on: push
jobs:
  nightly:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          pip install -r requirements.txt
          python scripts/train.py
"""
THEIRS = {
    "README.md": b"# Houses\r\n\r\nWhat a house costs.\r\n",
    "LICENSE": b"All rights reserved.\n",
    ".gitignore": b"*.pkl\n/scratch/\n",
    "requirements.txt": b"pandas\nscikit-learn>=1.5\nmatplotlib\n",
    "notebooks/explore.ipynb": json.dumps(NOTEBOOK, indent=1).encode(),
    "notebooks/README.md": b"Start with explore.\n",
    "scripts/train.py": b"import pandas as pd\nprint( 'training' )\n",
    "src/houses/__init__.py": b"",
    "data/houses.csv": b"rooms,price\r\n3,300000\r\n4,420000\r\n",
    "docs/notes.md": "Gespräche mit Käufern\n".encode(),
    ".github/workflows/nightly.yml": WORKFLOW.encode(),
}


def take_back(project: Project) -> None:
    """What the page leaves to a person: own patterns, old code that ruff leaves alone, a workflow that may stay."""
    removed = project.run("git diff --unified=0 -- .gitignore").splitlines()
    ours = [line.removeprefix("-") for line in removed if line.startswith("-") and not line.startswith("---")]
    assert ours == THEIRS[".gitignore"].decode().splitlines()
    excluded, ignored = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    write = {
        ".gitignore": "\n".join([project.text(".gitignore"), *ours, ""]),
        "ruff.toml": excluded + project.text("ruff.toml"),
        "pyproject.toml": project.text("pyproject.toml") + "\n" + ignored,
    }
    for name, text in write.items():
        (project.path / name).write_text(text, encoding="utf-8")


def walk(project: Project, template: Path) -> None:
    """Every command of the page, with the default answers."""
    for command in commands(PAGE):
        project.run(typed(command, template).replace(" copy ", f" copy --data 'project_name={NAME}' "))
        found = files(project.path)
        if " copy " in command:
            assert {path: found.get(path) for path in THEIRS} == THEIRS
        elif command == "git diff":
            take_back(project)
        elif command.startswith("git commit"):
            assert_adopted(project, found)


def assert_adopted(project: Project, found: dict[str, bytes]) -> None:
    """All that was theirs is there: as it was, or as the page says."""
    changed = {"data/houses.csv", "requirements.txt", "notebooks/explore.ipynb", ".gitignore"}
    same = THEIRS.keys() - changed
    assert {path: found.get(path) for path in same} == {path: THEIRS[path] for path in same}
    assert found["data/raw/houses.csv"] == THEIRS["data/houses.csv"]
    assert json.loads(found["notebooks/explore.ipynb"]) == NOTEBOOK | {
        "cells": [CELL | {"execution_count": None, "outputs": []}]
    }
    needed = tomllib.loads(project.text("pyproject.toml"))["project"]["dependencies"]
    assert "pandas>=2.3,<3.1" in needed and [each for each in needed if each.startswith("matplotlib>=")]
    tracked = project.run("git ls-files data").split()
    assert "data/raw/houses.csv.dvc" in tracked
    assert not [path for path in tracked if path.endswith(".csv")]
    lint = [sys.executable, "-m", "copier_mlops", "lint", "--project", str(project.path)]
    assert "0 errors" in project.run(shlex.join(lint))


def test_a_repository_of_notebooks_becomes_level_0_and_climbs(history, tmp_path):
    project = Project(tmp_path / "houses")
    for name, content in THEIRS.items():
        (project.path / name).parent.mkdir(parents=True, exist_ok=True)
        (project.path / name).write_bytes(content)
    commit(project.path)
    walk(project, history)
    answers = project.answers
    assert (answers["maturity_level"], answers["package_name"]) == (1, "house_prices")
    assert project.run("git ls-files --unmerged") == ""
    project.run("uv run poe ci")
