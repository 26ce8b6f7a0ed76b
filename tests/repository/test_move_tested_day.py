"""`poe move-tested-day`: both files name the new day, or nothing changes."""

import tomllib
from datetime import date, timedelta

import pytest
import yaml

from tasks.move_tested_day import main, read_day, today
from tests.project import TEMPLATE, replace, run


def move(repository, *arguments: str) -> None:
    main(["--repository", str(repository), *arguments])


def refusal(repository, *arguments: str) -> str:
    """Return what the task says when it refuses; that it leaves every file alone is part of the test."""
    before = run(repository, "git", "status", "--short")
    with pytest.raises(SystemExit) as refused:
        move(repository, *arguments)
    assert run(repository, "git", "status", "--short") == before
    return str(refused.value)


def test_the_day_moves_in_both_files_and_nothing_else_changes(repository, capsys):
    move(repository, "--to", "2026-02-03")
    assert capsys.readouterr().out.startswith("moved the tested day from 2026-01-02 to 2026-02-03; next: ")
    moved = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["exclude-newer"]
    tested = (repository / "extensions" / "tested.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(tested) == {"day": moved, "uv": "0.13.9"}
    assert moved == "2026-02-03T00:00:00Z" and tested.startswith("# Kept.\n")
    assert run(repository, "git", "diff", "--shortstat") == " 2 files changed, 2 insertions(+), 2 deletions(-)\n"
    assert "2026-02-03T00:00:00Z" in (repository / "uv.lock").read_text(encoding="utf-8")


def test_without_a_day_it_becomes_the_one_five_days_ago_and_then_stays(repository, capsys):
    move(repository)
    assert read_day(repository) == today() - timedelta(days=5)
    capsys.readouterr()
    move(repository)
    assert capsys.readouterr().out == f"the tested day is {today() - timedelta(days=5)} already: nothing to move\n"


def test_a_day_that_is_newer_than_five_days_stays(repository):
    move(repository, "--to", str(today() - timedelta(days=1)))
    move(repository)
    assert read_day(repository) == today() - timedelta(days=1)


def test_a_day_before_the_present_one_is_refused(repository):
    assert "2025-12-31 is before the tested day, 2026-01-02.\n  fix: " in refusal(repository, "--to", "2025-12-31")


def test_a_day_that_has_not_come_is_refused(repository):
    said = refusal(repository, "--to", str(today() + timedelta(days=1)))
    assert f"\n  fix: uv run poe move-tested-day --to {today()}" in said


def test_text_that_is_not_a_day_is_refused(repository, capsys):
    assert refusal(repository, "--to", "monday") == "2"
    assert "invalid fromisoformat value: 'monday'" in capsys.readouterr().err


def test_two_different_days_are_refused(repository):
    replace(repository / "pyproject.toml", "2026-01-02", "2026-01-03")
    said = refusal(repository)
    assert "2026-01-03 in pyproject.toml and 2026-01-02 in extensions/tested.yml" in said and "\n  fix: " in said


def test_a_file_without_a_day_is_refused(repository):
    replace(repository / "extensions" / "tested.yml", "day: ", "days: ")
    assert "extensions/tested.yml does not name the tested day.\n  fix: " in refusal(repository)


def test_a_day_without_versions_that_fit_changes_nothing(repository):
    """uv is asked for a package in a folder that does not exist."""
    replace(repository / "pyproject.toml", "dependencies = []", 'dependencies = ["gone @ file:///nowhere/gone"]')
    said = refusal(repository, "--to", "2026-02-03")
    assert "`uv lock --quiet` ended with" in said and "nowhere" in said and "\n  fix: widen the bounds" in said
    assert read_day(repository) == date(2026, 1, 2)


def test_this_repository_names_one_day():
    assert read_day(TEMPLATE) <= today()
