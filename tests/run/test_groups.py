"""Two builds of one package in groups that conflict, as for a CPU and a GPU: tasks keep the build that was chosen."""

import pytest

from tests.project import TEMPLATE, replace
from tests.run.project import Project, commands

BUILD = {"cpu": "0.12.1", "gpu": "1.0.0"}
GROUPS = "".join(f'{name} = ["toolz=={version}"]\n' for name, version in BUILD.items())
CONFLICTS = 'conflicts = [[{ group = "cpu" }, { group = "gpu" }]]\n'
LAST = '  "ruff>=0.12,<0.18",\n]\n'
# The first command of the page, for a machine without network, is run in test_offline.py.
_, CHOICE, OTHER = commands((TEMPLATE / "docs" / "how-to" / "dependencies.md").read_text(encoding="utf-8"))
# Tasks that call uv, or that uv is asked to sync for.
TASKS = ("uv run poe lint", "uv run poe test", "uv run poe setup", "uv run poe doctor")


@pytest.fixture
def project(copier, tmp_path) -> Project:
    """A project with both groups, set up."""
    project = copier.copy(tmp_path / "project", maturity_level=0)
    replace(project.path / "pyproject.toml", LAST, LAST + GROUPS)
    replace(project.path / "pyproject.toml", "package = true\n", f"package = true\n{CONFLICTS}")
    project.run("git init --quiet --initial-branch main")
    project.run("uv lock --quiet")
    project.commit()
    assert "Ready." in project.run("uv run poe setup")
    return project


def build(project: Project) -> str:
    """Return the version that is installed now; nothing if there is none."""
    found = list(project.path.glob(".venv/lib/*/site-packages/toolz-*.dist-info"))
    return "".join(each.name.removeprefix("toolz-").removesuffix(".dist-info") for each in found)


def change(project: Project) -> None:
    """Commit a change, so that git runs its hooks."""
    with (project.path / "src/german_credit/train.py").open("a", encoding="utf-8") as file:
        file.write("\n# A comment.\n")
    project.run("git commit --quiet --all --message Change")


@pytest.mark.parametrize("group", BUILD)
def test_tasks_and_hooks_keep_the_build_that_was_synced(project, group):
    assert build(project) == ""
    assert "incompatible with the conflicts" in project.run("uv sync --all-groups", fails=True)
    project.run(CHOICE.replace("gpu", group))
    for task in TASKS:
        project.run(task)
        assert build(project) == BUILD[group], task
    change(project)
    assert build(project) == BUILD[group]


def test_a_default_is_the_choice_of_all_and_one_machine_may_have_another(project):
    replace(project.path / "pyproject.toml", CONFLICTS, f'{CONFLICTS}default-groups = ["dev", "cpu"]\n')
    project.run("uv run poe setup")
    project.commit()
    assert build(project) == BUILD["cpu"]
    project.run(OTHER)
    for task in TASKS:
        project.run(task, UV_NO_SYNC="1")
        assert build(project) == BUILD["gpu"], task
    assert "UV_NO_SYNC leaves the environment as it is" in project.run("uv run poe doctor", UV_NO_SYNC="1")
    project.run("uv run poe lint")
    assert build(project) == BUILD["cpu"], "without it, `uv run` takes the default"
