"""Whatever a team writes into whatever file, an update loses no line of it."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.project import ANSWERS, copy_project, files, update_project
from tests.update.conftest import BEFORE, LET_GO, NOW, RELEASES
from tests.update.team import Files
from tests.update.updated import conflicts, lint, written, yours

LEVEL = 3
TRY = settings(max_examples=int(os.environ.get("SEARCH", "10")))
NEWLINE = b"\n"

# What somebody may type, without the markers of a conflict: those are found, whoever wrote them.
TRICKY = [
    "",
    "  ",
    "-- ",
    "+++ b/x",
    "--- a/x",
    "@@ -1 +1 @@",
    "diff --git a/x b/x",
    "\\ No newline at end of file",
    "größer",
]
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\0"), max_size=12)
NAMES = ["ours.py", "operation/ours.py", "src/german_credit/ä ö.py", 'notebooks/"x".md', "new/dir/x.yml"]
ACTIONS = ["insert", "insert", "replace", "replace", "append", "delete", "windows", "add", "remove", "rename"]


@dataclass(frozen=True)
class Edit:
    """What somebody does to one file: which file, where in it, and what is typed there."""

    action: str
    file: int
    place: int
    count: int
    lines: list[str]
    end: str
    name: str


EDIT = st.builds(
    Edit,
    action=st.sampled_from(ACTIONS),
    file=st.integers(0, 400),
    place=st.integers(0, 5) | st.integers(0, 400),
    count=st.integers(0, 5),
    lines=st.lists(st.sampled_from(TRICKY) | TEXT, min_size=1, max_size=4),
    end=st.sampled_from(["\n", "\n", "\r\n", ""]),
    name=st.sampled_from(NAMES),
)


def edit(contents: Files, todo: Edit, number: int) -> Files:
    """The files after one edit; each line that is typed is like no other."""
    names = sorted(path for path in contents if path != ANSWERS and not path.endswith(".csv"))
    path = names[todo.file % len(names)]
    typed = "".join(f"ours {number} {text}{todo.end or os.linesep}" for text in todo.lines)
    typed = (typed if todo.end else typed.rstrip("\r\n")).encode()
    lines = contents[path].splitlines(keepends=True)
    at = todo.place % (len(lines) + 1)
    if todo.action in ("remove", "rename"):
        left = {name: content for name, content in contents.items() if name != path}
        return left | ({todo.name: contents[path]} if todo.action == "rename" else {})
    changed = {
        "add": {todo.name: typed},
        "append": {path: contents[path] + typed},
        "insert": {path: b"".join([*lines[:at], typed, *lines[at:]])},
        "replace": {path: b"".join([*lines[:at], typed, *lines[at + todo.count :]])},
        "delete": {path: b"".join([*lines[:at], *lines[at + todo.count :]])},
        "windows": {path: contents[path].replace(b"\r\n", NEWLINE).replace(NEWLINE, b"\r\n")},
    }
    return contents | changed[todo.action]


def assert_nothing_lost(before: Files, now: Files, first: Files, found: Files) -> None:
    """A fresh project of either version, what the team made of the older one, and what the update left of that."""
    team = yours(first, LEVEL) | (first.keys() - before.keys() - now.keys()) | (first.keys() & {LET_GO})
    assert {path: found.get(path) for path in team} == {path: first[path] for path in team}
    assert not (before.keys() - first.keys()) & found.keys(), "what the team deleted came back"
    dropped = before.keys() - now.keys()  # the exception: docs/how-to/updates.md
    for path in first.keys() - team - dropped - {ANSWERS}:
        ours = set(first[path].split(NEWLINE)) - set(before.get(path, b"").split(NEWLINE))
        kept = found[path] + NEWLINE + found.get(f"{path}.rej", b"")
        assert ours <= set(kept.split(NEWLINE)), path


@pytest.fixture(scope="module")
def rendered(history, tmp_path_factory) -> dict[str, Files]:
    """The files of a fresh project of each version."""

    def render(version: str) -> Files:
        folder = tmp_path_factory.mktemp("fresh") / "project"
        return files(copy_project(history, folder, version, maturity_level=LEVEL))

    return {version: render(version) for version in (*RELEASES[:1], BEFORE, NOW)}


@pytest.mark.parametrize("version", [*RELEASES[:1], BEFORE])
def test_no_line_is_lost(rendered, version):
    before, now = rendered[version], rendered[NOW]
    clashed = []

    @TRY
    @given(st.lists(EDIT, min_size=15, max_size=40))
    def update(edits: list[Edit]) -> None:
        first = before
        for number, each in enumerate(edits):
            first = edit(first, each, number)
        with tempfile.TemporaryDirectory() as folder:
            project = written(first, Path(folder, "project"))
            first = files(project)
            update_project(project)
            clashed.extend(conflicts(project))
            assert_nothing_lost(before, now, first, files(project))

    update()
    assert clashed, "no edit met one of the template's: the test tries too little"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_what_an_update_would_drop_is_named_before_it(rendered, tmp_path, encoding):
    before = rendered[BEFORE]
    ours = "\n# größer".encode(encoding)
    project = written(before | {".gitignore": before[".gitignore"] + ours}, tmp_path / "project")
    assert [(each.check, each.path) for each in lint(project)] == [("MLO001", ".gitignore")]
    update_project(project)
    assert ours not in (project / ".gitignore").read_bytes(), "copier has learnt it: the check, docs and test may go"
