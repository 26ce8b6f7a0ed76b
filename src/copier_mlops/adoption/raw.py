"""Bring raw data to its place in the project, and let DVC point to it."""

from __future__ import annotations

import filecmp
import shutil
import sys
from pathlib import Path

from copier_mlops.command import CommandError, run
from copier_mlops.contract.dialect import DataError
from copier_mlops.contract.raw import FOLDER


def place_of(file: Path, root: Path) -> str:
    """Return where raw data will be, relative to the root: where it is, if that is in `data/raw`."""
    place = file.resolve()
    folder = (root / FOLDER).resolve()
    if folder in place.parents:
        return f"{FOLDER.as_posix()}/{place.relative_to(folder).as_posix()}"
    return f"{FOLDER.as_posix()}/{place.name}"


def bring(file: Path, place: str, root: Path, force: bool = False) -> bool:
    """Copy raw data to its place, if it is not there yet, and let DVC track it.

    Args:
        file: The file or folder.
        place: Where it will be, relative to the root.
        root: The root of the project.
        force: Take the place of data that DVC does not have.

    Returns:
        Whether the data was not there before.

    Raises:
        DataError: Other data that DVC does not have is at the place, or DVC refused; the text has its reason.
        OSError: The data cannot be copied; nothing is at the place.
    """
    to, is_new = root / place, False
    if file.resolve() != to.resolve() and not _is_same(file, to):
        # DVC's cache has what its pointer names. Other data would be lost.
        if to.exists() and not force and not _is_tracked(place, root):
            raise DataError(f"{place} is there, and DVC does not have it\n  fix: rename yours, or add --force")
        draft = to.with_name(f".{to.name}.draft")
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if file.is_dir() else shutil.copyfile)(file, draft)
            if to.is_dir():
                shutil.rmtree(to)
            draft.replace(to)
            is_new = True
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            draft.unlink(missing_ok=True)
            raise
    if (root / ".dvc").is_dir():
        _dvc(root, "add", "--quiet", place)
    return is_new


def _is_same(file: Path, to: Path) -> bool:
    """Return whether two files, or two folders, have the same content."""
    if file.is_dir() and to.is_dir():
        parts, others = ({each.relative_to(place) for each in place.rglob("*")} for place in (file, to))
        return parts == others and all((file / each).is_dir() or _is_same(file / each, to / each) for each in parts)
    return file.is_file() and to.is_file() and filecmp.cmp(file, to, shallow=False)


def _is_tracked(place: str, root: Path) -> bool:
    """Return whether DVC has the data at a place as it is."""
    if not (root / f"{place}.dvc").is_file():
        return False
    try:
        return run(sys.executable, "-m", "dvc", "status", "--json", f"{place}.dvc", cwd=root) == "{}"
    except CommandError:
        return False


def drop(old: str, root: Path) -> None:
    """Let DVC forget raw data that the pipeline no longer reads, if it has a pointer; cache and remote keep the data.

    Raises:
        DataError: DVC refused.
    """
    pointer = f"{old}.dvc"
    if old and (root / pointer).is_file() and (root / ".dvc").is_dir():
        _dvc(root, "remove", "--outs", "--quiet", pointer)


def _dvc(root: Path, *words: str) -> None:
    try:
        run(sys.executable, "-m", "dvc", *words, cwd=root)
    except CommandError as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"dvc {words[0]}: {reason}\n  fix: uv run poe doctor") from None
