"""Look for what makes a model look better than it is: a column that gives the target away, groups, an order in time.

All of it looks at a sample of typed records, and speaks in sentences.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from copier_mlops.contract.contract import identifier
from copier_mlops.contract.fields import ContractField

if TYPE_CHECKING:
    import pandas as pd

# Words for somebody or something that has several records, all of which a new record does not share.
ENTITIES = frozenset(
    {"household", "family", "patient", "person", "subject", "customer", "client", "user", "member", "student"}
    | {"employee", "account", "participant", "haushalt", "familie", "kunde", "kundin", "patientin", "nutzer"}
    | {"mitglied", "konto", "foyer", "famille", "usager", "compte"}
)
KEYS = frozenset({"id", "nr", "no", "key", "uuid", "guid", "code", "number", "nummer", "numero", "index", "ident"})
# A column gives the target away if less than this share of the errors of a guess is left.
GIVEN_AWAY = 0.02
# Records of a value from which it says something of the target.
ENOUGH = 5


def words(name: str) -> set[str]:
    """Return the words of a column's name, in lower case."""
    return set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace(" ", "_").split("_")) | set(
        identifier(name).split("_")
    )


def is_key_name(name: str) -> bool:
    """Return whether a name is one that people give to identifiers."""
    return bool(words(name) & KEYS) or name.lower().endswith("id")


def gives_away(column: pd.Series, target: pd.Series, is_class: bool) -> bool:
    """Return whether a column says the target of nearly every record.

    Args:
        column: n values of one field.
        target: n values of the target.
        is_class: The target has classes; otherwise it has numbers.
    """
    known = (column.notna() & target.notna()).to_numpy()
    column, target = column[known], target[known]
    if len(column) < 20 or column.nunique() < 2:
        return False
    codes = _binned(column)
    return _says_class(codes, target) if is_class else _says_number(column, codes, target.astype(float))


def _binned(column: pd.Series) -> np.ndarray:
    """Return a code for each value: its rank in 50 parts for numbers with many values."""
    if column.dtype.kind in "iufM" and column.nunique() > 50:
        return (column.rank(method="min").to_numpy() * 50 // (len(column) + 1)).astype(int)
    return column.factorize()[0]


def _says_class(codes: np.ndarray, target: pd.Series) -> bool:
    """Return whether the most frequent class of each value is nearly always right."""
    classes = target.factorize()[0]
    table = np.zeros((codes.max() + 1, classes.max() + 1), dtype=int)
    np.add.at(table, (codes, classes), 1)
    table = table[table.sum(axis=1) >= ENOUGH]
    if len(table) < 2 or table.sum() < 0.95 * len(codes):
        return False
    by_guess = table.sum() - table.sum(axis=0).max()
    return bool(by_guess > 0 and table.sum() - table.max(axis=1).sum() <= GIVEN_AWAY * by_guess)


def _says_number(column: pd.Series, codes: np.ndarray, target: pd.Series) -> bool:
    """Return whether a column has the order of the target, or each of its values has one number of the target."""
    if column.dtype.kind in "iuf" and abs(column.rank().corr(target.rank())) > 0.999:
        return True
    sizes = np.bincount(codes)[codes]
    if (sizes >= ENOUGH).mean() < 0.95 or column.nunique() > 50:
        return False
    means = np.bincount(codes, weights=target) / np.maximum(1, np.bincount(codes))
    left = ((target.to_numpy() - means[codes]) ** 2).sum()
    return bool(left < 0.001 * ((target - target.mean()) ** 2).sum())


def group_of(sample: pd.DataFrame, names: list[str]) -> tuple[str, str, bool] | None:
    """Return the column whose records belong together, the reason, and whether its name leaves no doubt.

    A group has two records or more on average, and there are ten groups or more.
    """
    for is_sure in (True, False):
        for name in names:
            column = sample[name].dropna()
            groups = column.nunique()
            if groups < 10 or len(column) < 2 * groups or (column.dtype.kind == "f" and (column % 1 != 0).any()):
                continue
            if bool(words(name) & ENTITIES) if is_sure else is_key_name(name) or _is_coded(column):
                return name, f"{groups:,} values of {name!r} have {len(column) / groups:.1f} records each", is_sure
    return None


def _is_coded(column: pd.Series) -> bool:
    """Return whether values are names of things, as M012: one pattern of letters and digits."""
    texts = column.drop_duplicates()
    if column.dtype.kind in "iufbM" or len(texts) < 20:
        return False
    return bool(texts.astype(str).str.fullmatch(r"[A-Za-z]{1,4}[-_ ]?\d{2,}").all())


def time_of(sample: pd.DataFrame, fields: dict[str, ContractField]) -> str | None:
    """Return the column of dates by which the records are ordered; `None` if they are not in the order of any."""
    for name, field in fields.items():
        if field.type not in ("date", "datetime") or sample[name].isna().any() or len(sample) < 20:
            continue
        steps = sample[name].diff().dropna().dt.total_seconds().to_numpy()
        if ((steps >= 0).all() and (steps > 0).mean() > 0.5) or ((steps <= 0).all() and (steps < 0).mean() > 0.5):
            return name
    return None
