"""Projects that release, rendered and not run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import copy_project, copy_template


@pytest.fixture(scope="session")
def release(tmp_path_factory) -> Callable[..., Path]:
    """Renders a project of level 3."""
    template = copy_template(tmp_path_factory.mktemp("template"))

    def render(**answers: object) -> Path:
        return copy_project(template, tmp_path_factory.mktemp("release") / "project", **{"maturity_level": 3} | answers)

    return render


@pytest.fixture(scope="session")
def project(release) -> Path:
    return release()
