"""The names of classes, and the values that a model learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from copier_mlops.contract import Contract

if TYPE_CHECKING:
    import pandas as pd


def _names(contract: Contract) -> dict[Any, str]:
    """Return the name of each value of the target, in the order of the contract."""
    target = contract.target
    values = (False, True) if target.type == "boolean" else target.values or ()
    names = {value: target.labels.get(value, str(value)) for value in values}
    # With one label for two classes, only their values tell them apart.
    return names if len(set(names.values())) == len(names) else {value: str(value) for value in values}


def class_name(contract: Contract, value: Any) -> str:
    """Return the name of a class: its label, or else its value as a text.

    Args:
        contract: A contract whose target has classes.
        value: A value of the target, for example `1`; an integer may be a float.

    Raises:
        ValueError: It is not a class of the contract.
    """
    names = _names(contract)
    if value not in names:
        known = ", ".join(repr(each) for each in names)
        raise ValueError(
            f"{value!r:.60} is not a class of {contract.target.name!r}\n  fix: one of {known}, or add it to categories"
        )
    return names[value]


def class_names(contract: Contract) -> list[str]:
    """Return the names of the classes in the order of the contract; `False` comes before `True`."""
    return list(_names(contract).values())


def positive_name(contract: Contract) -> str:
    """Return the name of the positive class of a binary problem."""
    return class_name(contract, contract.learning.positive)


def targets(table: pd.DataFrame, contract: Contract) -> pd.Series:
    """Return what a model learns to predict: the names of classes, or float64 for a regression.

    Args:
        table: n records with the values of the contract, the target among them.
        contract: What the records are.

    Returns:
        n values with the index of the records.

    Raises:
        ValueError: The target is missing, in all records or in some, or a value of it is not a class.
    """
    name = contract.target.name
    if name not in table.columns:
        raise ValueError(f"the records have no column {name!r}, the target\n  fix: use records with the target")
    column = table[name]
    if count := int(column.isna().sum()):
        raise ValueError(
            f"the target {name!r} has no value in {count:,} of {len(column):,} records\n  fix: delete these records"
        )
    if contract.learning.problem == "regression":
        return column.astype("float64")
    column = column.astype(object)
    names = {value: class_name(contract, value) for value in column.unique()}
    return column.map(names).astype(object)
