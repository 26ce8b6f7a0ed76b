"""The projects that the tests share."""

import socket
from collections.abc import Iterator

import pytest

from tests.run.project import Project, copy_project


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Project:
    """The default project, as it is after `copier copy`."""
    return copy_project(tmp_path_factory.mktemp("default") / "project")


@pytest.fixture(scope="session")
def project(fresh) -> Project:
    """The default project, set up, trained and registered. Tests leave it as they find it."""
    for task in ("setup", "train", "register"):
        fresh.run(f"uv run poe {task}")
    fresh.commit()
    return fresh


@pytest.fixture
def unchanged(project) -> Iterator[Project]:
    """The same project, brought back to its last commit afterwards."""
    yield project
    project.run("git checkout --quiet --force .")
    project.run("uv run dvc checkout --force --quiet")


@pytest.fixture
def port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
