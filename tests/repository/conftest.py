"""A small repository with the files that the tasks read, and the node of the validators."""

from pathlib import Path

import pytest

from tests.pipelines.conftest import node
from tests.project import commit, run

__all__ = ["node"]

PYPROJECT = """\
[project]
name = "small"
version = "0.2.0"
requires-python = ">=3.11"
dependencies = []

[tool.uv]
exclude-newer = "2026-01-02T00:00:00Z"
"""
CHANGELOG = "# Changelog\n\n## Unreleased\n\n- Not new.\n\n## 0.2.0\n\nSecond.\n\n- Two.\n\n## 0.1.0\n\nFirst.\n"


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository with one commit, which released 0.2.0, on its branch `work`; `main` stays at that commit."""
    folder = tmp_path / "repository"
    for name in ("extensions", "src", "template", "tests"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file.txt").write_text("before\n", encoding="utf-8")
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    (folder / "extensions" / "tested.yml").write_text('# Kept.\nday: "2026-01-02T00:00:00Z"\nuv: "0.13.9"\n', "utf-8")
    commit(folder)
    run(folder, "git", "switch", "--quiet", "--create", "work")
    return folder
