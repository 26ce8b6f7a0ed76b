"""Read a workbook of Excel: one sheet, whose cells become the texts that the other formats give.

python-calamine holds a whole sheet in memory, so the size of a workbook is looked at before.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from copier_mlops.contract.dialect import DataError, check_header

# Bytes of all parts of a workbook, unpacked, and cells of the rectangle that holds a sheet's values: 0.6 GB in memory.
MOST_UNPACKED, MOST_CELLS = 500_000_000, 20_000_000
# Bytes of the texts of a sheet. The archive has a text once, and the reader copies it for each cell that shares it.
MOST_TEXT = 1_000_000_000
# A workbook is an archive, or a file of the older format. One with a password is such a file with an archive inside.
ZIP, OLE, LOCKED = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "EncryptedPackage".encode("utf-16-le")
PART = 1_000_000
# Places of cells with a value, for example AB12 of <c r="AB12" s="1">. A cell that has only a format ends with />.
_COLUMN = re.compile(rb"r\s*=\s*[\"']([A-Za-z]{1,3})\d{1,7}[\"'][^>]*(?<!/)>")
_ROW = re.compile(rb"r\s*=\s*[\"'][A-Za-z]{1,3}(\d{1,7})[\"'][^>]*(?<!/)>")
_SHARED = re.compile(rb"=\s*[\"']s[\"'][^>]*>\s*<(?:\w+:)?v[^>]*>\s*(\d+)")
_ENTRY = re.compile(rb"<(?:\w+:)?si[\s>/]")
_EXACT = 2**53


@dataclass(frozen=True)
class Sheet:
    """Where the records of a workbook are.

    Attributes:
        name: The sheet's name.
        header: The row of the header, from 1.
        first: The first column, from 0.
        names: The columns.
        moments: Columns in which a date has a time of day, so that all their dates are written with one.
    """

    name: str
    header: int
    first: int
    names: tuple[str, ...]
    moments: frozenset[str] = frozenset()


def sheet(path: Path, name: str = "") -> Sheet:
    """Look at all rows of a sheet and return where the records are.

    Args:
        path: The workbook.
        name: The sheet; it can be left out if only one sheet has cells.

    Raises:
        DataError: The workbook cannot be read or is too large, the sheet is unclear, or its header is not one.
    """
    _check(path)
    with _workbook(path) as book:
        found = _chosen(book, path, name)
        rows = _filled(found)
        number, cells = next(rows)
        places = [place for place, cell in enumerate(cells) if not _is_blank(cell)]
        first, end = places[0], places[-1] + 1
        header = [_text(cell).strip() for cell in cells[first:end]]
        second = next(rows, None)
        if _is_two_headers(found, number, header, second[1][first:] if second else []):
            raise DataError(f"{path}: its second line looks like another header\n  fix: delete one of the two lines")
        names = check_header(header, path)
        _check_merged(found, number, path)
        moments: set[int] = set()
        for row, cells in _filled(found, number):
            _check_outside(cells, first, end, row, path)
            moments.update(place for place, cell in enumerate(cells[first:end]) if type(cell) is datetime)
        return Sheet(found.name, number, first, names, frozenset(names[place] for place in moments))


def rows(path: Path, where: Sheet, names: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the records of a sheet as texts, in the order of `names`; a blank cell is an empty text.

    Raises:
        DataError: The workbook cannot be read.
    """
    places = [(where.first + where.names.index(name), name in where.moments) for name in names]
    with _workbook(path) as book:
        for _, cells in _filled(_chosen(book, path, where.name), where.header):
            yield [_text(cells[place], is_moment) for place, is_moment in places]


