"""One repository, from the first release at level 0 through every version up to level 4, with a team's work in it."""

import json
import re
import shlex
import sys
from pathlib import Path

from tests.run.project import Project
from tests.update.conftest import NOW, RELEASES, history

__all__ = ["history"]

STEPS = [
    (RELEASES[0], 0),
    (RELEASES[0], 1),
    *((version, 1) for version in RELEASES[1:]),
    *((NOW, n) for n in range(1, 5)),
]
PACKAGE = "src/german_credit"
CI = ".github/workflows/ci.yml"
UNIT_TESTS = "      - name: Unit tests\n"
LINT_AND_TESTS = [f"uv run poe {task}" for task in ("lint", "test", "check-data")]
OURS = '''"""Ours."""


def ours() -> int:
    """Give what is ours."""
    return 1


if __name__ == "__main__":
    print(ours())
'''
OUR_TEST = '''"""Ours is tested."""

from german_credit import ours


def test_ours():
    assert ours.ours() == 1
'''
OUR_TASK = '[tasks.ours]\nhelp = "Run ours"\ncmd = "python -m german_credit.ours"\n\n'
OUR_STAGE = "  ours:\n    cmd: python -m german_credit.ours\n    deps:\n      - src/german_credit/ours.py\n\n"
# What the team does when a level is reached: a text of a file and what takes its place; an empty one is the end.
EDITS = {
    0: {
        "README.md": ("", "\n## Ours\n\nWhat we agreed on: “no surprises”.\n"),
        ".gitignore": ("", "\n/ours/\n"),
        "pyproject.toml": ("dependencies = [\n", 'dependencies = [\n  "packaging>=24,<27",\n'),
        "poe_tasks.toml": ("[tasks.test]\n", f"{OUR_TASK}[tasks.test]\n"),
        "ruff.toml": ("", "# Ours\n"),
        f"{PACKAGE}/prepare.py": ("", "\n\n# Ours: to be split by customer.\n"),
    },
    1: {CI: (UNIT_TESTS, f"      - name: Ours\n        run: uv run poe ours\n{UNIT_TESTS}")},
    2: {
        "dvc.yaml": ("stages:\n", f"stages:\n{OUR_STAGE}"),
        "params.yaml": ("seed: 42\n", "seed: 7\n"),
        "operation/configuration/environment_dev/settings.yaml": ("port: 8000\n", "port: 8010\n"),
    },
    3: {"operation/configuration/host.yaml": ("  model: []\n", "  model: [ada]\n")},
    4: {"operation/configuration/environment_prod/monitoring.yaml": ("max_age_days: 90\n", "max_age_days: 30\n")},
}
ADDED = {f"{PACKAGE}/ours.py": OURS, "operation/tests/unit/test_ours.py": OUR_TEST, "notebooks/ours.md": "# Ours\n"}
DELETED = ["docs/code/README.md", "docs/data/README.md"]


def copier(project: Project, *arguments: str) -> None:
    """Copier on the command line, as a person calls it."""
    project.run(shlex.join([sys.executable, "-m", "copier", *arguments]))


def work(project: Project, level: int) -> None:
    """What the team does at a level."""
    for path, (before, after) in EDITS[level].items():
        text = project.text(path)
        assert before in text, path
        changed = text.replace(before, after, 1) if before else text + after
        (project.path / path).write_text(changed, encoding="utf-8")
    if level == 0:
        for path, text in ADDED.items():
            (project.path / path).write_text(text, encoding="utf-8")
        for path in DELETED:
            (project.path / path).unlink()


def assert_nothing_is_lost(project: Project, level: int) -> None:
    """Every line of the team is where it was, and what it deleted stays away."""
    for edits in (EDITS[number] for number in range(level + 1)):
        for path, (_, after) in edits.items():
            assert after in project.text(path), path
    assert {path: project.text(path) for path in ADDED} == ADDED
    assert not [path for path in DELETED if (project.path / path).exists()]
    assert project.run("git ls-files --unmerged") == ""


def assert_green(project: Project, level: int) -> None:
    """What the level promises works: its own lint, tests and training, all that CI runs, and the template's lint."""
    project.run("uv run poe setup")
    for step in re.findall(r"run: (uv run poe .+)", project.text(CI)) if level >= 1 else LINT_AND_TESTS:
        if "comment" not in step:  # it is for the git host
            project.run(step)
    if level >= 2:
        project.run("uv run poe train")
        project.run("uv run poe register")
    project.run("uv run poe doctor")
    project.run("git add --all")
    project.run(f"git commit --allow-empty --message 'Level {level}'")  # the hooks check it
    command = [sys.executable, "-m", "copier_mlops", "lint", "--project", str(project.path)]
    assert "0 errors" in project.run(shlex.join(command))


def test_from_the_first_release_at_level_0_to_now_at_level_4(history, tmp_path):
    address = f"git+{history.as_uri()}"
    project = Project(tmp_path / "project")
    project.path.mkdir()
    version, level = STEPS[0]
    copier(project, "copy", "--defaults", f"--vcs-ref={version}", f"--data=maturity_level={level}", address, ".")
    reached = -1
    for version, level in STEPS:
        if reached >= 0:
            wanted = ["--defaults", f"--vcs-ref={version}", f"--data=maturity_level={level}"]
            copier(project, "update", *wanted)
        answers = project.answers
        assert (answers["_commit"], answers["maturity_level"]) == (version, level)
        if level > reached:
            work(project, level)
            reached = level
        if version in (RELEASES[0], NOW):
            assert_green(project, level)
        else:  # what was released in between is as it was, and was green then
            project.commit()
        assert_nothing_is_lost(project, level)
    assert_maturity(project)


def assert_maturity(project: Project) -> None:
    """The way here shows: all of level 2 but for what nobody did, and what level 3 lacks is named."""
    remote = Path(f"{project.path}.git")
    project.run(f"git init --quiet --bare {shlex.quote(str(remote))}")
    project.run(f"git remote add origin {remote.as_uri()}")
    project.run("uv run poe report")
    project.commit()
    project.run("git push --quiet origin HEAD:main")
    assert f"{CI}: MLO801 warning: differs from the template" in project.run("uv run poe drift")
    printed = project.run("uv run --quiet poe --quiet maturity --json")
    found, _ = json.JSONDecoder().raw_decode(printed)  # what it said while it worked follows
    unmet = {each["id"]: each["evidence"] for each in found["criteria"] if not each["met"]}
    assert found["level"] == 2, unmet
    assert {"approvers", "stage", "prod", "traced", "answers", "without-gap"} == unmet.keys()
    assert re.fullmatch(
        r"run [0-9a-f]{32}", next(each["evidence"] for each in found["criteria"] if each["id"] == "tracked")
    )
