"""A bare project takes eight files of teams: each is trained, released, served and asked without a hand edit."""

import json
import shlex

import pandas as pd
import pytest

from tests.package.contract.eight import CASES, TARGETS
from tests.pipelines.ship.shop import set_values, stop_services
from tests.processes import free_port
from tests.run.project import Project, request

PROBLEMS = {"01": "regression", "02": "binary", "03": "multiclass", "04": "regression"}
PROBLEMS |= {"05": "binary", "06": "multiclass", "07": "regression", "08": "binary"}


@pytest.fixture(scope="module")
def bare(copier, tmp_path_factory) -> Project:
    """A project of level 3 without an example, set up and committed."""
    folder = tmp_path_factory.mktemp("bare") / "project"
    project = copier.copy(folder, example="none", project_name="Bare", maturity_level=3)
    project.environment["UV_PROJECT_ENVIRONMENT"] = str(folder.parent / "environment")
    project.run("git init --quiet --initial-branch main")
    project.commit()
    assert "Ready. Next: uv run poe adopt-data FILE" in project.run("uv run poe setup")
    project.commit()
    return project


def test_a_project_without_data_is_green_and_names_the_next_step(bare):
    said = "uv run poe adopt-data FILE --target COLUMN"
    for task in ("lint", "lint-template", "test", "check-data", "smoke"):
        printed = bare.run(f"uv run poe {task}")
        assert said in printed or task.startswith("lint")
    assert said in bare.run("uv run poe train", fails=True)
    assert not [path for path in bare.path.rglob("*german*") if ".venv" not in path.parts]


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_goes_all_the_way_to_production(bare, tmp_path, name):
    project = bare.clone(tmp_path / "project")
    project.run("uv run poe setup")
    printed = project.run(f"uv run poe adopt-data {CASES / name} --target {shlex.quote(TARGETS[name])}")
    assert f"problem: {PROBLEMS[name[:2]]}" in project.text("src/bare/contract.yaml")
    assert "data/raw/" in printed
    urls = {}
    for environment in ("stage", "prod"):
        urls[environment] = f"http://127.0.0.1:{free_port()}"
        release = project.path / f"operation/configuration/environment_{environment}/release.yaml"
        set_values(release, url=urls[environment])
    project.commit()
    try:
        printed = project.run("uv run poe cd", typed="y\ny\n")
        assert "records are answered, one by one as among others" in printed
        status, _, health = request(f"{urls['prod']}/health")
        assert (status, health["status"]) == (200, "ok")
    finally:
        stop_services(project)
    figures = json.loads(project.text("metrics/test.json"))
    assert figures["candidate"] in ("linear", "gradient_boosting")
    for task in ("register", "report", "lint", "lint-template", "test", "check-data"):
        project.run(f"uv run poe {task}")
    project.run("uv run poe predict --data operation/tests/sample.csv --out build/answers.csv")
    answers, sample = (pd.read_csv(project.path / path) for path in ("build/answers.csv", "operation/tests/sample.csv"))
    assert len(answers) == len(sample)
