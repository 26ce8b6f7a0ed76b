"""Give the records of a request or a typed file the types that the records of a text file have.

A model is trained on columns of these types, and gets the same ones over HTTP and from files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from copier_mlops.contract.values import EXACT, Rules, day, moment

if TYPE_CHECKING:
    from copier_mlops.contract.contract import Contract, ContractField


def typed(records: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return records that keep the contract with the types of its fields, in its order.

    Args:
        records: n records without a violation; the target may be missing, as may fields that are not required.
        contract: What the records are.

    Returns:
        n rows by one column per field. Integers are int64, or float64 if one is missing; numbers are float64. Texts
        are objects. Booleans are bool, or objects if one is missing. Dates are moments without a zone, and datetimes
        are moments in UTC. A missing value is NaN, NaT or None. The target is there if the records have it.
    """
    columns = {}
    for field in contract.fields:
        if field.name in records:
            columns[field.name] = _column(records[field.name], Rules(contract, field))
        elif field.name != contract.learning.target:
            nothing: Any = pd.Series([None] * len(records), index=records.index, dtype=object)
            columns[field.name] = _converted(nothing, nothing.isna(), field)
    return pd.DataFrame(columns, index=records.index)


def _column(column: Any, rules: Rules) -> Any:
    is_missing = column.isna()
    if column.dtype.kind == "O":
        texts = [isinstance(value, str) and value in rules.missing for value in column]
        is_missing = is_missing | pd.Series(texts, index=column.index)
    return _converted(column, is_missing, rules.field)


def _converted(column: Any, is_missing: Any, field: ContractField) -> Any:
    if field.type == "string":
        return column.astype(object).mask(is_missing, None)
    if field.type == "boolean":
        found = column.astype(object).mask(is_missing, None)
        return found if is_missing.any() else found.astype(bool)
    if field.type == "number":
        return pd.to_numeric(column.mask(is_missing, None)).astype("float64")
    if field.type == "integer":
        return _whole(column, is_missing)
    return _moments(column, is_missing, field)


def _whole(column: Any, is_missing: Any) -> Any:
    if not is_missing.any():
        return column.map(int).astype("int64") if column.dtype.kind == "O" else column.astype("int64")
    values = [None if nothing else int(value) for value, nothing in zip(column, is_missing, strict=True)]
    is_exact = all(value is None or abs(value) <= EXACT for value in values)
    return pd.Series(values, index=column.index, dtype="float64" if is_exact else object)


def _moments(column: Any, is_missing: Any, field: ContractField) -> Any:
    kind = "datetime64[us, UTC]" if field.type == "datetime" else "datetime64[us]"
    if column.dtype.kind == "M":
        is_bare = field.type == "datetime" and column.dt.tz is None
        return (column.dt.tz_localize("UTC") if is_bare else column).astype(kind)
    read: Any = moment if field.type == "datetime" else day
    values: Any = [None if nothing else read(value) for value, nothing in zip(column, is_missing, strict=True)]
    moments: Any = pd.to_datetime(values, utc=field.type == "datetime")
    found: Any = pd.Series(moments, index=column.index)
    return found.astype(kind)


def as_json(records: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Return records as a client sends them over HTTP: values of JSON, without fields that are missing.

    Args:
        records: n rows of `typed`; the target is left out.
        contract: What the records are.
    """
    columns = {}
    for field in contract.inputs:
        column = records[field.name]
        write = _WRITERS[field.type]
        columns[field.name] = [None if pd.isna(value) else write(value) for value in column.tolist()]
    rows = zip(*columns.values(), strict=True)
    return [{name: value for name, value in zip(columns, row, strict=True) if value is not None} for row in rows]


_WRITERS: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "number": float,
    "integer": int,
    "date": lambda value: value.date().isoformat(),
    "datetime": lambda value: value.isoformat(),
}
