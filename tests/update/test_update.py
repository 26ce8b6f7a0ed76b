"""From every release on, an update brings what is new and leaves alone what is the team's."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.tag_releases import find_releases
from tests.project import ANSWERS, TEMPLATE, answers_of, commit, copy_project, files, matches, registry, run
from tests.project import update_project as update
from tests.update.conftest import BEFORE, DROPPED, NEW_MANAGED, NEW_STARTER, NOW, RELEASES

LEVELS = registry("levels")
PACKAGE = "src/german_credit"


def committed(history: Path, path: Path, version: str, **answers: object) -> Path:
    """A project of a version of the template, in git."""
    project = copy_project(history, path, version, **answers)
    commit(project)
    return project


def yours(names, level: int) -> set[str]:
    """The files that belong to the team at a level."""
    patterns = [pattern for each in LEVELS[: level + 1] for pattern in each["yours"]]
    return set(matches(patterns).match_files(names))


def content(project: Path) -> dict[str, object]:
    """Every file of a project; of the answers file the answers, without the version that they were given to."""
    return files(project) | {ANSWERS: {name: value for name, value in answers_of(project).items() if name != "_commit"}}


def assert_no_conflict(project: Path) -> None:
    assert run(project, "git", "ls-files", "--unmerged") == ""
    for path, text in files(project).items():
        assert not path.endswith(".rej")
        assert b"<<<<<<< before updating" not in text, path


def expected(first: dict, fresh: dict, level: int) -> dict:
    """The team's files as they were first rendered, all others as they are rendered now."""
    return {path: text for path, text in fresh.items() if path not in yours(fresh, level)} | {
        path: first[path] for path in yours(first, level)
    }


def test_the_releases_can_be_found():
    assert [release.version for release in find_releases(TEMPLATE)] == RELEASES


@pytest.mark.parametrize("level", range(len(LEVELS)))
@pytest.mark.parametrize("version", [*RELEASES, BEFORE])
def test_an_unedited_project_becomes_a_fresh_one(history, tmp_path, version, level):
    project = committed(history, tmp_path / "project", version, maturity_level=level)
    first = content(project)
    fresh = content(copy_project(history, tmp_path / "fresh", NOW, maturity_level=level))
    update(project)
    assert_no_conflict(project)
    assert content(project) == expected(first, fresh, level)
    assert answers_of(project)["_commit"] == NOW


def test_an_update_brings_and_takes_what_the_template_did(history, tmp_path):
    project = committed(history, tmp_path / "project", BEFORE)
    first = files(project)
    update(project)
    now = files(project)
    assert {path for path in first if path not in now} == {DROPPED}
    assert {path for path in now if path not in first} == {NEW_MANAGED}
    assert {path for path in first if first[path] != now.get(path)} == {
        ANSWERS,
        DROPPED,
        "pyproject.toml",
        "ruff.toml",
    }
    assert NEW_STARTER not in now


def test_an_update_without_news_changes_nothing(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW)
    update(project)
    assert run(project, "git", "status", "--porcelain") == ""


