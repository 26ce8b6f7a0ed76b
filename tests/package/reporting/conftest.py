"""The small projects that the tests of the report share."""

import os
from pathlib import Path

import pytest

from tests.package.reporting import runs


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Write a project in which a pipeline has run, and change into it."""

    def written(problem: str) -> Path:
        root = tmp_path / problem
        runs.project(root, problem)
        monkeypatch.chdir(root)
        monkeypatch.syspath_prepend(str(root / "src"))
        for name in [name for name in os.environ if name.startswith(("MLFLOW_", "OPERATION_"))]:
            monkeypatch.delenv(name)
        return root

    return written


@pytest.fixture
def root(make) -> Path:
    """A project with a binary problem: the positive class is `left`."""
    return make("binary")
