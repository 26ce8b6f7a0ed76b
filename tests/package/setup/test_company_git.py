"""Setup and doctor with git as companies have it, and with data that somebody changed."""

import shutil
from pathlib import Path

import pytest

from copier_mlops.setup import checks, data, prepare
from tests.project import commit, run


@pytest.fixture
def moved(team_project, tmp_path, monkeypatch):
    """A copy of the project, as a folder in a repository of its own, in which the checks run."""

    def move(place: str = ".") -> Path:
        folder = tmp_path / "repository" / place
        shutil.copytree(team_project, folder, ignore=shutil.ignore_patterns(".git", "build"))
        commit(tmp_path / "repository")
        monkeypatch.chdir(folder)
        for module in (checks, data):
            monkeypatch.setattr(module, "root", lambda: folder)
        monkeypatch.setattr("copier_mlops.project.root", lambda: folder)
        monkeypatch.setattr(prepare, "root", lambda: folder)
        return folder

    return move


def test_a_folder_of_another_user_is_named_and_no_repository_is_made_in_it(moved, monkeypatch):
    folder = moved()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = checks.look_git()
    assert (found.ok, found.text) == (
        False,
        f"git does not trust this folder, since it belongs to another user: {folder}",
    )
    assert found.advice == f"git config --global --add safe.directory {folder}"
    checks.fix_git()
    assert not checks.look_git().ok


def test_hooks_of_a_folder_that_a_company_names_are_left_alone(moved):
    folder = moved()
    run(folder, "git", "config", "core.hooksPath", "/opt/company/hooks")
    found = checks.look_hooks()
    assert found.ok
    assert found.text.startswith(
        "git takes hooks from /opt/company/hooks, as core.hooksPath says, so none was installed"
    )


def test_hooks_of_a_repository_with_several_projects_are_left_alone(moved):
    folder = moved("models/credit")
    found = checks.look_hooks()
    assert found.ok
    assert found.text.startswith(f"the project is a folder of {folder.parents[1]}, whose hooks run for all of it")


def test_the_hooks_of_the_project_are_installed(moved):
    moved()
    assert not checks.look_hooks().ok


def test_a_change_of_the_data_is_not_taken_into_the_cache(moved):
    folder = moved()
    raw, pointer = folder / "data/raw/german_credit.csv", folder / "data/raw/german_credit.csv.dvc"
    before = pointer.read_bytes()
    raw.write_bytes(raw.read_bytes() + b"1\n")
    data.fix_data()
    assert pointer.read_bytes() == before
    assert data.look_data().text == "changed since the last commit: data/raw/german_credit.csv"


def test_a_remote_that_lists_no_files_is_not_an_error(moved):
    folder = moved()
    run(folder, "dvc", "remote", "modify", "--local", "storage", "url", "http://127.0.0.1:9/data")
    found = data.look_remote()
    assert (found.ok, "its protocol lists no files" in found.text) == (True, True)


def test_a_main_branch_of_another_name_is_named_with_the_way(moved):
    folder = moved()
    assert prepare.look_ci().ok
    run(folder, "git", "branch", "-m", "master")
    found = prepare.look_ci()
    assert (found.ok, found.text.endswith("no such branch; you are on `master`")) == (False, True)
    assert "`git branch -m master main`" in found.advice


def test_ci_files_in_a_folder_of_a_repository_are_named_until_the_team_says_otherwise(moved):
    folder = moved("models/credit")
    found = prepare.look_ci()
    assert (found.ok, "does not read CI files in models/credit/" in found.text) == (False, True)
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tool.copier-mlops-lint]\nignore = ["ci-unread"]\n')
    assert prepare.look_ci().ok
