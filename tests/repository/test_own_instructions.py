"""AGENTS.md of this repository: short, and each task, test and file that it names is there."""

import re
import shlex
import tomllib

from copier_mlops.lint.checks.instructions import InstructionUnknown, code
from copier_mlops.lint.config import Config
from copier_mlops.lint.project import Project
from tests.project import TEMPLATE

TEXT = (TEMPLATE / "AGENTS.md").read_text(encoding="utf-8")
PIECES = [text for _, text in code(TEXT)]
TASKS = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["poe"]["tasks"]


def test_it_is_short():
    assert 30 <= len(TEXT.splitlines()) <= 60


def test_each_task_that_it_names_is_there():
    project = Project(TEMPLATE, Config())
    assert [each for each in InstructionUnknown().look(project) if each.path == "AGENTS.md"] == []
    named = {each.removeprefix("uv run poe ") for each in PIECES if each.startswith("uv run poe ")}
    assert {"develop", "lint", "test-fast", "render-flows", "lint-pages", "reference"} <= named <= TASKS.keys()


def test_each_command_and_each_path_that_it_names_is_there():
    paths = [each for each in PIECES if re.fullmatch(r"[\w./]+", each) and re.search(r"[./]", each)]
    for command in (shlex.split(each) for each in PIECES if each.startswith(("uv run pytest ", "uv run python "))):
        name = command[3] if command[2] == "pytest" else command[4].replace(".", "/") + ".py"
        paths.append(name)
    assert len(paths) > 15
    for path in paths:
        place = path.removesuffix("/FOLDER")
        registered = TEMPLATE / "extensions" / place
        package = TEMPLATE / "src" / "copier_mlops" / place
        assert (TEMPLATE / place).exists() or registered.exists() or package.exists(), path


def test_it_leads_to_the_page_on_contributing():
    assert "docs/contributing.md" in TEXT
    assert "AGENTS.md" in (TEMPLATE / "docs" / "contributing.md").read_text(encoding="utf-8")
