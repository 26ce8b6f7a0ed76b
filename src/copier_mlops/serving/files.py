"""Read files of records in parts: the header first, then a bounded number of cells at a time."""

from __future__ import annotations

import codecs
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

# pandas takes a second for 15,000 columns, however few records there are.
MOST_COLUMNS = 10_000
# Bytes of a header, or of a line of JSON: 100 for each column of the widest table.
MOST_LINE = 1_000_000
# Cells that are in memory at a time, as Python objects of about 60 bytes.
CELLS = 1_000_000
# A JSON document is read as a whole and takes ten times its size in memory.
MOST_DOCUMENT = 100_000_000
AS_UTF_8 = 'save it as UTF-8, which Excel calls "CSV UTF-8"; on Linux: iconv -f {} -t UTF-8 {} -o NEW_FILE'


def read_csv(path: Path, _: str) -> Iterator[pd.DataFrame]:
    """Yield the records of a CSV file, all cells as texts.

    Python's own reader is stricter than that of pandas, which fills up a record that lacks a cell.

    Raises:
        ValueError: It is empty, has no header of a bearable size, no records, or not the form of CSV.
    """
    _check_header(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, strict=True)
        try:
            # An empty line is not a record.
            cells = filter(None, lines)
            names = next(cells)
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise ValueError(f"{path} has the column {twice[0]!r:.64} twice")
            part = list(islice(cells, _rows(len(names))))
            if not part:
                raise ValueError(f"{path} has a header and no records\n  fix: add a line for each record")
            count = 0
            while part:
                for number, row in enumerate(part, count):
                    if len(row) != len(names):
                        raise ValueError(
                            f"{path}: record {number} has {len(row)} cells and the header {len(names)}\n"
                            "  fix: quote cells that hold a comma"
                        )
                yield pd.DataFrame(part, columns=names, dtype=str)
                count += len(part)
                part = list(islice(cells, _rows(len(names))))
        except csv.Error as error:
            raise ValueError(f"{path}: line {lines.line_num} is not CSV: {error}") from None


def read_json(path: Path, target: str) -> Iterator[pd.DataFrame]:
    """Yield the records of a JSON document, which is one record or a list of them.

    Raises:
        ValueError: It is too large, not JSON, or not records with the same fields.
    """
    if (size := path.stat().st_size) > MOST_DOCUMENT:
        raise ValueError(
            f"{path} has {size:,} bytes, and a JSON document is read as a whole: at most {MOST_DOCUMENT:,}\n"
            "  fix: write one record a line, as JSON lines (.jsonl)"
        )
    found = _parsed(path.read_bytes(), path, str(path))
    yield from _tables(found if isinstance(found, list) else [found], path, target)


def read_json_lines(path: Path, target: str) -> Iterator[pd.DataFrame]:
    """Yield the records of a file that has one JSON object a line.

    Raises:
        ValueError: A line is too long, not JSON, or not a record with the fields of the first.
    """
    yield from _tables(_lines(path), path, target)


def read_parquet(path: Path, _: str) -> Iterator[pd.DataFrame]:
    """Yield the records of a Parquet file.

    Raises:
        ValueError: It is not a Parquet file, or has too many columns.
    """
    # Imported here: only a project that has it writes such files.
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path} is not a Parquet file: {error}") from None
    with file:
        for batch in file.iter_batches(batch_size=_rows(_counted(len(file.schema_arrow.names), path))):
            yield batch.to_pandas()


# By the end of a file's name.
READERS: dict[str, Callable[[Path, str], Iterator[pd.DataFrame]]] = {
    ".csv": read_csv,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".parquet": read_parquet,
}
# Types of numbers in the formats that have types. pandas writes whole numbers as floats if one is missing.
NUMBERS: dict[str, set[type]] = {".json": {int}, ".jsonl": {int}, ".parquet": {int, float}}


def _rows(columns: int) -> int:
    return max(1, CELLS // max(1, columns))


def _counted(columns: int, path: Path) -> int:
    if columns > MOST_COLUMNS:
        raise ValueError(f"{path} has {columns:,} columns, more than {MOST_COLUMNS:,}\n  fix: keep those of the schema")
    return columns


def _check_header(path: Path) -> None:
    """Refuse a CSV file by its first line; no more than that is read."""
    with path.open("rb") as file:
        start = file.read(MOST_LINE)
    text = _decoded(start, path, is_whole=False).lstrip()
    if not text:
        raise ValueError(
            f"{path} is empty\n  fix: give it a header with the columns of the schema, and a line a record"
        )
    line = text.splitlines()[0]
    if len(start) == MOST_LINE and line == text:
        raise ValueError(f"{path}: its first line is longer than {MOST_LINE:,} bytes, which is not a header")
    for mark, name in ((";", ";"), ("\t", "a tab")):
        if line.count(mark) > line.count(","):
            raise ValueError(
                f"{path} has {name} between its columns, and not a comma\n"
                f"  fix: in pandas, read it with sep={mark!r} and write it with to_csv(…, index=False)"
            )
    _counted(line.count(",") + 1, path)


def _decoded(content: bytes, path: Path, is_whole: bool = True) -> str:
    """Return content as text.

    Raises:
        ValueError: It is not UTF-8; the text says what to do.
    """
    start = content[:1000]
    # Without a mark at its beginning, every other byte of a text in UTF-16 is zero, nearly.
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or start.count(0) * 4 > len(start):
        raise ValueError(f"{path} is UTF-16, expected UTF-8\n  fix: {AS_UTF_8.format('UTF-16', path)}")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(content, final=is_whole)
    except UnicodeDecodeError as error:
        raise ValueError(not_utf_8(path, error)) from None


def not_utf_8(path: Path, error: UnicodeDecodeError) -> str:
    """Return the sentence on a file that has another encoding, whatever part of it was being read."""
    return f"{path} is not UTF-8: {error.reason}\n  fix: {AS_UTF_8.format('CP1252', path)}"


def _lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MOST_LINE + 1):
            number += 1
            if len(line) > MOST_LINE:
                raise ValueError(f"{path}: line {number} is longer than {MOST_LINE:,} bytes")
            # A file in UTF-16 has no line ends of its own: its first line holds half of one.
            if line.strip():
                yield _parsed(line, path, f"{path}: line {number}")


def _parsed(content: bytes, path: Path, where: str) -> Any:
    try:
        return json.loads(_decoded(content, path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{where} is nested too deeply") from None
    except ValueError as error:
        # UTF-8 was looked at; what is left are numbers of thousands of digits.
        text = str(error)
        raise ValueError(text if text.startswith(str(path)) else f"{where} cannot be read: {text}") from None


def _tables(records: Iterable[Any], path: Path, target: str) -> Iterator[pd.DataFrame]:
    """Yield records as tables, each of a bearable size; all must have the fields of the first, but for the target."""
    waiting: list[dict[str, Any]] = []
    first: set[str] | None = None
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise ValueError(f"{path}: record {number} is not an object with the columns of the schema")
        record.pop(target, None)
        if first is None:
            first = set(record)
            _counted(len(first), path)
        if other := first ^ set(record):
            has = "lacks" if min(other) in first else "has"
            raise ValueError(f"{path}: record {number} {has} {min(other)!r:.64}, unlike record 0")
        waiting.append(record)
        if len(waiting) == _rows(len(first)):
            yield pd.DataFrame(waiting, dtype=object)
            waiting = []
    if waiting:
        yield pd.DataFrame(waiting, dtype=object)