def column(place: int) -> str:
    """Return the letters of a column, which is counted from 0: A to Z, AA and so on."""
    letters = ""
    while place >= 0:
        place, rest = divmod(place, 26)
        letters, place = chr(ord("A") + rest) + letters, place - 1
    return letters


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        with path.open("rb") as file:
            is_zip = file.read(len(ZIP)) == ZIP
        if is_zip == (path.suffix.lower() != ".xls"):
            book = CalamineWorkbook.from_path(path)
        else:
            # A file of the other format is known by its content only.
            with path.open("rb") as file:
                book = CalamineWorkbook.from_filelike(file)
        with book:
            yield book
    except PasswordError:
        raise _protected(path) from None
    except CalamineError as error:
        raise _broken(path, str(error)) from None
    except BaseException as error:
        # A panic of Rust, which no published class of Python is for.
        if type(error).__name__ != "PanicException":
            raise
        raise _broken(path, str(error)) from None


def _protected(path: Path) -> DataError:
    return DataError(f"{path} is protected by a password\n  fix: save it without one")


def _broken(path: Path, reason: str) -> DataError:
    return DataError(f"{path} is damaged: {' '.join(reason.split())[:150]}\n  fix: copy the file again")


def _check(path: Path) -> None:
    """Refuse a file that is not a workbook, or one that needs too much memory."""
    with path.open("rb") as file:
        start = file.read(len(OLE))
        if not start.startswith((ZIP, OLE)):
            raise DataError(
                f"{path} is not a workbook of Excel\n  fix: name it by its format, for example {path.stem}.csv"
            )
        is_zip = start.startswith(ZIP)
        if not is_zip:
            if path.stat().st_size > MOST_UNPACKED:
                raise _too_large(path, f"{path.stat().st_size:,} bytes", MOST_UNPACKED)
            if LOCKED in file.read():
                raise _protected(path)
    if is_zip:
        try:
            with zipfile.ZipFile(path) as archive:
                _check_archive(archive, path)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise _broken(path, str(error)) from None


def _too_large(path: Path, what: str, most: int) -> DataError:
    return DataError(f"{path} has {what}, and at most {most:,} are read\n  fix: save the sheet as CSV (UTF-8)")


def _check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive by the sizes that it states, then by those of its parts, which may be others."""
    parts = archive.infolist()
    if not any(part.filename.lower() == "xl/workbook.xml" for part in parts):
        raise DataError(f"{path} is an archive, and not a workbook of Excel\n  fix: save it as .xlsx or CSV (UTF-8)")
    if (size := sum(part.file_size for part in parts)) > MOST_UNPACKED:
        raise _too_large(path, f"{size:,} bytes when it is unpacked", MOST_UNPACKED)
    left = MOST_UNPACKED
    for part in parts:
        # Python would stop at the size that is stated; the reader of workbooks does not.
        part.file_size = MOST_UNPACKED + 2 * PART
        widest = lowest = 0
        rest = b""
        with archive.open(part) as file:
            while block := file.read(PART):
                left -= len(block)
                if left < 0:
                    raise _too_large(path, f"more than {MOST_UNPACKED:,} bytes when it is unpacked", MOST_UNPACKED)
                text = rest + block
                wide, low = _extent(text)
                widest, lowest = max(widest, wide), max(lowest, low)
                # A cell may go on in the next block.
                rest = text[max(text.rfind(b"<"), len(text) - PART) :]
        if widest * lowest > MOST_CELLS:
            raise _too_large(path, f"a sheet of {lowest:,} x {widest:,} cells", MOST_CELLS)
    _check_texts(archive, path)


def _check_texts(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse a sheet whose cells share texts that are too long for so many copies."""
    parts = {part.filename.lower(): part for part in archive.infolist()}
    if "xl/sharedstrings.xml" not in parts:
        return
    texts = archive.read(parts.pop("xl/sharedstrings.xml"))
    starts = [*(found.start() for found in _ENTRY.finditer(texts)), len(texts)]
    sizes = [end - start for start, end in pairwise(starts)]
    for name, part in parts.items():
        if not name.endswith(".xml"):
            continue
        cells = archive.read(part)
        if max(sizes, default=0) * (cells.count(b'"s"') + cells.count(b"'s'")) <= MOST_TEXT:
            continue
        places = map(int, _SHARED.findall(cells))
        if (size := sum(sizes[place] for place in places if place < len(sizes))) > MOST_TEXT:
            raise _too_large(path, f"a sheet with {size:,} bytes of text", MOST_TEXT)


