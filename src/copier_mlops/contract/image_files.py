"""Read the image files that a table names: a cell has a path beside the table, or the content in base64.

No base64 has a dot, and the name of an image has one. A path leads into the folder of its table, never out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from copier_mlops import images
from copier_mlops.contract.dialect import DataError

if TYPE_CHECKING:
    from copier_mlops.contract.contract import Contract

# Records that are in memory at a time, since each may have a file.
RECORDS = 64
# The columns of a folder whose sub-folders are named by class.
IMAGE, LABEL = "image", "label"


def contents(
    cells: Iterable[str | None], folder: Path, missing: Sequence[str], name: str, first: int
) -> list[str | None]:
    """Return the images of n cells in base64; a missing value stays as it is.

    Args:
        cells: Paths, or texts in base64.
        folder: That of the table.
        missing: The texts that mean a missing value.
        name: The column.
        first: The number of the first record, for a sentence.

    Raises:
        DataError: A file is missing, outside of the folder, too large, or not an image.
    """
    found = []
    for number, cell in enumerate(cells, first):
        if cell is None or cell in missing or "." not in cell:
            found.append(cell)
            continue
        try:
            text = images.as_text(_content(folder, cell))
            if expected := images.fault(text).removesuffix(" in base64"):
                raise DataError(f"is not {expected}\n  fix: open it with another program, and save it anew")
        except DataError as error:
            raise DataError(f"{folder}: record {number}, {name!r:.80}: {cell!r:.200} {error}") from None
        found.append(text)
    return found


def _content(folder: Path, cell: str) -> bytes:
    """Return the content of the file that a cell names."""
    path = PurePosixPath(cell)
    if path.is_absolute() or ".." in path.parts or "\\" in cell or ":" in cell or not cell.isprintable():
        raise DataError("is not a path below this folder\n  fix: write it from this folder on, with / and without ..")
    try:
        file = folder / path
        if not file.is_file():
            raise DataError("is missing\n  fix: put the file there, or leave the record out")
        with file.open("rb") as stream:
            found = stream.read(images.MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}\n  fix: check its rights") from None
    if len(found) > images.MOST_BYTES:
        raise DataError(f"has more than {images.MOST_BYTES:,} bytes\n  fix: make the image smaller")
    return found


def read_into(table: Any, folder: Path, contract: Contract) -> Any:
    """Return n records of a table in memory with the images that they name.

    Raises:
        DataError: As `contents`.
    """
    for field in contract.images:
        if field.name in table:
            cells = [cell if isinstance(cell, str) else None for cell in table[field.name]]
            read = contents(cells, folder, contract.missing(field), field.name, 0)
            # A value of another type stays, so that the verdict names it.
            kept = [old if new is None else new for old, new in zip(table[field.name], read, strict=True)]
            table = table.assign(**{field.name: kept})
    return table


def are_images(values: Sequence[str]) -> bool:
    """Return whether texts are names of image files, or images in base64; addresses are neither."""
    return bool(values) and all(
        (value.lower().endswith(images.SUFFIXES) and "://" not in value) or value.startswith(images.STARTS)
        for value in values
    )


def by_class(folder: Path) -> list[tuple[str, str]]:
    """Return the images of a folder, each with the name of the sub-folder that it is in: its class.

    Raises:
        DataError: An image is in no sub-folder.
    """
    found = []
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if file.suffix.lower() not in images.SUFFIXES or any(part.startswith((".", "_")) for part in path.parts):
            continue
        if len(path.parts) == 1:
            raise DataError(
                f"{file} is in no folder of a class, and no table names it\n"
                f"  fix: move it into one, as {folder / 'CLASS' / file.name}, or add a table with the name of each file"
            )
        found.append((path.as_posix(), path.parts[0]))
    return found
