"""The files of a project, from git if there is git. Links are never followed."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from copier_mlops.command import CommandError, run_bytes

# Folders that are never part of a project without git; its .gitignore has the others.
SKIPPED = {".git", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox"}


@dataclass(frozen=True)
class Listing:
    """The regular files, by their paths with slashes, relative to the project."""

    files: dict[str, int]
    tracked: frozenset[str]
    unmerged: frozenset[str]
    without_git: str
    prefix: str


def git(root: Path, *arguments: str) -> bytes:
    """Return what git prints. It runs no program that the repository configures, and never asks for a password.

    Raises:
        OSError: Git is missing or failed; the text is git's own.
    """
    try:
        return run_bytes("git", "-c", "core.fsmonitor=false", *arguments, cwd=root, GIT_TERMINAL_PROMPT="0")
    except CommandError as error:
        raise OSError(str(error).splitlines()[0].removeprefix("fatal: ")) from None


def head(root: Path) -> str:
    """Return the short hash of the commit that is checked out.

    Raises:
        OSError: Git, a repository or a commit is missing; the text is git's own.
    """
    return git(root, "rev-parse", "--short", "--verify", "HEAD").decode().strip()


def list_files(root: Path) -> Listing:
    """Return the files of the project: those in git and those that could be added."""
    try:
        staged = git(root, "ls-files", "--stage", "-z").split(b"\0")[:-1]
        others = git(root, "ls-files", "--others", "--exclude-standard", "-z").split(b"\0")[:-1]
        prefix = os.fsdecode(git(root, "rev-parse", "--show-prefix").strip(b"\n"))
    except OSError as error:
        found = regular(root, walk(root))
        return Listing(found, frozenset(), frozenset(), str(error), "")
    tracked, unmerged = set(), set()
    for entry in staged:
        meta, _, name = entry.partition(b"\t")
        tracked.add(os.fsdecode(name))
        if not meta.endswith(b" 0"):
            unmerged.add(os.fsdecode(name))
    found = regular(root, sorted(tracked | {os.fsdecode(name) for name in others}))
    return Listing(found, frozenset(tracked & found.keys()), frozenset(unmerged), "", prefix)


def regular(root: Path, names: list[str]) -> dict[str, int]:
    """Return the names of regular files, which are not links, with their sizes."""
    found = {}
    for name in names:
        try:
            status = os.lstat(os.path.join(root, name))  # noqa: PTH118 (a Path per file costs more than the rest)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode):
            found[name] = status.st_size
    return found


def walk(root: Path) -> list[str]:
    """Return every file below a folder that is not in git, except those that its .gitignore leaves out."""
    names = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        place = Path(folder).relative_to(root)
        names += [(place / name).as_posix() for name in files]
    try:
        lines = (root / ".gitignore").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return sorted(names)
    from pathspec import GitIgnoreSpec

    return sorted(set(names) - set(GitIgnoreSpec.from_lines(lines).match_files(names)))


def find_root(start: Path, answers: str) -> Path:
    """Return the project around a folder: the nearest folder with an answers file, within the git repository."""
    top = None
    for folder in (start, *start.parents):
        if (folder / answers).is_file():
            return folder
        if (folder / ".git").exists():
            top = folder
            break
    return top or start