def _extent(text: bytes) -> tuple[int, int]:
    """Return the last column and the last row with a value, from 1; 0 if no cell has one."""
    widest = 0
    for letters in set(_COLUMN.findall(text)):
        place = 0
        for letter in letters.upper():
            place = place * 26 + letter - 64
        widest = max(widest, place)
    return widest, max(map(int, set(_ROW.findall(text))), default=0)


def _chosen(book: Any, path: Path, name: str) -> Any:
    """Return the sheet of this name, or the only one that is visible and has cells."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [each for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
    if not name:
        shown = [each.name for each in sheets if each.visible == SheetVisibleEnum.Visible]
        filled = [each for each in shown if _has_cells(book.get_sheet_by_name(each))] if len(shown) > 1 else shown
        if len(filled) > 1:
            raise DataError(f"{path} has {len(filled)} sheets: {_listed(filled)}\n  fix: --sheet {filled[0]!r:.80}")
        name = filled[0] if filled else ""
    elif name not in [each.name for each in sheets]:
        known = _listed([each.name for each in sheets])
        raise DataError(f"{path} has no sheet {name!r:.80}\n  fix: --sheet with one of {known}")
    found = book.get_sheet_by_name(name) if name else None
    if found is None or not _has_cells(found):
        where = f": its sheet {name!r:.80}" if name else ""
        raise DataError(f"{path}{where} is empty\n  fix: give it a header with names, and a row for each record")
    return found


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"{name!r:.40}" for name in names[:10]) + more


def _has_cells(found: Any) -> bool:
    # Older versions of the reader fail at rows of a sheet without cells.
    return found.height > 0 and next(_filled(found), None) is not None


def _filled(found: Any, after: int = 0) -> Iterator[tuple[int, list[Any]]]:
    """Yield the rows that are not blank, with their numbers from 1, below a row."""
    for number, cells in islice(enumerate(found.iter_rows(), 1), after, None):
        if not all(map(_is_blank, cells)):
            yield number, cells


def _is_blank(cell: Any) -> bool:
    return isinstance(cell, str) and not cell.strip()


def _is_two_headers(found: Any, number: int, header: list[str], second: list[Any]) -> bool:
    """Return whether names are in two rows: a name spans cells, or stands below a gap of the header."""
    for (top, _), (bottom, _) in _merged(found):
        if top <= number - 1 <= bottom:
            return True
    is_text = all(isinstance(cell, str) for cell in second)
    names = [*header, *[""] * (len(second) - len(header))]
    return is_text and any(not name and not _is_blank(cell) for name, cell in zip(names, second, strict=False))


def _merged(found: Any) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the merged cells: the first row and column, the last row and column, all from 0."""
    return found.merged_cell_ranges or []


def _check_merged(found: Any, number: int, path: Path) -> None:
    """Refuse merged cells below the header: only the first of them would have the value."""
    for (top, left), _ in _merged(found):
        if top >= number:
            raise DataError(
                f"{path}: cell {column(left)}{top + 1} is merged with others\n"
                "  fix: unmerge it and fill the cells, or delete what is not a record"
            )


def _check_outside(cells: list[Any], first: int, end: int, row: int, path: Path) -> None:
    for place in (*range(first), *range(end, len(cells))):
        if not _is_blank(cells[place]):
            raise DataError(
                f"{path}: cell {column(place)}{row} has a value, and its column has no name\n"
                "  fix: name the column in the header, or clear it; pandas names none with index=False"
            )


def _text(cell: Any, is_moment: bool = False) -> str:
    """Return a cell in the form of the other formats: 42, 0.5, true, 2026-12-31, 2026-12-31T23:59:59, 23:59:59."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        # Excel has only floats.
        return str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, datetime | time):
        return cell.isoformat()
    if isinstance(cell, date):
        return f"{cell.isoformat()}T00:00:00" if is_moment else cell.isoformat()
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return str(cell)
