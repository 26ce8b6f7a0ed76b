"""The project's copier-mlops: its pin, what is installed, and the version that rendered the project."""

import json
import sys
from pathlib import Path

import pytest

from copier_mlops.project import ANSWERS
from copier_mlops.setup.package import CHECK, FILE, pin
from tests.package.shared import PACKAGE

URL = "https://git.example.org/team/template.git"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"
SOURCE = f'{{ git = "{URL}", rev = "{COMMIT}" }}'
PROJECT = """\
[project]
name = "lending"
dependencies = ["copier-mlops[online]%s", "numpy>=2"]

[dependency-groups]
dev = ["Copier_MLOps[release]", { include-group = "more" }]
more = []
"""


@pytest.fixture
def here(inside, tmp_path, monkeypatch) -> Path:
    """A project that a git template rendered, and whose environment has its package at the pinned commit."""
    monkeypatch.chdir(tmp_path)
    answers(tmp_path, "0.3.0")
    pyproject(tmp_path, source=SOURCE)
    installed(tmp_path, "0.3.0", vcs_info={"vcs": "git", "commit_id": COMMIT, "requested_revision": COMMIT})
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    return tmp_path


def answers(folder: Path, commit: str, source: str = URL, index: bool = False) -> None:
    said = {"_commit": commit, "_src_path": source, "package_name": PACKAGE, "package_index": index}
    (folder / ANSWERS).write_text(json.dumps(said), encoding="utf-8")


def pyproject(folder: Path, bound: str = "", source: str = "") -> None:
    sources = f"\n[tool.uv.sources]\ncopier-mlops = {source}\n" if source else ""
    (folder / FILE).write_text(PROJECT % bound + sources, encoding="utf-8")


def installed(folder: Path, version: str, **origin: object) -> None:
    """What uv leaves beside an installed package."""
    place = folder / "site-packages" / "copier_mlops.dist-info"
    place.mkdir(parents=True, exist_ok=True)
    (place / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: copier-mlops\nVersion: {version}\n", encoding="utf-8"
    )
    (place / "direct_url.json").write_text(json.dumps({"url": URL, **origin}), encoding="utf-8")


def wrong(text: str, advice: str) -> None:
    found = CHECK.look()
    assert (found.ok, found.text, found.advice) == (False, text, advice)


def test_the_pinned_package_is_right(here):
    found = CHECK.look()
    assert (found.ok, found.text) == (True, "copier-mlops 0.3.0 is the pinned one")


def test_a_pin_by_a_tag_is_right(here):
    pyproject(here, source=f'{{ git = "{URL}", tag = "0.3.0" }}')
    installed(here, "0.3.0", vcs_info={"vcs": "git", "commit_id": COMMIT, "requested_revision": "0.3.0"})
    assert CHECK.look().ok


def test_a_folder_has_nothing_to_compare(here):
    pyproject(here, source='{ path = "/srv/template" }')
    for version in ("0.3.0", "0.4.0"):
        installed(here, version, dir_info={})
        assert CHECK.look().ok


def test_another_commit_than_the_pinned_one_is_named(here):
    installed(here, "0.3.0", vcs_info={"vcs": "git", "commit_id": OTHER, "requested_revision": OTHER})
    wrong(f"the installed copier-mlops is commit {OTHER[:12]}, but pyproject.toml pins {COMMIT[:12]}", "uv sync")
    installed(here, "0.3.0", dir_info={})
    wrong(f"the installed copier-mlops is {URL}, but pyproject.toml pins {COMMIT[:12]}", "uv sync")


@pytest.mark.parametrize(("bound", "ok"), [(">=0.3.0,<0.4", True), (">=0.3.1,<0.4", False)])
def test_a_version_out_of_bounds_is_named(here, bound, ok):
    answers(here, "0.3.0", index=True)
    pyproject(here, bound)
    if ok:
        assert CHECK.look().ok
    else:
        wrong("the installed copier-mlops is 0.3.0, but pyproject.toml requires <0.4,>=0.3.1", "uv sync")


