"""Give the metrics of the test records an interval, by the bootstrap.

The test records are drawn again and again, with replacement, and each draw is measured. The middle 95 % of the values
are the interval (Efron 1979, Bootstrap Methods: Another Look at the Jackknife, The Annals of Statistics 7). A draw is
how often each record is in it, so that a matrix measures hundreds of draws at once, and fast.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

DRAWS, FEWEST = 1_000, 20
# The most counts in all draws, and in those that are in memory together: about two seconds, and 100 MB.
MOST_COUNTS, BATCH = 10_000_000, 2_000_000
SHARE = 0.95
# Fewer records say nothing about the spread. More take long, and their interval is too narrow to matter.
FEWEST_RECORDS, MOST_RECORDS = 10, 1_000_000
# Counts of each record in each draw, shape (draws, records), to one value of the metric for each draw.
Measured = Callable[[Any], Any]


def intervals(
    outcomes: pd.DataFrame, metrics: dict[str, float], measures: dict[str, Measured], classes: int = 2, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return the 95 % confidence interval of each metric that can be measured again.

    Args:
        outcomes: n test records.
        metrics: The value of each metric for these records.
        measures: How a metric is measured in many draws, by its name.
        classes: The number of classes: with many of them, a draw takes longer, so fewer are made.
        seed: Seed of the draws.

    Returns:
        The lower and the upper end by the name of the metric. A metric is left out if `measures` lacks it or gives
        another value for the records: the team measures something else under this name.
    """
    number = len(outcomes)
    if not FEWEST_RECORDS <= number <= MOST_RECORDS:
        return {}
    once = np.ones((1, number))
    known = {
        name: measure
        for name, measure in measures.items()
        if name in metrics and np.allclose(_quiet(measure, once), metrics[name], 1e-6)
    }
    found: dict[str, list[Any]] = {name: [] for name in known}
    draws = min(DRAWS, max(FEWEST, MOST_COUNTS // (number * max(1, classes // 2))))
    for counts in _draws(number, draws, seed) if known else ():
        for name, measure in known.items():
            found[name].append(_quiet(measure, counts))
    ends: dict[str, tuple[float, float]] = {}
    for name, parts in found.items():
        # A metric may not exist in a draw, for example if it has no record of a rare class.
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        if values.size > draws / 2:
            low, high = np.quantile(values, [(1 - SHARE) / 2, (1 + SHARE) / 2])
            ends[name] = (float(low), float(high))
    return ends


def _draws(number: int, left: int, seed: int) -> Iterator[Any]:
    """Yield how often each of n records is in each draw, shape (draws, n), a bounded number of draws at a time."""
    random = np.random.default_rng(seed)
    most = max(1, BATCH // number)
    while left:
        size = min(most, left)
        drawn = random.integers(0, number, (size, number), dtype=np.int32)
        drawn += np.arange(size, dtype=np.int32)[:, None] * np.int32(number)
        yield np.bincount(drawn.ravel(), minlength=size * number).reshape(size, number).astype("float64")
        left -= size


def _quiet(measure: Measured, counts: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return measure(counts)


def of_binary(outcomes: pd.DataFrame, positive: str, costs: dict[str, float]) -> dict[str, Measured]:
    """Return how the metrics of a binary problem are measured in many draws, the mean cost among them.

    Args:
        outcomes: n records with `actual`, `label` and `probability`.
        positive: The name of the positive class.
        costs: The costs `missed` and `refused` of a record; empty if the team has none.
    """
    actual = (outcomes["actual"] == positive).to_numpy(dtype="float64")
    label = (outcomes["label"] == positive).to_numpy(dtype="float64")
    chance = outcomes["probability"].to_numpy(dtype="float64")
    hits = actual * label
    found = {
        "roc_auc": _area(actual, chance),
        "average_precision": _average_precision(actual, chance),
        "brier": _mean((chance - actual) ** 2),
        "log_loss": _mean(_surprise(np.where(actual > 0, chance, 1 - chance))),
        "precision": lambda counts: counts @ hits / (counts @ label),
        "recall": lambda counts: counts @ hits / (counts @ actual),
        "f1": lambda counts: 2 * (counts @ hits) / (counts @ (actual + label)),
        **_of_labels(outcomes),
    }
    if costs:
        found["cost"] = _mean(costs["missed"] * actual * (1 - label) + costs["refused"] * (1 - actual) * label)
    return found


def of_multiclass(outcomes: pd.DataFrame, names: list[str]) -> dict[str, Measured]:
    """Return how the metrics of several classes are measured in many draws.

    Args:
        outcomes: n records with `actual`, `label` and `probability_<class>`.
        names: The classes.
    """
    found = _of_labels(outcomes)
    columns = [f"probability_{name}" for name in names]
    if not all(column in outcomes for column in columns):
        return found
    chances = outcomes[columns].to_numpy(dtype="float64")
    actual = outcomes["actual"].to_numpy()
    is_it = np.array([actual == name for name in names], dtype="float64").T
    areas = [_area(is_it[:, place], chances[:, place]) for place in range(len(names))]
    found["log_loss"] = _mean(_surprise((chances * is_it).sum(axis=1)))
    found["roc_auc"] = lambda counts: _mean_of([area(counts) for area in areas])
    return found


def of_regression(outcomes: pd.DataFrame) -> dict[str, Measured]:
    """Return how the metrics of numbers are measured in many draws; n records with `actual` and `prediction`."""
    actual = outcomes["actual"].to_numpy(dtype="float64")
    errors = actual - outcomes["prediction"].to_numpy(dtype="float64")
    sizes = np.abs(errors)
    # Far from 0, the squares of the values would hide their spread.
    around = actual - actual.mean()
    order = np.argsort(sizes, kind="stable")

    def median(counts: Any) -> Any:
        upto = np.cumsum(counts[:, order], axis=1)
        total = upto[:, -1:]
        middle = [(upto > place).argmax(axis=1) for place in ((total - 1) // 2, total // 2)]
        return (sizes[order][middle[0]] + sizes[order][middle[1]]) / 2

    def explained(counts: Any) -> Any:
        total = counts.sum(axis=1)
        return 1 - counts @ errors**2 / (counts @ around**2 - (counts @ around) ** 2 / total)

    squared = _mean(errors**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = _mean(sizes / np.abs(actual))
    return {
        "rmse": lambda counts: np.sqrt(squared(counts)),
        "mae": _mean(sizes),
        "median_absolute_error": median,
        "r2": explained,
        "mape": shares,
    }


def _of_labels(outcomes: pd.DataFrame) -> dict[str, Measured]:
    """Return how metrics of any classes are measured: a class counts if it is in the draw."""
    actual, label = outcomes["actual"].to_numpy(), outcomes["label"].to_numpy()
    names = sorted({*actual, *label})
    has = np.array([actual == name for name in names], dtype="float64").T
    called = np.array([label == name for name in names], dtype="float64").T
    hits = has * called
    return {
        "accuracy": _mean(hits.sum(axis=1)),
        "balanced_accuracy": lambda counts: _mean_of(list((counts @ hits / (counts @ has)).T)),
        "f1_macro": lambda counts: _mean_of(list((2 * (counts @ hits) / (counts @ (has + called))).T)),
    }


def _mean(values: Any) -> Measured:
    return lambda counts: counts @ values / counts.sum(axis=1)


def _mean_of(parts: list[Any]) -> Any:
    """Return the mean of values that exist; a value does not if a class is not in the draw."""
    stacked = np.stack(parts)
    exists = np.isfinite(stacked)
    return np.where(exists, stacked, 0.0).sum(axis=0) / exists.sum(axis=0)


def _surprise(chances: Any) -> Any:
    least = float(np.finfo("float64").eps)
    return -np.log(np.clip(chances, least, 1 - least))


def _steps(chance: Any) -> tuple[Any, Any]:
    """Return the order of records by falling probability, and where each run of equal ones begins."""
    order = np.argsort(-chance, kind="stable")
    return order, np.flatnonzero(np.r_[True, np.diff(chance[order]) != 0])


def _area(actual: Any, chance: Any) -> Measured:
    """Measure the area under the ROC curve: the share of pairs in the right order; an equal pair counts half."""
    order, starts = _steps(chance)

    def measure(counts: Any) -> Any:
        sorted_counts = counts[:, order]
        positive = np.add.reduceat(sorted_counts * actual[order], starts, axis=1)
        negative = np.add.reduceat(sorted_counts * (1 - actual[order]), starts, axis=1)
        below = negative.sum(axis=1, keepdims=True) - np.cumsum(negative, axis=1)
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        return (positive * (below + negative / 2)).sum(axis=1) / pairs

    return measure


def _average_precision(actual: Any, chance: Any) -> Measured:
    """Measure the precision at each threshold, weighted by the growth of recall."""
    order, starts = _steps(chance)

    def measure(counts: Any) -> Any:
        sorted_counts = counts[:, order]
        found = np.add.reduceat(sorted_counts * actual[order], starts, axis=1)
        called = np.cumsum(np.add.reduceat(sorted_counts, starts, axis=1), axis=1)
        # A threshold that calls no record of the draw has no precision, and finds none.
        precision = np.cumsum(found, axis=1) / np.maximum(called, 1)
        return (found * precision).sum(axis=1) / found.sum(axis=1)

    return measure
