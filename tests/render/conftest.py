"""Renders that the tests of a process share. Tests leave them as they find them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import copy_project, copy_template
from tests.render.answers import CASES

Render = Callable[..., Path]


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    return copy_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def render(template, tmp_path_factory) -> Render:
    """Renders the given answers with the defaults for all others, each combination once."""
    rendered: dict[str, Path] = {}

    def render_once(**answers: object) -> Path:
        key = repr(sorted(answers.items()))
        if key not in rendered:
            rendered[key] = copy_project(template, tmp_path_factory.mktemp("render") / "project", **answers)
        return rendered[key]

    return render_once


@pytest.fixture(scope="session")
def default(render) -> Path:
    """The default project."""
    return render()


@pytest.fixture(scope="session", params=CASES.values(), ids=CASES.keys())
def project(request, render) -> Path:
    """A project for each value of each question, and for each row of pairs."""
    return render(**request.param)
