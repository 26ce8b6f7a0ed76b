"""Projects in git, each level and host rendered once; a test that plants a fault gets a copy."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from copier_mlops.lint.cli import main
from copier_mlops.lint.config import Config
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.lint.run import run
from tests.project import ANSWERS, commit, copy_project, copy_template

# What an answers file says that comes from a repository; a render from a plain folder knows no version.
VERSION = "_commit: 1.0.0\n"


def found(path: Path, *options: str, **settings: object) -> list[Finding]:
    """The findings in a project."""
    return run(Project(path, Config(**settings)), options)


def ids(path: Path, *options: str, **settings: object) -> list[str]:
    """The checks that found something, each once."""
    return sorted({finding.check for finding in found(path, *options, **settings)})


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    return copy_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def fresh(template, tmp_path_factory) -> Callable[..., Path]:
    """A fresh project in git with these answers. Tests leave it as they find it."""

    @functools.cache
    def make(**answers: object) -> Path:
        project = copy_project(template, tmp_path_factory.mktemp("fresh") / "project", **answers)
        text = (project / ANSWERS).read_text(encoding="utf-8")
        if "_commit:" not in text:
            (project / ANSWERS).write_text(text.replace("_src_path:", f"{VERSION}_src_path:"), encoding="utf-8")
        commit(project)
        return project

    return make


def copy_of(project: Path, path: Path) -> Path:
    """A copy to be spoilt, whose git reads the objects of the original."""
    shutil.copytree(project, path, ignore=shutil.ignore_patterns("objects", "hooks"))
    info = path / ".git" / "objects" / "info"
    info.mkdir(parents=True)
    (info / "alternates").write_text(f"{project / '.git' / 'objects'}\n", encoding="utf-8")
    return path


@pytest.fixture
def project(fresh, tmp_path) -> Path:
    """A copy of the default project, to be spoilt."""
    return copy_of(fresh(), tmp_path / "project")


@pytest.fixture
def lint(capsys) -> Callable[..., tuple[int, str, str]]:
    """The command: its exit code and what it prints."""

    def call(path: Path, *arguments: str) -> tuple[int, str, str]:
        code = main(["--project", str(path), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call
