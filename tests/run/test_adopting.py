"""A repository of notebooks becomes level 0, and gets a pipeline, by the commands of docs/how-to/adopting.md."""

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
NOTEBOOKS = (TEMPLATE / "docs" / "how-to" / "notebooks.md").read_text(encoding="utf-8")
NAME = "House prices"
CLEANED = "data/interim/clean.csv"

CELLS = re.findall(r"^```python\n# tag: (\S+)\n(.*?)^```", NOTEBOOKS, re.DOTALL | re.MULTILINE)
OUTPUT = {"data": {"text/plain": ["42"]}, "execution_count": 1, "metadata": {}, "output_type": "execute_result"}


def notebook(count: int | None, *outputs: dict) -> dict:
    """The notebook of docs/how-to/notebooks.md; each of its cells has run as often, with the same outputs."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": count,
            "id": f"cell{number}",
            "metadata": {} if tag == "none" else {"tags": [tag]},
            "outputs": list(outputs),
            "source": source.splitlines(keepends=True),
        }
        for number, (tag, source) in enumerate(CELLS)
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def houses() -> str:
    """Houses and their prices; of one, nobody knows how many rooms it has."""
    lines = ["house,rooms,district,price"]
    for number in range(150):
        rooms, district = 1 + number * 7 % 6, "NSW"[number * 5 % 3]
        price = 90_000 * rooms + 30_000 * (number % 4) + number
        lines.append(f"H{number:03},{'' if number == 77 else rooms},{district},{price}")
    return "\n".join([*lines, ""])


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
    "notebooks/explore.ipynb": json.dumps(notebook(1, OUTPUT), indent=1).encode(),
    "notebooks/README.md": b"Start with explore.\n",
    "scripts/train.py": b"import pandas as pd\nprint( 'training' )\n",
    "src/houses/__init__.py": b"",
    "data/houses.csv": houses().encode(),
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
    """Every command of the page, with the default answers; the notebook runs before the stage that it becomes."""
    for command in commands(PAGE):
        project.run(typed(command, template).replace(" copy ", f" copy --data 'project_name={NAME}' "))
        found = files(project.path)
        if " copy " in command:
            assert {path: found.get(path) for path in THEIRS} == THEIRS
        elif command == "git diff":
            take_back(project)
        elif "Adopt the template" in command:
            assert_adopted(project, found)
        elif " adopt-data " in command:
            run_notebook(project)
        elif command == "uv run dvc repro clean":
            assert project.text(CLEANED) == project.text("build/notebook.csv")


def run_notebook(project: Project) -> None:
    """Run the cells in the folder of the notebook, and put what they wrote aside."""
    code = "import os\nos.chdir('notebooks')\n" + "\n".join(source for _, source in CELLS)
    project.run(f"uv run python -c {shlex.quote(code)}")
    (project.path / "build").mkdir(exist_ok=True)
    (project.path / CLEANED).replace(project.path / "build" / "notebook.csv")


def assert_adopted(project: Project, found: dict[str, bytes]) -> None:
    """All that was theirs is there: as it was, or as the page says."""
    changed = {"data/houses.csv", "requirements.txt", "notebooks/explore.ipynb", ".gitignore"}
    same = THEIRS.keys() - changed
    assert {path: found.get(path) for path in same} == {path: THEIRS[path] for path in same}
    assert found["data/raw/houses.csv"] == THEIRS["data/houses.csv"]
    assert json.loads(found["notebooks/explore.ipynb"]) == notebook(None)
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
    assert (answers["maturity_level"], answers["package_name"]) == (2, "house_prices")
    assert project.run("git ls-files --unmerged") == ""
    shown = re.search(r"^```yaml\n(.*?)^```", NOTEBOOKS, re.DOTALL | re.MULTILINE)
    assert shown and shown[1] in project.text("dvc.yaml")
    assert len(project.text(CLEANED).splitlines()) < 150
    project.run("uv run poe ci")
