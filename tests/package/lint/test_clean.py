"""A fresh project has no finding, at each level and on each host; nor after what a team does every day."""

import shutil
import subprocess

import pytest

from tests.package.lint.conftest import found, ids
from tests.project import ANSWERS, commit, copy_project, registry

HOSTS = list(registry("hosts"))
LEVELS = len(registry("levels"))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("level", range(LEVELS))
def test_a_fresh_project_is_clean(fresh, level, host):
    assert found(fresh(maturity_level=level, git_host=host)) == []


@pytest.mark.parametrize(
    "answers",
    [
        {"serving": []},
        {"serving": ["batch"]},
        {"license": "none", "python_version": "3.13"},
        {"data_remote": "s3://bucket/path", "data_endpoint": "https://storage.example.org:9000"},
        {"data_remote": "ssh://storage.example.org/srv/data", "tracking_uri": "databricks", "maturity_level": 3},
        {"data_remote": "/srv/data", "tracking_uri": "https://mlflow.example.org", "package_name": "score"},
        {"cloud": "azure", "maturity_level": 4, "heavy_runner": "gpu"},
    ],
    ids=str,
)
def test_whatever_was_answered(fresh, answers):
    kept = {name: tuple(value) if isinstance(value, list) else value for name, value in answers.items()}
    assert found(fresh(**kept)) == []


def test_what_a_team_does_is_no_fault(project):
    for path in (
        "docs/code/README.md",
        "operation/tests/sample.csv",
        "LICENSE",
        "operation/tests/unit/test_package.py",
    ):
        (project / path).unlink()
    texts = {
        "src/german_credit/ours.py": "password = input()\n",
        "docs/merging.rst": "Ours\n=======\n\n  <<<<<<< so do conflicts look\n",
        ".env.example": "MLFLOW_TRACKING_PASSWORD=\n",
        "data/raw/ours.csv.dvc": "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  path: ours.csv\n",
        "compose.yaml": "services:\n  us: {image: us:latest, build: .}\n  db: {image: 'postgres:17.1.0'}\n",
        "Dockerfile": "ARG BASE=x\nFROM python:3.11.9-slim AS build\nFROM build\nFROM ${BASE}\n",
        "notebooks/look.ipynb": '{"cells": [{"cell_type": "code", "outputs": []}]}\n',
        "operation/configuration/environment_dev/more.yaml": "max_tokens: 5\ntoken: ${TOKEN}\npassword: ''\n",
        "renovate.json": "{}\n",
    }
    for path, text in texts.items():
        (project / path).write_text(text, encoding="utf-8")
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tool.poe.tasks.ours]\ncmd = "true"\n')
    commit(project)
    assert found(project) == []


def test_a_climb_leaves_nothing_to_find(template, tmp_path):
    history = tmp_path / "template"
    shutil.copytree(template, history)
    commit(history)
    subprocess.run(["git", "tag", "1.0.0"], cwd=history, check=True)
    project = copy_project(history, tmp_path / "project", maturity_level=1)
    commit(project)
    assert ids(project, "--drift", "--updates") == []
    assert (project / ANSWERS).is_file()
