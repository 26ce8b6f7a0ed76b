"""Tests of the managed code that run inside a generated project, and the bounds of its dependencies."""

import shutil
from pathlib import Path

from tests.run.project import copy_project

INSIDE = Path(__file__).parent / "inside"


def put_inside(project) -> None:
    for file in INSIDE.glob("*.jinja"):
        text = file.read_text(encoding="utf-8").replace("{{ package_name }}", "german_credit")
        target = project.path / "operation" / "tests" / "inside" / file.name.removesuffix(".jinja")
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")


def test_the_managed_code_keeps_its_promises(project):
    put_inside(project)
    printed = project.run("uv run pytest operation/tests/inside")
    shutil.rmtree(project.path / "operation" / "tests" / "inside")
    assert " passed" in printed


def test_the_lowest_versions_that_are_allowed_work(tmp_path):
    project = copy_project(tmp_path / "project")
    project.environment["UV_RESOLUTION"] = "lowest-direct"
    project.run("uv run poe setup")
    assert "pandas==2.3.0" in project.run("uv pip freeze")
    for task in ("lint", "test", "train", "register", "report", "predict --data operation/tests/sample.csv"):
        project.run(f"uv run poe {task}")
    put_inside(project)
    project.run("uv run pytest operation/tests/inside")
