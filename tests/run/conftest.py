"""The projects that the tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import free_port
from tests.run.compiled import keep_compiled
from tests.run.project import Project


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Let projects have the modules that the tests' own environment has compiled, if their packages are the same."""
    keep_compiled()


@pytest.fixture(scope="session")
def fresh(copier, tmp_path_factory) -> Project:
    """The default project, as it is after `copier copy`."""
    return copier.copy(tmp_path_factory.mktemp("default") / "project")


@pytest.fixture(scope="session")
def project(fresh) -> Project:
    """The default project, set up, trained and registered. Tests leave it as they find it."""
    for task in ("setup", "train", "register"):
        fresh.run(f"uv run poe {task}")
    for packages in fresh.path.glob(".venv/lib/python*/site-packages"):
        keep_compiled(packages)
    fresh.commit()
    return fresh


def written(project: Project) -> dict[Path, int]:
    """When each file that may be DVC's was written."""
    return {file: file.lstat().st_mtime_ns for name in ("build", "data") for file in (project.path / name).rglob("*")}


@pytest.fixture
def unchanged(project) -> Iterator[Project]:
    """The same project, brought back to its last commit afterwards."""
    before = written(project)
    yield project
    project.run("git checkout --quiet --force .")
    if written(project) != before:
        project.run("uv run dvc checkout --force --quiet")


@pytest.fixture
def port() -> int:
    """A port of this machine that is free now."""
    return free_port()
