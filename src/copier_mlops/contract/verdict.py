"""Check a table of records by the contract, whatever file or request it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from copier_mlops.contract.contract import Contract
from copier_mlops.contract.values import LEAST, MOST, Rules
from copier_mlops.serving.records import VALUE, shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Violation:
    """A rule that a record breaks; `record` is its label in the table's index, or `None` for a whole column.

    The content of a file is hidden: neither a log nor an answer may have it.
    """

    record: Any
    field: str
    value: Any
    expected: str
    is_hidden: bool = False

    def __str__(self) -> str:
        name = shown(self.field, VALUE)
        if self.record is None:
            return f"{name} {self.expected}"
        value = f"a text of {len(self.value):,} characters" if self.is_hidden else shown(repr(self.value), VALUE)
        return f"record {self.record}: {name} is {value}, expected {self.expected}"


def violations(records: pd.DataFrame, contract: Contract, *, labelled: bool = False) -> Iterator[Violation]:
    """Yield each rule that n records break, column by column.

    Args:
        records: n records. A column has the name of its field, and its values are of Python, numpy or pandas.
        contract: What the records should be.
        labelled: The records are for training: they have the target too, and keys differ.
    """
    yield from of_columns(records, contract, labelled=labelled)
    for field in contract.fields if labelled else contract.inputs:
        if field.name in records.columns:
            yield from _of_column(records[field.name], Rules(contract, field))
    if labelled and contract.primary_key and set(contract.primary_key) <= set(records.columns):
        yield from _of_key(records, contract)


def of_columns(records: pd.DataFrame, contract: Contract, *, labelled: bool = False) -> Iterator[Violation]:
    """Yield each column of a table that the contract does not know, and each required field that is not a column."""
    fields = contract.fields if labelled else contract.inputs
    known = {field.name for field in fields}
    for name in records.columns:
        if name not in known:
            yield Violation(None, str(name), None, "is not a field of the contract")
    for field in fields:
        if field.name not in records.columns and contract.is_required(field):
            yield Violation(None, field.name, None, "is missing, and is required")


def of_types(records: pd.DataFrame, contract: Contract) -> Iterator[Violation]:
    """Yield each value that is not one of its field's type, as `cast.records` leaves it: a text."""
    for field in contract.fields:
        if field.type == "string" or field.name not in records.columns:
            continue
        column, rules = records[field.name], Rules(contract, field)
        if column.dtype.kind == "O":
            texts = column[[isinstance(value, str) for value in column]]
            yield from _of_column(texts, rules)


def unseen(records: pd.DataFrame, contract: Contract) -> dict[str, list[bool]]:
    """Return which of n records have a value outside of the categories, for each field that accepts such values."""
    found = {}
    for name in contract.learning.new_categories:
        column = records[name]
        found[name] = (column.notna() & ~column.isin(list(contract.field(name).values or ()))).tolist()
    return found


def _of_column(column: pd.Series, rules: Rules) -> Iterator[Violation]:
    suspects = column[_suspects(column, rules)]
    for record, value in suspects.items():
        if expected := rules.broken(value):
            is_hidden = rules.field.is_image and isinstance(value, str)
            yield Violation(record, rules.field.name, value, expected, is_hidden)


def _suspects(column: pd.Series, rules: Rules) -> Any:
    """Return a mask of the values to look at one by one: none if the column as a whole keeps the rules."""
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else "O"
    field = rules.field
    if kind in "iuf" and field.type in ("integer", "number"):
        return _suspect_numbers(column.to_numpy(), rules)
    if kind == "b" and field.type == "boolean" and rules.allowed is None:
        return np.zeros(len(column), dtype=bool)
    if column.dtype.kind == "M" and field.type in ("date", "datetime"):
        return _suspect_moments(column, rules)
    values = column.astype(object).tolist()
    texts = {value for value in values if isinstance(value, str)} if field.type == "string" else set()
    if not texts:
        return np.ones(len(values), dtype=bool)
    # Equal texts get one verdict. Values of other types can be equal and differ for the contract, as 1 and True.
    good = {value for value in texts if not rules.broken(value)}
    return np.fromiter((not isinstance(value, str) or value not in good for value in values), dtype=bool)


def _suspect_numbers(values: Any, rules: Rules) -> Any:
    """Return which numbers can break a rule; some that keep all are among them."""
    is_good = np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)
    with np.errstate(invalid="ignore"):
        if rules.field.type == "integer":
            is_good &= (values >= LEAST) & (values < float(MOST)) & (values == np.trunc(values))
        if rules.allowed is not None:
            is_good &= np.isin(values, list(rules.allowed))
        for is_inside, bound in ((np.greater_equal, rules.low), (np.less_equal, rules.high)):
            if bound is not None:
                is_good &= is_inside(values, bound)
    if values.dtype.kind == "f" and not rules.is_required:
        is_good |= np.isnan(values)
    return ~is_good


def _suspect_moments(column: pd.Series, rules: Rules) -> Any:
    """Return which moments can break a rule; some that keep all are among them."""
    zone = column.dt.tz
    is_good = column.notna().to_numpy()
    if rules.field.type == "date":
        is_good = is_good & (zone is None) & (column == column.dt.normalize()).to_numpy()
    moments = column.dt.tz_localize("UTC") if zone is None else column
    if rules.low is not None:
        is_good = is_good & (moments >= rules.low).to_numpy()
    if rules.high is not None:
        is_good = is_good & (moments <= rules.high).to_numpy()
    return ~(is_good | (column.isna().to_numpy() & (not rules.is_required)))


def _of_key(records: pd.DataFrame, contract: Contract) -> Iterator[Violation]:
    key = list(contract.primary_key)
    again = records.duplicated(key, keep="first")
    for record, values in records.loc[again, key].iterrows():
        value = values.iloc[0] if len(key) == 1 else tuple(values)
        yield Violation(record, ", ".join(key), value, "a key that no other record has")
