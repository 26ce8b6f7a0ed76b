"""Unpack an untrusted archive: write only inside the target folder, within limits of number and size."""

import lzma
import re
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MOST_BYTES = 2_000_000_000
MOST_MEMBERS = 20_000
CHUNK = 1 << 18
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError, ValueError)


class ArchiveError(Exception):
    """The archive is broken, too large or malicious; the text completes a sentence that begins with its name."""


def unpack(file: BinaryIO, folders: tuple[str, ...], target: Path) -> tuple[int, int]:
    """Write the content of one folder of a zip archive to a new folder.

    Args:
        file: The archive.
        folders: Folders of the archive, each with a final slash, or an empty text for the root. The first with files is
            taken.
        target: The folder to write, which does not exist yet.

    Returns:
        The number of files and of bytes.

    Raises:
        ArchiveError: The archive cannot be trusted. The target may exist in part.
        OSError: The disk is full, or this file system does not allow a name.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check(members)
            folder = next((each for each in folders if any(_is_file_below(one, each) for one in members)), None)
            if folder is None:
                raise ArchiveError(f"has no file in {folders[0] or 'it'}")
            chosen = [each for each in members if _is_file_below(each, folder)]
            target.mkdir(parents=True)
            return len(chosen), sum(_write(archive, each, target / each.filename[len(folder) :]) for each in chosen)
    except BROKEN as error:
        raise ArchiveError(f"cannot be read: {error}") from None


def _is_file_below(member: zipfile.ZipInfo, folder: str) -> bool:
    return member.filename.startswith(folder) and not member.is_dir()


def _check(members: list[zipfile.ZipInfo]) -> None:
    """Refuse a bad archive before any byte is written."""
    if len(members) > MOST_MEMBERS:
        raise ArchiveError(f"has {len(members)} files; {MOST_MEMBERS} is the most")
    if (total := sum(each.file_size for each in members)) > MOST_BYTES:
        raise ArchiveError(f"has {total / 1e9:.1f} GB when unpacked; {MOST_BYTES / 1e9:g} GB is the most")
    names: set[PurePosixPath] = set()
    files = {PurePosixPath(each.filename) for each in members if not each.is_dir()}
    for each in members:
        name, kind = each.filename, stat.S_IFMT(each.external_attr >> 16)
        path = PurePosixPath(name)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"has {name!r}, which is a link or a device")
        outside = path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name) or "\\" in name
        if outside or not path.parts or not name.isprintable():
            raise ArchiveError(f"has {name!r}, which is not the name of a file below a folder")
        if path in names or not files.isdisjoint(path.parents):
            raise ArchiveError(f"has {name!r} twice, or below a file")
        names.add(path)


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with archive.open(member) as source, path.open("xb") as file:
        while piece := source.read(CHUNK):
            count += len(piece)
            file.write(piece)
    return count
