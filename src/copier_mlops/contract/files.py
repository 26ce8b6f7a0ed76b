"""Read files of records as texts, in bounded memory: CSV in any dialect, JSON lines, Parquet, Excel, folders of them.

pyarrow parses: its cells of text cost a tenth of Python's, and a batch of them is all that is in memory.
"""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]

from copier_mlops.contract.dialect import (
    DAMAGED,
    MOST_COLUMNS,
    DataError,
    Dialect,
    check_header,
    damaged,
    dialect,
    opened,
)
from copier_mlops.contract.excel import Sheet, rows, sheet
from copier_mlops.contract.image_files import IMAGE, LABEL, by_class

# Bytes of a part of a CSV file, and the most of a record or of a line of JSON.
BLOCK, MOST_LINE = 4_000_000, 4_000_000
# Cells of a part of the other formats.
CELLS = 1_000_000
# How the rest of a file is written after the mark at its start.
AFTER_MARK = {
    "utf-8-sig": ("utf-8",),
    "utf-16": ("utf-16-le", "utf-16-be"),
    "utf-32": ("utf-32-le", "utf-32-be"),
}
KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xls": "excel",
}


@dataclass(frozen=True)
class Source:
    """A file, or a folder of files with the same columns, that can be read again and again.

    Attributes:
        path: As it was given.
        files: The files, by name.
        kind: `csv`, `json`, `parquet`, `excel`, or `images` in sub-folders by class.
        names: The columns.
        dialects: How each CSV file is written.
        sheets: Where the records of each workbook are.
    """

    path: Path
    files: tuple[Path, ...]
    kind: str
    names: tuple[str, ...]
    dialects: tuple[Dialect, ...] = ()
    sheets: tuple[Sheet, ...] = ()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the records as texts, null only for a null of JSON or Parquet; a part of them at a time.

        Raises:
            DataError: A record has too few or too many cells, or a file is damaged.
        """
        yield from (batch for _, batch in self.parts())

    def parts(self) -> Iterator[tuple[Path, pa.RecordBatch]]:
        """Yield as `batches`, each with the folder of its file, in which paths of its cells begin.

        Raises:
            DataError: As `batches`.
        """
        if self.kind == "images":
            rows = by_class(self.path)
            yield self.path, _batch(rows, (IMAGE, LABEL), self.path)
            return
        for place, file in enumerate(self.files):
            if self.kind == "csv":
                found = _csv(file, self.dialects[place], self.names)
            elif self.kind == "excel":
                found = _excel(file, self.sheets[place], self.names)
            else:
                found = (_json if self.kind == "json" else _parquet)(file, self.names)
            yield from ((file.parent, batch) for batch in found)


def open_source(path: str | Path, sheet_name: str = "") -> Source:
    """Look at a file or folder, at headers only but for Excel, and return what can be read from it.

    Args:
        path: The file or folder.
        sheet_name: The sheet of each workbook; it can be left out if only one sheet has cells.

    Raises:
        DataError: It is missing, an address, of another format, or its files have different columns.
    """
    if "://" in str(path):
        raise DataError(
            f"{path} is an address, not a file\n  fix: download it first, or add it with: uv run dvc import-url"
        )
    folder = Path(path)
    if not folder.exists():
        raise DataError(f"{path} is missing\n  fix: name a file or a folder that exists")
    files = (
        tuple(sorted(each for each in folder.rglob("*") if _is_data(each, folder))) if folder.is_dir() else (folder,)
    )
    if not files and by_class(folder):
        return Source(folder, (), "images", (IMAGE, LABEL))
    if not files:
        raise DataError(f"{path} has no files of records\n  fix: put files that end with {', '.join(KINDS)} into it")
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        raise DataError(
            f"{path} has files of {len(kinds)} formats: {', '.join(sorted(kinds))}\n  fix: keep one of them"
        )
    kind = kinds.pop()
    dialects = tuple(dialect(file) for file in files) if kind == "csv" else ()
    if sheet_name and kind != "excel":
        raise DataError(f"{path} is not a workbook, so it has no sheet {sheet_name!r:.80}\n  fix: leave --sheet out")
    sheets = _same_moments(tuple(sheet(file, sheet_name) for file in files)) if kind == "excel" else ()
    headers = [each.header for each in dialects] or [each.names for each in sheets]
    headers = headers or [_NAMES[kind](file) for file in files]
    for file, header in zip(files, headers, strict=True):
        if set(header) != set(headers[0]):
            other = min(set(header) ^ set(headers[0]))
            verb = "has" if other in header else "lacks"
            raise DataError(
                f"{file} {verb} the column {other!r:.80}, unlike {files[0].name}\n  fix: give both the same columns"
            )
    return Source(folder, files, kind, tuple(headers[0]), dialects, sheets)


def _is_data(path: Path, folder: Path) -> bool:
    # Excel marks a workbook that is open with a file of this name beside it.
    hidden = any(part.startswith((".", "_", "~$")) for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden and _end(path) in KINDS


def _end(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()


def _kind(path: Path) -> str:
    end = _end(path)
    if end in (".ods", ".xlsb", ".numbers"):
        raise DataError(f"{path} is a spreadsheet of a format that is not read\n  fix: save it as .xlsx or CSV (UTF-8)")
    if end not in KINDS:
        raise DataError(
            f"{path} ends with {end or 'nothing'}\n  fix: name it by its format: {', '.join(KINDS)}, or .gz after it"
        )
    if KINDS[end] in ("parquet", "excel") and path.suffix == ".gz":
        name = KINDS[end].capitalize()
        raise DataError(f"{path} is {name} in gzip, which cannot be read\n  fix: gunzip it; {name} is compressed")
    return KINDS[end]


def _csv(path: Path, form: Dialect, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """Yield the records of a CSV file, with columns in the order of `names`."""
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "error"

    text = pa.string()
    options: dict[str, Any] = {
        "read_options": pyarrow.csv.ReadOptions(
            block_size=BLOCK,
            encoding={"utf-8-sig": "utf-8"}.get(form.encoding, form.encoding),
            column_names=list(form.header),
            skip_rows=form.skipped,
            skip_rows_after_names=1,
            use_threads=False,
        ),
        "parse_options": pyarrow.csv.ParseOptions(
            delimiter=form.delimiter, newlines_in_values=True, invalid_row_handler=note
        ),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(form.header, text),
            include_columns=list(names),
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        ),
    }
    try:
        with opened(path) as opened_file, pyarrow.csv.open_csv(file := _Read(opened_file), **options) as reader:
            last = None
            for last in reader:
                yield last
            if last and file.ends_within_quotes(last.column(form.header[-1])[-1].as_py(), form):
                raise DataError(f"{path}: a quote opens in the last record, and nothing closes it\n  fix: close it")
    except DAMAGED as error:
        raise damaged(path, error) from None
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise DataError(_said(path, form, ragged, error)) from None


class _Read(io.RawIOBase):
    """A file that knows the end of what was read of it: pyarrow takes an open quote for text up to the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._parts: deque[bytes] = deque(maxlen=3)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return as many bytes, or fewer at the end."""
        part = self._file.read(size)
        if part:
            self._parts.append(part)
        return part

    def ends_within_quotes(self, cell: str, form: Dialect) -> bool:
        """Whether the last cell, as it was read, stands at the end of the file after a quote that opens it."""
        text = '"' + cell.replace('"', '""')
        end = b"".join(self._parts)
        return any(
            end.endswith((before + text).encode(encoding, "replace"))
            for before in (form.delimiter, "\n", "\r")
            for encoding in AFTER_MARK.get(form.encoding, (form.encoding,))
        )


def _said(path: Path, form: Dialect, ragged: list[Any], error: Exception) -> str:
    """Return the sentence for a CSV file that pyarrow refused."""
    if ragged:
        row = ragged[0]
        where = f"line {row.number}" if row.number is not None else "the record"
        start = row.text[:60].replace("\n", " ")
        is_open = row.text.count('"') % 2
        fix = "close the quote that nothing closes" if is_open else f"quote cells that hold {form.delimiter!r}"
        return (
            f"{path}: {where} {start!r} has {row.actual_columns} cells and the header {row.expected_columns}\n"
            f"  fix: {fix}"
        )
    reason = " ".join(str(error).split())[:200]
    if "straddling" in reason:
        return f"{path} has a record of more than {BLOCK:,} bytes\n  fix: look for a quote that nothing closes"
    if isinstance(error, UnicodeError) or "UTF8" in reason:
        return f"{path} is not all {form.encoding}: {reason}\n  fix: iconv -f {form.encoding} -t UTF-8 -c {path.name}"
    return f"{path} cannot be read: {reason}\n  fix: write it anew as CSV in UTF-8"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines."""
    try:
        with opened(path) as file:
            number = 0
            while line := file.readline(MOST_LINE + 1):
                number += 1
                if len(line) > MOST_LINE:
                    raise DataError(
                        f"{path}: line {number} is longer than {MOST_LINE:,} bytes\n  fix: one object a line"
                    )
                if not line.strip():
                    continue
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{path}: line {number} is not JSON: {error}\n  fix: one object a line") from None
                if not isinstance(found, dict):
                    raise DataError(f"{path}: line {number} is not an object\n  fix: one object a line")
                yield found
    except DAMAGED as error:
        raise damaged(path, error) from None


