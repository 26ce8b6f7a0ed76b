"""Where a project's things are: its root, its answers and the team's package."""

import sys

import pytest

from copier_mlops import project, settings
from copier_mlops.project import ANSWERS
from tests.package.shared import PACKAGE


def test_a_folder_without_a_project_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"no project here: neither .* has \.copier-answers\.yml\n  fix: change into"):
        project.root()


@pytest.mark.parametrize("text", ["a: [", "- a list\n", "\x00"])
def test_answers_that_cannot_be_read_are_named(copied, text):
    (copied / ANSWERS).write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=rf"{ANSWERS} (cannot be read|has no answers).*\n  fix: git restore"):
        project.answer("package_name")


def test_the_teams_package_is_imported_by_its_answer(inside):
    assert project.team("score").CONTRACT is project.team("ingest").CONTRACT
    project.check_virtual_environment()
    with pytest.raises(
        SystemExit, match=rf"mlops: {PACKAGE}.no_such cannot be imported; it is src/{PACKAGE}/no_such.py"
    ):
        project.team("no_such")


def test_a_package_that_is_not_installed_is_named(copied):
    answers = (copied / ANSWERS).read_text(encoding="utf-8")
    (copied / ANSWERS).write_text(
        answers.replace(f"package_name: {PACKAGE}", "package_name: elsewhere"), encoding="utf-8"
    )
    with pytest.raises(SystemExit) as end:
        project.check_virtual_environment()
    assert str(end.value) == f"mlops: elsewhere is not installed in the environment {sys.prefix}\n  fix: uv sync"
    with pytest.raises(SystemExit, match="mlops: elsewhere cannot be imported; it is src/elsewhere\n  fix: uv sync"):
        project.team("score")


def test_two_projects_in_one_environment_are_named(copied, team_project):
    (copied / "src" / PACKAGE).mkdir(parents=True)
    for refused in (project.check_virtual_environment, lambda: project.team("score")):
        with pytest.raises(SystemExit) as end:
            refused()
        said, command = str(end.value).splitlines()
        assert f"{PACKAGE} comes from {team_project / 'src' / PACKAGE}, not from {copied}" in said
        assert command == "  fix: unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT && uv sync"


def test_files_of_teams_import_settings_from_here():
    assert project.load_settings is settings.load_settings and project.Settings is settings.Settings
    assert not hasattr(project, "FileSettings")
