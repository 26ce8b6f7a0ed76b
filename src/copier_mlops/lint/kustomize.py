"""A fix after an update from 0.2.0: `kustomization.yaml` names the new folder of the shared manifests."""

import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from copier_mlops.lint import fixes, rewriting
from copier_mlops.lint.project import READ_LIMIT, Project
from copier_mlops.lint.retired import mentioned, retired
from copier_mlops.lint.rewriting import LeftAloneError, Place

NAMES = ("kustomization.yaml", "kustomization.yml")
ENVIRONMENTS = "operation/configuration/environment_*/kustomization.yaml"
# Below these keys, kustomize reads paths relative to the folder of the file.
KEYS = ("resources", "components", "bases")
# The folder of the shared manifests in projects of 0.2.0, and the folder now.
MOVED = "operation/execution/release/kubernetes"
NOW = "operation/execution/kubernetes"


@dataclass(frozen=True)
class Offer:
    """The lines that `--fix` would change, and the fix; or the reason why it must not."""

    lines: set[int] = field(default_factory=set)
    fix: Callable[[], bool] | None = None
    refusal: str = ""


def old_line(root: Path, file: Path) -> int:
    """Return the line of an environment's kustomization.yaml that names the folder of 0.2.0; 0 if none does."""
    if (root / MOVED).exists() or not file.is_file():
        return 0
    try:
        with file.open("rb") as opened:
            text = opened.read(READ_LIMIT).decode("utf-8-sig", "replace")
    except OSError:
        return 0
    return next((line for line, name in mentioned(text.splitlines()) if name == MOVED), 0)


def old_files(root: Path) -> list[Path]:
    """Return each environment's kustomization.yaml that names the folder of 0.2.0."""
    return [file for file in sorted(root.glob(ENVIRONMENTS)) if old_line(root, file)]


def is_link(root: Path, file: Path) -> bool:
    """Return whether a file of a project is a link or lies behind one."""
    return file.resolve() != root.resolve() / file.relative_to(root)


def way_out(root: Path, file: Path) -> str:
    """Return the fix of such a file: a command, or for a link what to write by hand."""
    if is_link(root, file):
        was, now = (posixpath.relpath(each, file.parent.relative_to(root).as_posix()) for each in (MOVED, NOW))
        return f"write {now} in place of {was} in {file.resolve()}, to which it is a link"
    return "uv run poe lint-template --fix"


def links(project: Project) -> Iterator[tuple[str, int]]:
    """Yield each such file that is a link, and its line; the listing of a project leaves links out."""
    for file in old_files(project.root):
        if is_link(project.root, file):
            yield file.relative_to(project.root).as_posix(), old_line(project.root, file)


def fixed(project: Project, path: str) -> bytes | None:
    """Return a kustomization.yaml with the new place of each moved path; None if nothing moved for certain.

    Raises:
        LeftAloneError: It cannot be changed safely.
    """
    if path.rpartition("/")[2] not in NAMES or (before := project.read(path)) is None:
        return None
    folder = path.rpartition("/")[0]

    def choose(place: Place, value: str) -> str:
        is_path = len(place) == 2 and place[0] in KEYS and isinstance(place[1], int)
        return _moved(project, folder, value) if is_path else value

    after = rewriting.with_values(before, choose)
    return after if after != before else None


def _moved(project: Project, folder: str, value: str) -> str:
    """Return the new place of a moved path, in the form in which it was written; other values stay."""
    old = posixpath.normpath(posixpath.join(folder, value))
    new = retired().get(old, "")
    if not new or not (project.root / new).exists() or (project.root / old).exists():
        return value
    common = posixpath.commonpath([old, new])
    tail = posixpath.relpath(old, common)
    end = value[len(value.rstrip("/")) :]
    head = value.removesuffix(end).removesuffix(tail)
    written = head + posixpath.relpath(new, common)
    return written + end if posixpath.normpath(posixpath.join(folder, written)) == new else value


def lines(before: bytes, after: bytes) -> set[int]:
    """Return the numbers of the lines, from 1 on, in which two texts of equal length differ."""
    pairs = zip(before.decode().splitlines(), after.decode().splitlines(), strict=True)
    return {number for number, (one, other) in enumerate(pairs, 1) if one != other}


def refuse_unwritable(root: Path, path: str) -> None:
    """Refuse a file that is read-only or a link.

    Raises:
        LeftAloneError: It is one.
    """
    file = root / path
    if is_link(root, file):
        raise LeftAloneError("is a link, or lies behind one")
    if not os.access(file, os.W_OK) or not stat.S_IMODE(file.stat().st_mode) & 0o222:
        raise LeftAloneError("is read-only")


def move(project: Project, path: str) -> Callable[[], bool]:
    """Write the moved paths of a kustomization.yaml; check it again right before."""

    def fix() -> bool:
        now = Project(project.root)
        try:
            after = fixed(now, path) if path in now.files else None
            if after is None:
                return False
            refuse_unwritable(project.root, path)
        except LeftAloneError:
            return False
        fixes.replace(project.root / path, after)
        return True

    return fix


def offer(project: Project, path: str) -> Offer:
    """Return what `--fix` would do in a file that names something that is gone."""
    try:
        after = fixed(project, path)
        if after is None:
            return Offer()
        refuse_unwritable(project.root, path)
    except LeftAloneError as error:
        return Offer(refusal=f"--fix leaves this file alone: it {error}")
    return Offer(lines(project.read(path) or b"", after), move(project, path))
