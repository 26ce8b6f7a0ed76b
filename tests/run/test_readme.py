"""A newcomer follows the README of the generated project, command by command."""

import shlex

import pytest

from tests.project import TEMPLATE
from tests.run.project import commands
from tests.run.test_skills import follow as follow_instructions
from tests.run.test_skills import skills

SERVERS = {"uv run poe serve": "http://127.0.0.1:8000/health", "uv run mlflow ui": "http://127.0.0.1:5000/health"}
# Asks questions on a terminal; tests/update runs it for every release.
ELSEWHERE = {"uvx copier update"}


def follow(project, text: str) -> list[str]:
    """Run every command of a text; a server is started, waited for and ended."""
    followed = commands(text)
    for command in followed:
        if command in SERVERS:
            with project.serve(command, SERVERS[command]):
                pass
        elif command not in ELSEWHERE:
            project.run(command)
    return followed


def test_the_default_project(project):
    followed = follow(project, project.text("README.md"))
    assert {"uv run poe setup", "uv run poe train", "uv run poe serve", "uv run dvc push"} <= set(followed)


@pytest.mark.parametrize("level", [0, 1])
def test_the_levels_below(copier, tmp_path, level):
    project = copier.copy(tmp_path / "project", maturity_level=level, coding_agents=["agents"])
    done = set(follow(project, project.text("README.md")))
    project.run("uv run poe check-data")
    for text in (project.text("AGENTS.md"), skills(project.path)["start"]):
        follow_instructions(project, text, done | {"uv run poe adopt-data FILE --target COLUMN"}, TASK="doctor")


def test_a_file_is_added_to_the_data_as_its_readme_says(unchanged):
    (unchanged.path / "data" / "raw" / "FILE").write_text("more data")
    for command in commands(unchanged.text("data/README.md")):
        unchanged.run(command)
    assert "data/raw/FILE.dvc" in unchanged.run("git status --short")
    unchanged.run("git reset --quiet")
    for leftover in ("FILE", "FILE.dvc"):
        (unchanged.path / "data" / "raw" / leftover).unlink()


def test_every_task_says_what_it_does(project):
    listed = project.run("uv run poe --help")
    for task in ("setup", "doctor", "register", "rollback", "evaluate", "report", "serve", "predict", "track"):
        assert task in listed
        assert "usage: poe" in project.run(f"uv run poe {task} --help")


def test_the_readme_of_the_template_names_the_two_commands():
    named = commands((TEMPLATE / "README.md").read_text(encoding="utf-8"))
    assert "pip install uv && uv run poe demo" in named
    assert "uv run poe test" in named
    assert shlex.split("uv run poe test")[-1] in (TEMPLATE / ".ci" / "run").read_text()
