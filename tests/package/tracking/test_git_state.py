"""Whether a model's code is in a commit: what the run itself writes does not count, and what it reads does."""

from pathlib import Path

import pytest
import yaml

from copier_mlops.tracking import lineage
from tests.project import commit, run

FILES = {
    "src/credit/train.py": "",
    "params.yaml": "seed: 1\n",
    "README.md": "",
    "data/raw/.gitignore": "/records.csv\n",
    "data/raw/records.csv.dvc": "outs: []\n",
    "metrics/test.json": "{}\n",
    "src/credit/vocabulary.json": "{}\n",
}
OUTS = ["metrics/test.json", "src/credit/vocabulary.json", "build/model (1)"]


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository in which a pipeline has run, and committed what it wrote."""
    run(tmp_path, "git", "init", "--quiet", "--initial-branch=main")
    lock = {"schema": "2.0", "stages": {"evaluate": {"outs": [{"path": path, "md5": "5" * 32} for path in OUTS]}}}
    for name, text in (FILES | {"dvc.lock": yaml.safe_dump(lock)}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    commit(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", ["metrics/test.json", "src/credit/vocabulary.json", "dvc.lock", "data/raw/.gitignore"])
def test_what_the_run_writes_does_not_count(repository, path):
    (repository / path).write_text((repository / path).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert lineage.git_state(repository)["dirty"] == "false"


@pytest.mark.parametrize("path", ["README.md", "notebooks/look.ipynb", "data/raw/records.csv"])
def test_what_decides_no_model_does_not_count(repository, path):
    (repository / path).parent.mkdir(exist_ok=True)
    (repository / path).write_text("1\n", encoding="utf-8")
    assert lineage.git_state(repository)["dirty"] == "false"


@pytest.mark.parametrize("path", ["src/credit/train.py", "params.yaml", "data/raw/records.csv.dvc"])
def test_a_changed_file_that_decides_a_model_counts(repository, path):
    (repository / path).write_text("seed: 2\n", encoding="utf-8")
    assert lineage.git_state(repository)["dirty"] == "true"


@pytest.mark.parametrize("path", ["src/credit/features.py", "data/raw/more.csv.dvc", "dvc.yaml"])
def test_so_does_a_new_one_that_git_does_not_know(repository, path):
    (repository / path).write_text("", encoding="utf-8")
    assert lineage.git_state(repository)["dirty"] == "true"
    commit(repository)
    assert lineage.git_state(repository)["dirty"] == "false"


def test_a_deleted_file_counts(repository):
    (repository / "src" / "credit" / "train.py").unlink()
    assert lineage.git_state(repository)["dirty"] == "true"


def test_before_the_first_commit_nothing_is_said(tmp_path):
    run(tmp_path, "git", "init", "--quiet")
    assert lineage.git_state(tmp_path) == {"commit": "", "branch": "", "dirty": ""}
