"""Projects before and after an update, in the words of those who wonder what it did."""

from collections.abc import Iterable
from configparser import ConfigParser
from itertools import chain
from pathlib import Path

import yaml

from copier_mlops.lint.cli import main
from copier_mlops.lint.config import Config
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.lint.run import run as find
from tests.project import ANSWERS, commit, copy_project, files, matches, registry, run, team_files
from tests.update.conftest import LET_GO
from tests.update.team import Files

# What the template lets go, and projects that have it keep.
LEFT = {LET_GO, "docs/media/.gitkeep", "docs/references/.gitkeep"}
REMOTES, PROJECT = ".dvc/config", "pyproject.toml"


def committed(history: Path, path: Path, version: str, **answers: object) -> Path:
    """A project of a version of the template, in git."""
    project = copy_project(history, path, version, **answers)
    commit(project)
    return project


def written(contents: Files, path: Path) -> Path:
    """A project of these files, in git."""
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    commit(path)
    return path


def yours(names: Iterable[str], level: int) -> set[str]:
    """The files that belong to the team at a level."""
    return set(matches(chain.from_iterable(team_files()[: level + 1])).match_files(names))


def born(version: str) -> dict[str, int]:
    """Return the answer that makes a fresh project one of a version's layout: older ones keep their stages."""
    layouts = {"0.1.0": 0, "0.2.0": 0, "0.3.0": 1}
    return {"first_layout": layouts[version]} if version in layouts else {}


def parsed(contents: Files) -> dict[str, object]:
    """Return the files: of the answers file what was answered, of DVC's the settings in any order, others as they are.

    The answers are without the version that they were given to, and without the layout that the project was born with.
    That layout says where pyproject.toml has two lines, which come last here.
    """
    answers = yaml.safe_load(contents[ANSWERS])
    kept = {name: value for name, value in answers.items() if name not in ("_commit", "first_layout")}
    return (
        contents
        | {ANSWERS: kept}
        | {path: sections(contents[path]) for path in {REMOTES} & contents.keys() if is_configuration(contents[path])}
        | {path: reordered(contents[path]) for path in {PROJECT} & contents.keys()}
    )


def reordered(text: bytes) -> bytes:
    """Return pyproject.toml with the lines at its end that stand elsewhere in a project of another layout."""
    lines = text.splitlines(keepends=True)
    moved = sorted(line for line in lines if line.startswith((b"readme = ", b"version = ")))
    return b"".join([*(line for line in lines if line not in moved), *moved])


def is_configuration(text: bytes) -> bool:
    """Return whether a file has sections; a team's file of that name may be anything."""
    return text.lstrip().startswith(b"[")


def sections(text: bytes) -> dict[str, dict[str, str]]:
    """Return the settings of DVC by section."""
    parser = ConfigParser()
    parser.read_string(text.decode("utf-8"))
    return {name: dict(parser[name]) for name in parser.sections()}


def content(project: Path) -> dict[str, object]:
    """Every file of a project, and the answers of its answers file."""
    return parsed(files(project))


def starters(history: Path, version: str, level: int, target: int, names: Iterable[str]) -> set[str]:
    """Return the team's files that come with an update.

    They are those of new levels, of levels that brought nothing in this version, and of a layout that it did not have.
    """
    levels = yaml.safe_load(run(history, "git", "show", f"{version}:extensions/levels.yml"))
    if "yours" in levels[0]:  # 0.1.0 and 0.2.0 had them there
        known = [each["yours"] for each in levels]
    else:
        known = list(yaml.safe_load_all(run(history, "git", "show", f"{version}:extensions/yours.yml")))
    new = [each for number, each in enumerate(team_files()) if number > level or not known[number]]
    if not any("later" in each for each in levels):
        new += [each.get("later", {}).get("layout", []) for each in registry("levels")]
    return yours(names, target) & set(matches(chain.from_iterable(new)).match_files(names))


def expected(first: dict, fresh: dict, level: int, come: set[str] = frozenset()) -> dict:
    """The team's files as they were, and those that the template lets go; what is due; all others as rendered now."""
    managed = {path: text for path, text in fresh.items() if path in come or path not in yours(fresh, level)}
    return managed | {path: first[path] for path in yours(first, level) | (LEFT & first.keys())}


def lint(project: Path, *checks: str) -> list[Finding]:
    """What the lint finds, by all checks or by some."""
    return find(Project(project, Config(select=checks or ("MLO",))))


def unsolved(project: Path) -> set[tuple[str, str]]:
    """Return what the lint finds after `--fix`, by file and check; only the place of the manifests may change."""
    before = files(project)
    main(["--project", str(project), "--fix"])
    after = files(project)
    changed = {path for path in before if after.get(path) != before[path]}
    assert after.keys() == before.keys() and all(path.endswith("/kustomization.yaml") for path in changed)
    for path in changed:
        assert after[path] == before[path].replace(b"../../execution/release/kubernetes", b"../../execution/kubernetes")
    return {(each.path, each.check) for each in lint(project)}


def conflicts(project: Path) -> set[str]:
    """The files that git holds to be in conflict, or that were rejected; the lint names the same ones."""
    unmerged = {line.partition("\t")[2] for line in run(project, "git", "ls-files", "--unmerged").splitlines()}
    rejected = {path for path in files(project) if path.endswith(".rej")}
    named = {each.path for each in lint(project, "MLO101", "MLO102")}
    assert named == unmerged | rejected
    return named


def assert_no_conflict(project: Path) -> None:
    assert conflicts(project) == set()