def test_a_project_without_its_pin_is_named(here):
    pyproject(here)
    text = "pyproject.toml does not pin copier-mlops, so uv takes it from an index that anybody may publish to"
    wrong(text, f"uv add --rev 0.3.0 'copier-mlops @ git+{URL}'")
    (here / FILE).write_text('[project]\nname = "lending"\n', encoding="utf-8")
    wrong("pyproject.toml does not name copier-mlops, which does the work of the tasks", pin())


@pytest.mark.parametrize(
    ("source", "commit", "command"),
    [
        ("gh:team/template.git", "0.3.0-4-gabc1234", "uv add --rev abc1234 'copier-mlops @ git+https://github.com/team/template.git'"),
        ("git@git.example.org:team/t.git", COMMIT, f"uv add --rev {COMMIT} 'copier-mlops @ git+ssh://git@git.example.org/team/t.git'"),
        ("git+https://dev.example.org/t", "0.3.0", "uv add --rev 0.3.0 'copier-mlops @ git+https://dev.example.org/t'"),
        ("/srv/the template", "", "uv add '/srv/the template'"),
        ("", "", "git restore pyproject.toml, if an older commit has the pin, then: uv sync"),
    ],
)  # fmt: skip
def test_the_command_pins_to_where_the_project_came_from(here, source, commit, command):
    answers(here, commit, source)
    assert pin() == command


@pytest.mark.parametrize(
    "commit", ["0.3.0", "v0.3.0", "0.2.9-12-gabc1234", "0.2.0-1-gabc1234", COMMIT, "0304987", "", "0.3.7"]
)
def test_a_package_of_the_version_that_rendered_the_project_fits(here, commit):
    answers(here, commit)
    installed(here, "0.3.7", vcs_info={"vcs": "git", "commit_id": COMMIT})
    assert CHECK.look().ok


def test_an_older_or_newer_package_than_the_project_is_named(here):
    answers(here, "0.4.1-2-gabc1234")
    text = "copier-mlops 0.3.0 is {} than the template {} that rendered this project"
    wrong(text.format("older", "0.4.1"), f"uv add --rev abc1234 'copier-mlops @ git+{URL}'")
    answers(here, "0.2.0")
    wrong(text.format("newer", "0.2.0"), "uvx copier update")


def test_a_folder_is_as_new_as_it_is_now(here):
    answers(here, "0.2.0")
    pyproject(here, source='{ path = "/srv/template" }')
    assert CHECK.look().ok


def test_conflict_markers_are_named_with_their_line(here):
    text = (here / FILE).read_text(encoding="utf-8").splitlines()
    text[1:2] = ["<<<<<<< before updating", text[1], "=======", text[1], ">>>>>>> after updating"]
    (here / FILE).write_text("\n".join(text), encoding="utf-8")
    advice = "decide the place, delete the markers, then: uv sync"
    wrong("pyproject.toml, line 2: an update or a merge left a conflict", advice)


def test_a_file_that_is_not_toml_is_named_with_its_line(here):
    (here / FILE).write_text("[project]\nname = \n", encoding="utf-8")
    found = CHECK.look()
    assert found.text == "pyproject.toml cannot be read: Invalid value (at line 2, column 8)"
    assert found.advice == "correct that line, or: git restore pyproject.toml"
    (here / FILE).write_bytes(b"\xff\xfe")
    assert CHECK.look().text.startswith("pyproject.toml cannot be read: ")
    (here / FILE).unlink()
    wrong("pyproject.toml is not here", "git restore pyproject.toml")


@pytest.mark.parametrize(
    "text",
    ["project = 1", "[project]\ndependencies = 1", "[tool]\nuv = 1\n" + PROJECT % "", "[dependency-groups]\na = 1"],
)
def test_what_has_not_the_form_of_a_pyproject_is_named(here, text):
    (here / FILE).write_text(text, encoding="utf-8")
    wrong("pyproject.toml does not have the form that uv needs: `uv lock` says where", "git restore pyproject.toml")


def test_an_environment_of_another_project_is_named(here, team_project):
    (here / "src" / PACKAGE).mkdir(parents=True)
    found = CHECK.look()
    assert found.text.startswith(f"{PACKAGE} comes from {team_project / 'src' / PACKAGE}, not from {here}")
    assert found.text.endswith(f"two projects share the environment {sys.prefix}")
    assert found.advice == "unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT && uv sync"
