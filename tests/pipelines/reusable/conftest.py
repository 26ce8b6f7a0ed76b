"""This repository as others use it: what is released, and what stands for the actions of others."""

import shutil
from pathlib import Path

import pytest

from tests.project import TEMPLATE, commit

# What of this repository the package is made of, and the pieces for the git hosts.
RELEASED = ["pyproject.toml", "README.md", "LICENSE", "copier.yml", "extensions", "src", "actions"]


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> tuple[Path, str]:
    """The work tree as a repository of its own, and its commit."""
    path = tmp_path_factory.mktemp("released") / "copier-mlops"
    path.mkdir()
    for name in RELEASED:
        source, target = TEMPLATE / name, path / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, ignore=ignored) if source.is_dir() else shutil.copy(source, target)
    return path, commit(path)
