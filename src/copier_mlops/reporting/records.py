"""Say how the test records fare: the shares of a confusion matrix, groups of persons, and the worst errors."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from copier_mlops import problems
from copier_mlops.contract import Contract, ContractField
from copier_mlops.contract.contract import Sensitive

PREDICTIONS = "build/predictions.csv"
MOST_ERRORS = 10
# The most groups of a field that has neither categories nor bounds: the most frequent ones.
MOST_GROUPS = 20
Members = list[tuple[str, Any]]


def read_outcomes(path: Path, contract: Contract) -> pd.DataFrame | None:
    """Return the predictions of the test records with the columns that their problem has.

    Args:
        path: The CSV file of the pipeline.
        contract: What the records are.

    Returns:
        n rows with `actual`, and `label` and `probability` or `prediction`; None without such a file or column.

    Raises:
        ValueError: The file is damaged.
    """
    if not path.is_file():
        return None
    is_number = contract.learning.problem == "regression"
    # pandas would read classes such as `1` and `NA` as numbers and as nothing.
    found = pd.read_csv(path, converters={} if is_number else dict.fromkeys(("actual", "label"), str))
    needed = {"actual", "prediction"} if is_number else {"actual", "label", "probability"}
    return found if needed <= set(found.columns) else None


def rates(outcomes: pd.DataFrame, positive: str) -> dict[str, float]:
    """Return the figures of a confusion matrix, 0 to 1: `base_rate`, true and false positive rate, `precision`.

    Args:
        outcomes: n rows with the labels `actual` and `label`.
        positive: The positive one.
    """
    actual, called = _positive(outcomes, positive)
    parts = {
        "base_rate": actual,
        "true_positive_rate": called[actual],
        "false_positive_rate": called[~actual],
        "precision": actual[called],
    }
    return {name: float(values.mean()) if len(values) else 0.0 for name, values in parts.items()}


def _positive(outcomes: pd.DataFrame, positive: str) -> tuple[Any, Any]:
    return outcomes["actual"].to_numpy() == positive, outcomes["label"].to_numpy() == positive


def groups(records: pd.DataFrame, outcomes: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Return how groups of persons fare; an empty list if the contract has no sensitive fields.

    Args:
        records: n records.
        outcomes: Their predictions, n rows in the same order, as `read_outcomes` gives them.
        contract: What the records are.

    Returns:
        Per group `column`, `name` and `records`. A number has `mean_error`, predicted minus actual, and
        `mean_absolute_error`, in the target's unit. A class has `accuracy`. A binary one has `positive_rate` (predicted
        positive), `false_positive_rate` and `false_negative_rate`, too. Shares are 0 to 1, or None of zero records.

    Raises:
        ValueError: A sensitive field has numbers without bounds.
    """
    rows = []
    for each in contract.learning.sensitive:
        if each.field not in records:
            continue
        for name, member in _members(records[each.field].reset_index(drop=True), each, contract):
            if member.any():
                figures = _figures(outcomes[np.asarray(member)], contract)
                rows.append({"column": each.field, "name": name, "records": int(member.sum()), **figures})
    return rows


def _figures(outcomes: pd.DataFrame, contract: Contract) -> dict[str, float | None]:
    if contract.learning.problem == "regression":
        errors = outcomes["prediction"] - outcomes["actual"]
        return {"mean_error": float(errors.mean()), "mean_absolute_error": float(errors.abs().mean())}
    found: dict[str, float | None] = {"accuracy": float((outcomes["label"] == outcomes["actual"]).mean())}
    if contract.learning.problem == "binary":
        actual, called = _positive(outcomes, problems.positive_name(contract))
        shares = {
            "positive_rate": called,
            "false_positive_rate": called[~actual],
            "false_negative_rate": ~called[actual],
        }
        found |= {key: float(values.mean()) if len(values) else None for key, values in shares.items()}
    return found


