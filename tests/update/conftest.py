"""The template's history, with a tag for each release, the work tree as its newest version, and one version in between.

The version in between differs from the work tree in every way that matters to an update, so that updates are tried
before there is a release, too.
"""

import shutil
from pathlib import Path

import pytest

from tasks.tag_releases import Release, ReleaseError, find_releases, tag_releases
from tests.project import PARTS, TEMPLATE, commit, copy_template, run

NOW, BEFORE = "1001.0.0", "1000.0.0"
NEW_MANAGED, NEW_STARTER = ".pre-commit-config.yaml", "notebooks/README.md"
DROPPED = "operation/execution/dropped.py"


def known_releases() -> list[Release]:
    """The releases in the history; a test says what is wrong where they cannot be found."""
    try:
        return find_releases(TEMPLATE)
    except ReleaseError:
        return []


RELEASES = [release.version for release in known_releases()]


def replace_template(history: Path) -> None:
    """Put the work tree's template, with the package that lints, into the scratch clone."""
    for name in PARTS:
        if (history / name).is_dir():
            shutil.rmtree(history / name)
    copy_template(history)
    shutil.copy(TEMPLATE / "pyproject.toml", history)


def make_older(history: Path) -> None:
    """What the template of the version before had, and had not."""
    template = history / "template"
    for name, text in {
        "ruff.toml.jinja": "\n# This comment is gone in the next version.\n",
        "pyproject.toml.jinja": "\n[tool.gone]\nnext = true\n",
        "README.md.jinja": "\nThis sentence is gone in the next version.\n",
        "src/{{ package_name }}/train.py": "\n# This comment is gone in the next version.\n",
    }.items():
        with (template / name).open("a", encoding="utf-8") as file:
            file.write(text)
    (template / DROPPED).write_text('"""Gone in the next version."""\n', encoding="utf-8")
    (template / f"{NEW_MANAGED}.jinja").unlink()
    (template / NEW_STARTER).unlink()


@pytest.fixture(scope="session")
def history(tmp_path_factory) -> Path:
    """A scratch clone that updates can come from."""
    path = tmp_path_factory.mktemp("history") / "template"
    run(path.parent, "git", "clone", "--quiet", str(TEMPLATE), path.name)
    if RELEASES:
        tag_releases(path)
    replace_template(path)
    make_older(path)
    run(path, "git", "tag", BEFORE, commit(path, "The version before"))
    replace_template(path)
    run(path, "git", "tag", NOW, commit(path, "The work tree"))
    return path
