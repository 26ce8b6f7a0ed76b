"""A copy into a repository that has files already: none of them is lost or rewritten, whatever it is called."""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import copier
import pytest

from tests.project import ANSWERS, commit, copy_project, files, run, update_project
from tests.update import team
from tests.update.conftest import BEFORE, NOW
from tests.update.updated import conflicts, content, lint, parsed, written, yours

TOP = 4
OPTIONS = {"defaults": True, "overwrite": True, "quiet": True, "unsafe": False, "settings": copier.Settings()}
# A repository of notebooks, and some files of which a name alone tells nothing.
NOTEBOOKS = {
    ".github/workflows/ci.yml": b"on: push\n",
    ".gitignore": b"*.pkl\r\n",
    "LICENSE": b"All rights reserved.\n",
    "README.md": "# Häuser\n".encode("latin-1"),
    "data/houses.csv": b"rooms,price\n3,300000\n",
    "docs/empty.md": b"",
    "notebooks/explore.ipynb": b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n',
    "pyproject.toml": b'[project]\nname = "houses"\nversion = "1"\ndependencies = ["lightgbm"]\n',
    "src/german_credit/train.py": b"print('ours')\n",
    "src/houses/model.bin": bytes(range(256)),
}
MANAGED = {".github/workflows/ci.yml", ".gitignore", "pyproject.toml"}


@pytest.fixture(scope="module")
def fresh(history, tmp_path_factory) -> team.Files:
    """A project of the highest level: every name that the template has for a file on GitHub."""
    return files(copy_project(history, tmp_path_factory.mktemp("fresh") / "project", NOW, maturity_level=TOP))


def left(project: Path, names: Iterable[str]) -> team.Files:
    """What is still there, of these files."""
    return {path: text for path, text in files(project).items() if path in names}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_of_every_name_that_the_template_has_is_left_alone(history, fresh, tmp_path, overwrite):
    theirs = {path: f"Theirs: {path}\n".encode() for path in fresh if path != ANSWERS}
    project = written(theirs, tmp_path / "project")
    options = OPTIONS | {"overwrite": overwrite}
    copier.run_copy(str(history), project, vcs_ref=NOW, data={"maturity_level": TOP}, **options)
    assert content(project) == parsed(fresh | theirs)


def test_a_copy_on_the_command_line_asks_about_no_file_and_names_those_that_stay(history, tmp_path):
    project = written(NOTEBOOKS, tmp_path / "project")
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--data=maturity_level=1", str(history), "."]
    done = subprocess.run(command, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert left(project, NOTEBOOKS) == NOTEBOOKS
    named = re.findall(r"skip\S*  (\S+)", done.stderr)
    assert set(named) == MANAGED | {"LICENSE", "README.md", "src/german_credit/train.py"}
    assert "docs/how-to/adopting.md" in done.stderr


def test_links_and_modes_stay(history, tmp_path):
    project = tmp_path / "project"
    (project / "shared").mkdir(parents=True)
    (project / "shared" / "ruff.toml").write_text("line-length = 79\n", encoding="utf-8")
    (project / "ruff.toml").symlink_to("shared/ruff.toml")
    (project / "README.md").write_text("# Ours\n", encoding="utf-8")
    (project / "README.md").chmod(0o755)
    commit(project)
    copier.run_copy(str(history), project, vcs_ref=NOW, **OPTIONS)
    assert run(project, "git", "diff", "HEAD") == ""
    assert (project / "ruff.toml").is_symlink()


def test_taking_the_managed_files_over_leaves_alone_what_is_the_teams(history, fresh, tmp_path):
    theirs = {path: f"Theirs: {path}\n".encode() for path in fresh if path != ANSWERS}
    project = written(theirs, tmp_path / "project")
    copier.run_copy(str(history), project, vcs_ref=NOW, data={"maturity_level": TOP}, **OPTIONS)
    copier.run_recopy(project, skip_answered=True, **OPTIONS)
    assert content(project) == parsed(fresh | {path: theirs[path] for path in yours(theirs, TOP)})


def test_a_repository_that_follows_another_template_goes_on_following_it(history, tmp_path):
    theirs = NOTEBOOKS | {ANSWERS: b"_commit: v1\n_src_path: https://example.org/other.git\nproject_name: Houses\n"}
    project = written(theirs, tmp_path / "project")
    copier.run_copy(str(history), project, vcs_ref=NOW, **OPTIONS)
    assert left(project, theirs) == theirs


@pytest.fixture
def adopted(history, tmp_path) -> Path:
    """The repository of notebooks at level 1 of the version before, not yet committed."""
    project = written(NOTEBOOKS, tmp_path / "project")
    copier.run_copy(str(history), project, vcs_ref=BEFORE, data={"maturity_level": 1}, **OPTIONS)
    return project


def test_what_was_taken_over_is_updated_like_any_other(adopted):
    copier.run_recopy(adopted, vcs_ref=BEFORE, skip_answered=True, **OPTIONS)
    with (adopted / ".gitignore").open("ab") as file:
        file.write(NOTEBOOKS[".gitignore"])
    commit(adopted)
    update_project(adopted, maturity_level=2)
    assert conflicts(adopted) == set()
    assert {each.check for each in lint(adopted)} == {"MLO501"}
    assert left(adopted, NOTEBOOKS.keys() - MANAGED) == {path: NOTEBOOKS[path] for path in NOTEBOOKS.keys() - MANAGED}
    assert NOTEBOOKS[".gitignore"] in (adopted / ".gitignore").read_bytes()


def test_what_was_never_taken_over_is_in_conflict_and_loses_nothing(adopted):
    commit(adopted)
    update_project(adopted, maturity_level=2)
    assert conflicts(adopted) == MANAGED
    for path, text in NOTEBOOKS.items():
        found = (adopted / path).read_bytes()
        assert set(text.splitlines()) <= set(found.splitlines()) if path in MANAGED else found == text