def _members(values: Any, sensitive: Sensitive, contract: Contract) -> Members:
    """Return each group's name, and which records are in it, shape (n,)."""
    field = contract.field(sensitive.field)
    if sensitive.groups:
        found = [(name, values.isin(each)) for name, each in sensitive.groups.items()]
    elif sensitive.bounds:
        found = _bands(values, sensitive.bounds, field)
    elif field.values is not None:
        found = [(field.labels.get(value, str(value)), values == value) for value in field.values]
    elif field.type in ("string", "boolean"):
        found = [(str(value), values == value) for value in values.value_counts().index[:MOST_GROUPS]]
    else:
        raise ValueError(
            f"sensitive of the contract names {field.name}, which has neither categories nor bounds\n"
            f"  fix: for example {{field: {field.name}, bounds: [25, 60]}}"
        )
    is_missing = values.isna()
    is_other = ~is_missing & ~np.logical_or.reduce([np.asarray(member) for _, member in found])
    return [*found, ("other", is_other), ("no value", is_missing)]


def _bands(values: Any, bounds: tuple[int | float, ...], field: ContractField) -> Members:
    """Return the groups between bounds; each bound is the first value of a group."""
    first, last = values < bounds[0], values >= bounds[-1]
    if field.type == "integer":
        names = [f"{low} to {high - 1}" for low, high in itertools.pairwise(bounds)]
        ends = (f"up to {bounds[0] - 1}", f"over {bounds[-1] - 1}")
    else:
        names = [f"{low} to below {high}" for low, high in itertools.pairwise(bounds)]
        ends = (f"below {bounds[0]}", f"{bounds[-1]} or more")
    between = [(values >= low) & (values < high) for low, high in itertools.pairwise(bounds)]
    return [(ends[0], first), *zip(names, between, strict=True), (ends[1], last)]


def worst(records: pd.DataFrame, outcomes: pd.DataFrame, contract: Contract) -> list[dict[str, str]]:
    """Return the ten records that the model is most wrong about, the worst first.

    Args:
        records: n records.
        outcomes: Their predictions, n rows in the same order, as `read_outcomes` gives them.
        contract: What the records are.

    Returns:
        Per record the texts `key`, `actual`, `predicted` and `sure`. The key is the number of the record among the test
        records, from 0, if the contract has no primary key or a part of it may not be logged.
    """
    if contract.learning.problem == "regression":
        size = (outcomes["prediction"] - outcomes["actual"]).abs()
        order = size[size > 0].sort_values(ascending=False, kind="stable").index
    else:
        wrong = outcomes[outcomes["label"] != outcomes["actual"]]
        order = _chance_of_actual(wrong, contract).sort_values(kind="stable").index
    keys = contract.primary_key
    is_shown = bool(keys) and not set(keys) & set(contract.learning.unlogged) and set(keys) <= set(records.columns)
    rows = []
    for place in order[:MOST_ERRORS]:
        row = outcomes.loc[place]
        key = ", ".join(str(records.iloc[place][name]) for name in keys) if is_shown else str(place)
        rows.append({"key": key, **_error(row, contract)})
    return rows


def _chance_of_actual(outcomes: pd.DataFrame, contract: Contract) -> pd.Series:
    """Return the probability that the model gave to the actual class of records with a wrong label, 0 to 1."""
    if contract.learning.problem == "binary":
        is_positive = outcomes["actual"] == problems.positive_name(contract)
        return outcomes["probability"].where(is_positive, 1 - outcomes["probability"])
    if all(f"probability_{name}" in outcomes for name in outcomes["actual"].unique()):
        pairs = zip(outcomes.index, outcomes["actual"], strict=True)
        chances = [outcomes.at[place, f"probability_{name}"] for place, name in pairs]
        return pd.Series(chances, outcomes.index, dtype="float64")
    return -outcomes["probability"]


def _error(row: Any, contract: Contract) -> dict[str, str]:
    if contract.learning.problem == "regression":
        unit = f" {contract.target.unit}".rstrip()
        error = row["prediction"] - row["actual"]
        found = {"actual": f"{row['actual']:,.6g}{unit}", "predicted": f"{row['prediction']:,.6g}{unit}"}
        return {**found, "sure": f"{error:+,.4g}{unit}".replace("-", "−")}
    chance: float = row["probability"]
    if contract.learning.problem == "binary" and row["label"] != problems.positive_name(contract):
        chance = 1 - chance
    return {"actual": str(row["actual"]), "predicted": str(row["label"]), "sure": f"{chance:.1%}"}