def test_an_update_on_the_command_line_needs_no_trust(history, tmp_path):
    project = committed(history, tmp_path / "project", BEFORE)
    command = [sys.executable, "-m", "copier", "update", "--defaults"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Next: uv run poe setup" in done.stderr
    assert answers_of(project)["_commit"] == NOW


# A line of a file, and what a team makes of it; an empty line stands for the end of the file.
CHANGES = {
    "README.md": ("", "\n## Ours\n\nWhat we agreed on.\n"),
    ".gitignore": ("", "\n/ours/\n"),
    "pyproject.toml": ("dependencies = [\n", 'dependencies = [\n  "xgboost>=3,<4",\n'),
    f"{PACKAGE}/prepare.py": ("", "\n\ndef ours() -> int:\n    return 1\n"),
    f"{PACKAGE}/train.py": ("import argparse\n", "import argparse  # ours\n"),
    "dvc.yaml": ("stages:\n", "stages:\n  ours:\n    cmd: python -m german_credit.ours\n\n"),
    "params.yaml": ("seed: 42\n", "seed: 7\n"),
    "operation/configuration/environment_dev/settings.yaml": ("port: 8000\n", "port: 8010\n"),
}
DELETED = ["docs/code/README.md", "operation/tests/sample.csv", ".python-version", "operation/tests/conftest.py"]
ADDED = [f"{PACKAGE}/ours.py", "operation/execution/ours.py", "notebooks/ours.md", "data/raw/ours.csv.dvc"]


def work_on(project: Path) -> None:
    """What a team does to a project: changes, deletes and adds files."""
    for path, (before, after) in CHANGES.items():
        if (project / path).exists():
            text = (project / path).read_text(encoding="utf-8")
            assert before in text, path
            changed = text.replace(before, after, 1) if before else text + after
            (project / path).write_text(changed, encoding="utf-8")
    for path in DELETED:
        (project / path).unlink()
    for path in ADDED:
        (project / path).parent.mkdir(exist_ok=True)
        (project / path).write_text("# Ours\n", encoding="utf-8")


@pytest.mark.parametrize("level", range(len(LEVELS)))
@pytest.mark.parametrize("version", [*RELEASES, BEFORE])
def test_the_work_of_a_team_survives(history, tmp_path, version, level):
    project = copy_project(history, tmp_path / "project", version, maturity_level=level)
    work_on(project)
    commit(project)
    first = content(project)
    fresh = copy_project(history, tmp_path / "fresh", NOW, maturity_level=level)
    work_on(fresh)
    update(project)
    assert_no_conflict(project)
    ours = {path: first[path] for path in [*ADDED, *yours(first, level)]}
    assert content(project) == expected(first, content(fresh), level) | ours
    assert not [path for path in DELETED if (project / path).exists()]
    for path, (_, after) in CHANGES.items():
        assert not (project / path).exists() or after in (project / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("steps", [[1, 2, 3, 4], [2, 4], [4]])
def test_a_climb_ends_where_a_fresh_project_starts(history, tmp_path, steps):
    project = committed(history, tmp_path / "project", NOW, maturity_level=0)
    first = content(project)
    for level in steps:
        update(project, maturity_level=level)
        assert_no_conflict(project)
        commit(project)
        assert answers_of(project)["maturity_level"] == level
    fresh = content(copy_project(history, tmp_path / "fresh", NOW, maturity_level=4))
    assert content(project) == expected(first, fresh, 0)
    assert {"dvc.yaml", "params.yaml"} <= content(project).keys() - first.keys()


def test_a_climb_that_brings_a_new_version_too(history, tmp_path):
    project = committed(history, tmp_path / "project", BEFORE, maturity_level=0)
    first = content(project)
    update(project, maturity_level=2)
    assert_no_conflict(project)
    fresh = content(copy_project(history, tmp_path / "fresh", NOW, maturity_level=2))
    assert content(project) == expected(first, fresh, 0)


def test_a_climb_leaves_files_alone_that_were_there_before(history, tmp_path):
    project = copy_project(history, tmp_path / "project", NOW, maturity_level=0)
    own = ["dvc.yaml", "params.yaml", "operation/configuration/environment_dev/settings.yaml"]
    for path in own:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("ours: true\n", encoding="utf-8")
    commit(project)
    update(project, maturity_level=2)
    assert_no_conflict(project)
    assert [(project / path).read_text(encoding="utf-8") for path in own] == ["ours: true\n"] * 3
    assert (project / "operation/configuration/environment_stage/settings.yaml").is_file()


def test_what_a_team_deleted_does_not_come_back_with_a_level(history, tmp_path):
    project = copy_project(history, tmp_path / "project", NOW, maturity_level=2)
    deleted = ["dvc.yaml", "README.md", "docs/data/README.md", "operation/execution/charts.py"]
    for path in deleted:
        (project / path).unlink()
    commit(project)
    update(project, maturity_level=4)
    assert not [path for path in deleted if (project / path).exists()]


def test_lowering_the_level_deletes_nothing_and_raising_it_again_overwrites_nothing(history, tmp_path):
    answers = {"serving": ["batch"], "tracking_uri": "https://mlflow.example.org"}
    project = copy_project(history, tmp_path / "project", NOW, maturity_level=2, **answers)
    work_on(project)
    commit(project)
    first = content(project)
    for level in (0, 1, 0, 2):
        update(project, maturity_level=level)
        assert_no_conflict(project)
        commit(project)
        assert content(project) == first | {ANSWERS: first[ANSWERS] | {"maturity_level": level}}


def test_a_door_that_is_opened_later(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW, serving=["batch"])
    update(project, serving=["batch", "online"])
    assert_no_conflict(project)
    fresh = content(copy_project(history, tmp_path / "fresh", NOW))
    first_readme = content(project)["README.md"]
    assert content(project) == fresh | {"README.md": first_readme}


def test_a_cloud_that_is_chosen_later(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW, maturity_level=3)
    assert not list(project.rglob("identity*"))
    update(project, cloud="aws")
    identity = project / "operation" / "configuration" / "environment_prod" / "identity.yaml"
    assert "role_arn" in identity.read_text(encoding="utf-8")
    identity.write_text("role_arn: ours\n", encoding="utf-8")
    commit(project)
    update(project, cloud="gcp")
    assert_no_conflict(project)
    assert identity.read_text(encoding="utf-8") == "role_arn: ours\n"
    assert {path.stem for path in (project / "operation/execution/identity").iterdir()} == {"federated", "gcp", "login"}


def test_the_answers_file_can_be_read_by_any_yaml(history, tmp_path):
    project = committed(history, tmp_path / "project", NOW)
    stored = yaml.safe_load((project / ANSWERS).read_text(encoding="utf-8"))
    assert stored["_src_path"] == str(history)
    assert stored["reached_level"] == stored["maturity_level"] == 2
