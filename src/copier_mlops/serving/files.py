"""Read files of records in parts: the header first, then a bounded number of cells at a time."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from copier_mlops.contract.image_files import RECORDS, read_into
from copier_mlops.contract.legacy import has_schema, with_names_of_schema

if TYPE_CHECKING:
    from copier_mlops.contract.contract import Contract

# pandas takes a second for 15,000 columns, however few records there are.
MOST_COLUMNS = 10_000
# Bytes of a header, or of a line of JSON: 100 for each column of the widest table.
MOST_LINE = 1_000_000
# Cells that are in memory at a time, as Python objects of about 60 bytes.
CELLS = 1_000_000
# A JSON document is read as a whole and takes ten times its size in memory.
MOST_DOCUMENT = 100_000_000
AS_UTF_8 = 'save it as UTF-8, which Excel calls "CSV UTF-8"; on Linux: iconv -f {} -t UTF-8 {} -o NEW_FILE'


def read_text(path: Path, contract: Contract) -> Iterator[pd.DataFrame]:
    """Yield the records of a CSV or TSV file in any dialect and encoding, with the values that the contract describes.

    Raises:
        ValueError: It is empty, has no header of a bearable size, no records, or not the form of CSV.
    """
    # Imported here: pyarrow takes a moment, and a service over HTTP needs none of it.
    from copier_mlops.contract.cast import records
    from copier_mlops.contract.files import open_source

    yield from records(open_source(path), contract)


def read_json(path: Path, contract: Contract) -> Iterator[pd.DataFrame]:
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
    yield from _tables(found if isinstance(found, list) else [found], path, contract)


def read_json_lines(path: Path, contract: Contract) -> Iterator[pd.DataFrame]:
    """Yield the records of a file that has one JSON object a line.

    Raises:
        ValueError: A line is too long, not JSON, or not a record with the fields of the first.
    """
    yield from _tables(_lines(path), path, contract)


def read_parquet(path: Path, contract: Contract) -> Iterator[pd.DataFrame]:
    """Yield the records of a Parquet file.

    Raises:
        ValueError: It is not a Parquet file, or has too many columns.
    """
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path} is not a Parquet file: {error}") from None
    with file:
        for batch in file.iter_batches(batch_size=_rows(_counted(len(file.schema_arrow.names), path), contract)):
            yield batch.to_pandas()


# By the end of a file's name.
READERS: dict[str, Callable[[Path, Contract], Iterator[pd.DataFrame]]] = {
    ".csv": read_text,
    ".tsv": read_text,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".parquet": read_parquet,
}


def read(path: Path, contract: Contract) -> Iterator[pd.DataFrame]:
    """Yield the records of a file of any format, part by part, as they are written there.

    In a project that has `schema.py`, columns get the names of it.

    Raises:
        KeyError: The name ends with none of `READERS`.
        ValueError: The file cannot be read.
    """
    reader = READERS[path.suffix]
    parts = reader(path, contract)
    if reader is not read_text and contract.images:
        parts = (read_into(part, path.parent, contract) for part in parts)
    if has_schema():
        parts = (with_names_of_schema(part, contract, are_texts=reader is read_text) for part in parts)
    yield from parts


def _rows(columns: int, contract: Contract) -> int:
    most = RECORDS if contract.images else CELLS
    return min(most, max(1, CELLS // max(1, columns)))


def _counted(columns: int, path: Path) -> int:
    if columns > MOST_COLUMNS:
        raise ValueError(
            f"{path} has {columns:,} columns, more than {MOST_COLUMNS:,}\n  fix: keep the fields of the contract"
        )
    return columns


def _decoded(content: bytes, path: Path) -> str:
    """Return content as text.

    Raises:
        ValueError: It is not UTF-8; the text says what to do.
    """
    start = content[:1000]
    # Without a mark at its beginning, every other byte of a text in UTF-16 is zero, nearly.
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or start.count(0) * 4 > len(start):
        raise ValueError(f"{path} is UTF-16, expected UTF-8\n  fix: {AS_UTF_8.format('UTF-16', path)}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error.reason}\n  fix: {AS_UTF_8.format('CP1252', path)}") from None


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


def _tables(records: Iterable[Any], path: Path, contract: Contract) -> Iterator[pd.DataFrame]:
    """Yield records as tables, each of a bearable size; all must have the fields of the first, but for the target."""
    waiting: list[dict[str, Any]] = []
    most = CELLS
    first: set[str] | None = None
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise ValueError(f"{path}: record {number} is not an object with the fields of the contract")
        record.pop(contract.target.name, None)
        if first is None:
            first = set(record)
            most = _rows(_counted(len(first), path), contract)
        if other := first ^ set(record):
            has = "lacks" if min(other) in first else "has"
            raise ValueError(f"{path}: record {number} {has} {min(other)!r:.64}, unlike record 0")
        waiting.append(record)
        if len(waiting) == most:
            yield pd.DataFrame(waiting, dtype=object)
            waiting = []
    if waiting:
        yield pd.DataFrame(waiting, dtype=object)
