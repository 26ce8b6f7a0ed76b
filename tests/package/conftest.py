"""A project in whose folder the package's functions run, its team's package among what can be imported."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from copier_mlops.project import team
from tests.project import TEMPLATE, commit, copy_project, run

PACKAGE = "lending"
VARIABLES = ("MLFLOW_", "MONITORING_", "OPERATION_", "RELEASE_")


@pytest.fixture(scope="session")
def team_project(tmp_path_factory) -> Iterator[Path]:
    """The folder of a project of level 4 with its uv.lock, committed; its package can be imported."""
    path = tmp_path_factory.mktemp("team") / "project"
    copy_project(TEMPLATE, path, "HEAD", package_name=PACKAGE, maturity_level=4)
    run(path, "uv", "lock", "--quiet")
    commit(path)
    sys.path.insert(0, str(path / "src"))
    yield path
    sys.path.remove(str(path / "src"))


@pytest.fixture(scope="module")
def inside(team_project) -> Iterator[pytest.MonkeyPatch]:
    """The project as the working directory, without variables of this machine; what it patches lasts for a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(team_project)
        for name in filter(lambda name: name.startswith(VARIABLES), list(os.environ)):
            patch.delenv(name)
        yield patch


@pytest.fixture
def table(inside) -> pd.DataFrame:
    """The sample as `ingest` makes it."""
    return team("ingest").ingest(Path("operation", "tests", "sample.csv"))
