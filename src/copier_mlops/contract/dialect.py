"""Find out how a text file is written: its encoding, its delimiter and its header.

The encoding is that of the whole file, and not of its beginning: the first umlaut may come late.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

DELIMITERS = (",", ";", "\t", "|")
# A header with more bytes is none. A part that is looked at holds many records of a usual file.
MOST_HEADER, PART = 1_000_000, 1_000_000
MOST_COLUMNS = 15_000
# Records by which delimiters are compared.
COMPARED = 200
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Encodings of one byte a character that people still write, and of more in East Asia.
OTHERS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "mac_roman", "shift_jis", "gb18030", "big5", "euc_kr"]


# Excel writes cp1252 in Western Europe.
WESTERN = frozenset("äöüßÄÖÜéèêëàâæáíìîïóòôœøúùûñçåãõÿÉÈÊËÀÂÆÁÍÌÎÏÓÒÔŒØÚÙÛÑÇÅÃÕ€£§°²³µ„“”‘’‚–—…«»¿¡±½¼¾·´®©™×\xa0\xad")


# Errors of a file that gzip wrote and that was cut off or changed.
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)


class DataError(ValueError):
    """A file of data that cannot be used; the text names it, and the fix."""


def damaged(path: Path, error: Exception) -> DataError:
    """Return the error for a file that cannot be unpacked."""
    return DataError(f"{path} is damaged: {str(error).lower()}\n  fix: copy the file again")


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Attributes:
        encoding: As Python names it.
        delimiter: The character between cells.
        header: The names of the columns.
        skipped: Lines before the header: 1 if Excel wrote `sep=;` there.
        is_guess: The file is not UTF-8 and has no mark, so that its encoding is a guess.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    skipped: int = 0
    is_guess: bool = False


def opened(path: Path) -> IO[bytes]:
    """Open a file, which gzip may have compressed."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def dialect(path: Path) -> Dialect:
    """Return how a file is written; of its records, only the first part is read for anything but the encoding.

    Raises:
        DataError: It is empty, cannot be decoded, or its header is not one.
    """
    encoding, is_guess, start = _encoding(path)
    text = codecs.getincrementaldecoder(encoding)("replace" if is_guess else "strict").decode(start)
    if not text.strip():
        raise DataError(f"{path} is empty\n  fix: give it a header with names, and a line for each record")
    skipped = 0
    if text[:4].lower() == "sep=":
        skipped, (_, _, text) = 1, text.partition("\n")
    is_whole = len(start) < PART
    delimiter = _delimiter(text if is_whole else text.rpartition("\n")[0] or text)
    header = _header(text, delimiter, path)
    return Dialect(encoding, delimiter, header, skipped, is_guess)


def _encoding(path: Path) -> tuple[str, bool, bytes]:
    """Return the encoding, whether it is a guess, and the first part of the file."""
    try:
        with opened(path) as file:
            start = file.read(PART)
            for mark, name in MARKS.items():
                if start.startswith(mark):
                    return name, False, start
            # Latin letters in UTF-16 are every other byte zero.
            if start[:1000].count(0) * 4 > len(start[:1000]):
                return "utf-16-le" if start[1:1000:2].count(0) > start[:1000:2].count(0) else "utf-16-be", False, start
            if b"\0" in start:
                raise DataError(f"{path} has zero bytes, so it is not a text\n  fix: name a file of records")
            strange = _not_utf_8(file, start)
    except DAMAGED as error:
        raise damaged(path, error) from None
    return ("utf-8", False, start) if not strange else (_guessed(strange), True, start)


def _not_utf_8(file: IO[bytes], start: bytes) -> bytes:
    """Return the lines around the first byte that is not UTF-8; nothing if all is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    part = start
    while part:
        try:
            decoder.decode(part)
        except UnicodeDecodeError:
            # Lines that are ASCII say nothing.
            return b"\n".join(islice((line for line in part.splitlines() if not line.isascii()), 2_000))
        part = file.read(PART)
    return b""


def _guessed(lines: bytes) -> str:
    """Return the encoding that fits best: cp1252, if it gives letters and signs of Western Europe only."""
    from charset_normalizer import from_bytes

    western = lines.decode("cp1252", "replace")
    if all(character in WESTERN or character.isascii() for character in western):
        return "cp1252"
    best = from_bytes(lines[:100_000], cp_isolation=OTHERS).best()
    return best.encoding if best else "cp1252"


def _delimiter(text: str) -> str:
    """Return the delimiter that splits most records into as many cells as the header has, more than one if any does."""
    scores = {}
    for delimiter in DELIMITERS:
        rows = _rows(text, delimiter)
        width = len(rows[0])
        share = sum(len(row) == width for row in rows if row) / max(1, sum(map(bool, rows)))
        scores[delimiter] = (width > 1 and share > 0.8, share * (width > 1), width)
    return max(scores, key=lambda delimiter: scores[delimiter])


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """Return the first records, at least one, up to a cell that is too long for Python's parser."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        rows.extend(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), COMPARED))
    return rows or [[]]


def _header(text: str, delimiter: str, path: Path) -> tuple[str, ...]:
    start = io.StringIO(text[:MOST_HEADER], newline="")
    try:
        names = [name.strip() for name in next(csv.reader(start, delimiter=delimiter))]
    except csv.Error as error:
        raise DataError(f"{path}: its first line is not a header: {error}\n  fix: begin it with the names") from None
    if start.tell() >= MOST_HEADER:
        raise DataError(f"{path}: its header is longer than {MOST_HEADER:,} characters\n  fix: begin it with the names")
    return check_header(names, path)


def check_header(names: list[str], path: Path) -> tuple[str, ...]:
    """Return the names of columns.

    Raises:
        DataError: There are too many, or one is empty, twice there, or a number.
    """
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{path} has {len(names):,} columns, more than {MOST_COLUMNS:,}\n  fix: keep those that a model needs"
        )
    for place, name in enumerate(names, 1):
        if not name:
            raise DataError(f"{path}: column {place} has no name\n  fix: name it; pandas writes none with index=False")
        if name.replace(".", "", 1).replace(",", "", 1).lstrip("+-").isdigit() and len(names) > 1:
            raise DataError(f"{path}: column {place} is named {name:.60}, a number\n  fix: put a line with names first")
    for name, count in Counter(names).items():
        if count > 1:
            raise DataError(f"{path}: {count} columns are named {name!r:.80}\n  fix: name them differently")
    return tuple(names)
