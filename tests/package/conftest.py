"""The project that the package's tests share; what they do with it is in shared.py."""

import pytest

from copier_mlops import project
from copier_mlops.pipeline.engines import settings
from tests.package.shared import copied, inside, table, team_project

__all__ = ["copied", "inside", "table", "team_project"]


@pytest.fixture(autouse=True)
def strict(monkeypatch) -> None:
    """Tasks that accept any repository of DVC do so in their process; the tests share one."""
    monkeypatch.setattr(project, "_stand_in", None)
    monkeypatch.setattr(settings, "_file", None)
