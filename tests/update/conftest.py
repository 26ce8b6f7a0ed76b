"""The template's history, with a tag for each release, the work tree as its newest version, and one version in between.

The version in between differs from the work tree in every way that matters to an update, so that updates are tried
before there is a release, too.
"""

import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from tasks.tag_releases import Release, ReleaseError, find_releases, tag_releases
from tests.project import PARTS, TEMPLATE, commit, copy_template, registry, replace, run

NOW, BEFORE = "1001.0.0", "1000.0.0"
NEW_MANAGED, NEW_STARTER = ".pre-commit-config.yaml", "docs/data/README.md"
# What the version before had and this one has not: a file that updates delete, and one that they leave to the team.
DROPPED, LET_GO = "operation/execution/dropped.py", "operation/execution/let_go.py"


def known_releases() -> list[Release]:
    """The releases in the history; a test says what is wrong where they cannot be found."""
    try:
        return find_releases(TEMPLATE)
    except ReleaseError:
        return []


RELEASES = [release.version for release in known_releases()]


def replace_template(history: Path, version: str) -> None:
    """Put the work tree's template and its package into the scratch clone, as those of a version."""
    for name in (*PARTS, "src"):
        if (history / name).is_dir():
            shutil.rmtree(history / name)
    copy_template(history)
    shutil.copytree(TEMPLATE / "src", history / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TEMPLATE / "pyproject.toml", history)
    now = registry("tested")["version"]
    replace(history / "pyproject.toml", f'version = "{now}"', f'version = "{version}"')
    replace(history / "extensions" / "tested.yml", f"version: {now}", f"version: {version}")


def other_day(days: int) -> tuple[str, str]:
    """Return the tested day, and the one that is so many days later."""
    day = date.fromisoformat(registry("tested")["day"][:10])
    return str(day), str(day + timedelta(days=days))


# What the version before said in place of what is there now.
OLDER = {
    "extensions/flows/ci.yml": ("minutes: 20", "minutes: 30"),
    "extensions/tested.yml": other_day(-31),
    "template/pyproject.toml.jinja": ("[build-system]", "[tool.gone]\nnext = true\n\n[build-system]"),
    "template/ruff.toml.jinja": ("[lint]", "# This comment is gone in the next version.\n[lint]"),
    "template/README.md.jinja": ("## Start", "This sentence is gone in the next version.\n\n## Start"),
    "template/src/{{ package_name }}/train.py": ("import", "# This comment is gone in the next version.\nimport"),
}
HEADER = ("Managed by the template", "Managed by its template")


def change_managed(template: Path) -> None:
    """Say something else in the first lines of each managed file, and write the files that come from registries."""
    for path in [*template.glob("template/**/*"), *template.glob("extensions/hosts/*.py")]:
        if path.is_file() and HEADER[0] in path.read_text(encoding="utf-8"):
            replace(path, *HEADER)
    run(template, sys.executable, "-m", "extensions.render")


def make_older(history: Path) -> None:
    """What the template of the version before had, and had not; each managed file said something else."""
    for name, (now, before) in OLDER.items():
        replace(history / name, now, before)
    change_managed(history)
    for name in (DROPPED, LET_GO):
        (history / "template" / name).parent.mkdir(parents=True, exist_ok=True)
        (history / "template" / name).write_text('"""Gone in the next version."""\n', encoding="utf-8")
    (history / "template" / f"{NEW_MANAGED}.jinja").unlink()
    (history / "template" / NEW_STARTER).unlink()


@pytest.fixture(scope="session")
def history(tmp_path_factory) -> Path:
    """A scratch clone that updates can come from."""
    path = tmp_path_factory.mktemp("history") / "template"
    run(path.parent, "git", "clone", "--quiet", str(TEMPLATE), path.name)
    if RELEASES:
        tag_releases(path)
    replace_template(path, BEFORE)
    make_older(path)
    run(path, "git", "tag", BEFORE, commit(path, "The version before"))
    replace_template(path, NOW)
    replace(path / "copier.yml", "_exclude:\n", f"_exclude:\n  - /{LET_GO}\n")
    run(path, "git", "tag", NOW, commit(path, "The work tree"))
    return path