def _names_of_json(path: Path) -> tuple[str, ...]:
    """Return the keys of the first thousand objects: one without a value often has no key."""
    names: dict[str, None] = {}
    for number, record in enumerate(_lines(path)):
        names.update(dict.fromkeys(record))
        if number == 1_000:
            break
    if not names:
        raise DataError(f"{path} has no records\n  fix: write one object a line")
    return check_header(list(names), path)


def _json(path: Path, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    known, waiting, most = set(names), [], max(1, CELLS // len(names))
    for number, record in enumerate(_lines(path), 1):
        if not known.issuperset(record):
            other = min(set(record) - known)
            raise DataError(
                f"{path}: record {number} has {other!r:.80}, unlike the first\n  fix: give all the same keys"
            )
        waiting.append([_as_text(record.get(name), name, path, number) for name in names])
        if len(waiting) == most:
            yield _batch(waiting, names, path)
            waiting = []
    if waiting:
        yield _batch(waiting, names, path)


def _as_text(value: Any, name: str, path: Path, number: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise DataError(f"{path}: record {number}, {name!r:.80} is a list or an object\n  fix: make a column of each part")


def _batch(records: Sequence[Sequence[str | None]], names: tuple[str, ...], path: Path) -> pa.RecordBatch:
    try:
        return pa.RecordBatch.from_arrays(
            [pa.array(each, pa.string()) for each in zip(*records, strict=True)], list(names)
        )
    except UnicodeEncodeError:
        raise DataError(
            f"{path} has half a character (a lone surrogate)\n  fix: write the file anew, in UTF-8"
        ) from None


def _same_moments(sheets: tuple[Sheet, ...]) -> tuple[Sheet, ...]:
    """Return the sheets of several workbooks: a column with times of day in one has them in all."""
    moments = frozenset[str]().union(*(each.moments for each in sheets))
    return tuple(replace(each, moments=moments) for each in sheets)


def _excel(path: Path, where: Sheet, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    records = rows(path, where, names)
    while part := list(islice(records, max(1, CELLS // len(names)))):
        yield _batch(part, names, path)


def _parquet_file(path: Path) -> Any:
    from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

    try:
        return ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is not a Parquet file: {reason}\n  fix: copy the file again") from None


def _names_of_parquet(path: Path) -> tuple[str, ...]:
    with _parquet_file(path) as file:
        schema = file.schema_arrow
        if len(schema.names) > MOST_COLUMNS:
            check_header(schema.names, path)
        for field in schema:
            if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
                raise DataError(
                    f"{path}: column {field.name!r:.80} is of type {field.type}\n  fix: make it texts or numbers"
                )
        # pandas writes its index as a column of this kind.
        return check_header([name for name in schema.names if not name.startswith("__index_level_")], path)


def _parquet(path: Path, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    with _parquet_file(path) as file:
        try:
            for batch in file.iter_batches(max(1, CELLS // len(names)), columns=list(names)):
                yield pa.RecordBatch.from_arrays([_texts(batch.column(name)) for name in names], list(names))
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{path} is damaged: {reason}\n  fix: copy the file again") from None


def _texts(column: Any) -> Any:
    """Return a column of Parquet as texts, in the forms of the contract; NaN is null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    if pa.types.is_timestamp(column.type):
        form = "%Y-%m-%dT%H:%M:%S" + ("Z" if column.type.tz else "")
        return pc.strftime(column.cast(pa.timestamp("us", column.type.tz and "UTC")), form)
    return column.cast(pa.string())


_NAMES: dict[str, Callable[[Path], tuple[str, ...]]] = {"json": _names_of_json, "parquet": _names_of_parquet}
