"""Turn the texts of a file into values, as the contract says that they are written.

A text that is not such a value stays a text, so that the verdict names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from copier_mlops.contract.contract import Contract, ContractField
from copier_mlops.contract.files import Source
from copier_mlops.contract.image_files import RECORDS, contents
from copier_mlops.contract.values import EXACT

if TYPE_CHECKING:
    import pandas as pd

ISO = {
    "date": r"^\d{4}-\d\d-\d\d$",
    "datetime": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?$",
}


@dataclass(frozen=True)
class Values:
    """A column of n values: null if the value is missing, or if its text is not one; the masks say which."""

    values: Any
    is_missing: Any
    is_unfit: Any


def records(source: Source, contract: Contract) -> Iterator[pd.DataFrame]:
    """Yield the records of a file, a bounded number at a time, with the values that the contract describes.

    The index counts the records of the whole source, from 0. Columns that the contract does not know are texts.

    Raises:
        DataError: The file is damaged, or a record has too few or too many cells.
    """
    import pandas as pd

    known = {field.name: field for field in contract.fields}
    images = [field for field in contract.images if field.name in source.names]
    count = 0
    for folder, batch in _bounded(source, RECORDS if images else 0):
        for field in images:
            place, cells = source.names.index(field.name), batch.column(field.name).to_pylist()
            read = contents(cells, folder, contract.missing(field), field.name, count)
            batch = batch.set_column(place, field.name, pa.array(read, pa.string()))
        columns = {
            name: _frame_column(batch.column(name), known[name], contract)
            if name in known
            else batch.column(name).to_pandas()
            for name in source.names
        }
        yield pd.DataFrame(columns).set_axis(pd.RangeIndex(count, count + batch.num_rows), axis=0)
        count += batch.num_rows


def _bounded(source: Source, most: int) -> Iterator[tuple[Path, Any]]:
    """Yield parts of a source with at most so many records; 0 does not limit them."""
    for folder, batch in source.parts():
        step = most or max(1, batch.num_rows)
        yield from ((folder, batch.slice(start, step)) for start in range(0, batch.num_rows, step))


def column(texts: pd.Series, field: ContractField, contract: Contract) -> Any:
    """Return a column of n texts as values; a text that is not one stays."""
    return _frame_column(pa.array(texts, pa.string()), field, contract).set_axis(texts.index)


def _frame_column(texts: Any, field: ContractField, contract: Contract) -> Any:
    found = cast(texts, field, contract.missing(field))
    values = found.values
    if pa.types.is_integer(values.type) and values.null_count:
        edges = pc.min_max(values).as_py()
        is_exact = edges["min"] is None or (edges["min"] >= -EXACT and edges["max"] <= EXACT)
        column = values.to_pandas(integer_object_nulls=not is_exact)
    else:
        column = values.to_pandas()
    if pc.any(found.is_unfit).as_py():
        column = column.astype(object)
        mask = found.is_unfit.to_numpy(zero_copy_only=False)
        column[mask] = texts.filter(found.is_unfit).to_pandas().astype(object).to_numpy()
    return column


def cast(texts: Any, field: ContractField, missing: tuple[str, ...]) -> Values:
    """Return the values of n texts.

    Args:
        texts: A pyarrow array of strings, of which null is missing.
        field: How a value is written.
        missing: The texts that mean a missing value.
    """
    plain = texts if field.type == "string" else pc.utf8_trim_whitespace(texts)
    is_missing = pc.or_(pc.is_null(plain), pc.is_in(plain, pa.array(missing, pa.string())))
    left = pc.if_else(is_missing, None, plain)
    values = _CASTS[field.type](left, field)
    return Values(values, is_missing, pc.and_not(pc.is_null(values), is_missing))


def _string(texts: Any, _: ContractField) -> Any:
    return texts


def _boolean(texts: Any, field: ContractField) -> Any:
    is_true = pc.is_in(texts, pa.array(field.true_values, pa.string()))
    is_false = pc.is_in(texts, pa.array(field.false_values, pa.string()))
    return pc.if_else(is_true, True, pc.if_else(is_false, False, None))


def bare(texts: Any) -> Any:
    """Return numbers without currency, percent sign and parentheses, which make them negative."""
    texts = pc.replace_substring(texts, "−", "-")
    texts = pc.replace_substring_regex(texts, r"^\((.*)\)$", r"-\1")
    texts = pc.replace_substring_regex(texts, r"^([+-]?)[^\d.,+-]*([+-]?)[^\d.,+-]*", r"\1\2")
    return pc.replace_substring_regex(texts, r"[^\d]*$", "")


def number_pattern(decimal: str, group: str | None) -> str:
    """Return the regular expression of a number with these marks."""
    mark = re.escape(decimal)
    whole = rf"(\d+|\d{{1,3}}({re.escape(group)}\d{{3}})+)" if group else r"\d+"
    return rf"^[+-]?({whole}({mark}\d*)?|{mark}\d+)([eE][+-]?\d{{1,3}})?$"


def _number(texts: Any, field: ContractField) -> Any:
    if not field.bare_number:
        texts = bare(texts)
    texts = pc.if_else(
        pc.match_substring_regex(texts, number_pattern(field.decimal_char, field.group_char)), texts, None
    )
    if field.group_char:
        texts = pc.replace_substring(texts, field.group_char, "")
    if field.decimal_char != ".":
        texts = pc.replace_substring(texts, field.decimal_char, ".")
    values = pc.utf8_ltrim(texts, "+").cast(pa.float64())
    return pc.if_else(pc.is_finite(values), values, None)


def _integer(texts: Any, field: ContractField) -> Any:
    if not field.bare_number:
        texts = bare(texts)
    if pc.all(pc.match_substring_regex(texts, r"^-?\d{1,18}$")).as_py() is not False:
        return texts.cast(pa.int64())
    group = re.escape(field.group_char or "")
    pattern = rf"^[+-]?(\d{{1,3}}({group}\d{{3}})+|\d+)$" if group else r"^[+-]?\d+(\.0*)?$"
    texts = pc.if_else(pc.match_substring_regex(texts, pattern), texts, None)
    if field.group_char:
        texts = pc.replace_substring(texts, field.group_char, "")
    texts = pc.replace_substring_regex(pc.utf8_ltrim(texts, "+"), r"\.0*$", "")
    fits = pc.match_substring_regex(texts, r"^-?0*\d{1,18}$")
    return pc.if_else(fits, texts, None).cast(pa.int64())


def _moment(texts: Any, field: ContractField) -> Any:
    """Return datetimes in UTC, or dates as datetimes at midnight without a zone."""
    import pandas as pd

    is_iso = field.format == "default"
    if is_iso:
        texts = pc.if_else(pc.match_substring_regex(texts, ISO[field.type]), texts, None)
    # Each text once: dates repeat.
    coded = pc.dictionary_encode(texts)
    form = "ISO8601" if is_iso else field.format
    unique = coded.dictionary.to_pandas()
    moments = pd.to_datetime(unique, format=form, errors="coerce", utc=field.type == "datetime")
    zone = "UTC" if field.type == "datetime" else None
    return pa.array(moments, pa.timestamp("us", zone), from_pandas=True).take(coded.indices)


_CASTS = {
    "string": _string,
    "boolean": _boolean,
    "number": _number,
    "integer": _integer,
    "date": _moment,
    "datetime": _moment,
}
