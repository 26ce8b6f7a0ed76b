"""What git keeps of a project, asked of git itself."""

import subprocess

import pytest

from tests.project import commit, copy_project, run


@pytest.fixture(scope="module")
def repository(template, tmp_path_factory):
    project = copy_project(template, tmp_path_factory.mktemp("ignored") / "project")
    run(project, "git", "init", "--quiet")
    return project


def is_ignored(repository, path: str) -> bool:
    return not subprocess.run(["git", "check-ignore", "--quiet", path], cwd=repository, check=False).returncode


@pytest.mark.parametrize(
    "path",
    [
        "data/raw/german_credit.csv",
        "data/raw/new.csv",
        "data/raw/deep/down/x.parquet",
        "data/interim/ingested.parquet",
        "data/processed/train.parquet",
        "build/model/model.skops",
        "build/report/index.html",
        "mlflow.db",
        "mlflow.db-journal",
        "mlruns/1/meta.yaml",
        ".env",
        ".env.prod",
        ".venv/bin/python",
        ".dvc/config.local",
        ".dvc/cache/files/md5/ab",
        ".dvc/tmp/lock",
        "src/german_credit/__pycache__/train.cpython-311.pyc",
        ".ruff_cache/x",
        ".DS_Store",
    ],
)
def test_git_ignores(repository, path):
    assert is_ignored(repository, path)


@pytest.mark.parametrize(
    "path",
    [
        "data/raw/german_credit.csv.dvc",
        "data/raw/deep/down/x.parquet.dvc",
        "data/interim/.gitkeep",
        "data/processed/.gitkeep",
        "data/README.md",
        "dvc.yaml",
        "dvc.lock",
        "uv.lock",
        "params.yaml",
        "metrics/test.json",
        ".dvc/config",
        "src/german_credit/build/ours.py",
        "operation/tests/sample.csv",
        "docs/model_card.md",
    ],
)
def test_git_keeps(repository, path):
    assert not is_ignored(repository, path)


def test_all_that_is_rendered_is_committed_but_the_data(template, tmp_path):
    project = copy_project(template, tmp_path / "project")
    commit(project)
    ignored = run(project, "git", "ls-files", "--others", "--ignored", "--exclude-standard").splitlines()
    assert ignored == ["data/raw/german_credit.csv"]
