"""Judge a model of any problem: its figures, the baseline it has to beat, and what its features are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from copier_mlops.contract import Contract
from copier_mlops.problems.prediction import outcomes, predict
from copier_mlops.problems.problem import Metric
from copier_mlops.problems.registry import of

if TYPE_CHECKING:
    import pandas as pd


def baseline(contract: Contract) -> Any:
    """Return a model, not fitted, that knows no features: it gives the shares of the classes, or the mean."""
    from sklearn.dummy import DummyClassifier, DummyRegressor  # type: ignore[import-untyped]

    is_regression = contract.learning.problem == "regression"
    return DummyRegressor(strategy="mean") if is_regression else DummyClassifier(strategy="prior")


def scores(model: Any, table: pd.DataFrame, contract: Contract) -> dict[str, float]:
    """Return the value of each metric for a fitted model and n records with the target.

    Raises:
        ValueError: As `predict` and `targets`.
    """
    return of(contract).measure(outcomes(model, table, contract), contract)


def importance(
    model: Any, table: pd.DataFrame, contract: Contract, metric: Metric | str, repeats: int, seed: int
) -> pd.DataFrame:
    """Return how much worse a metric becomes if one feature is shuffled (Breiman 2001, Random Forests, section 10).

    Args:
        model: A fitted model.
        table: n records with the target.
        contract: What the records are.
        metric: The metric or its name; an empty name is the metric that decides between models.
        repeats: How often each feature is shuffled; the losses are averaged.
        seed: Seed of the shuffles.

    Returns:
        The columns `feature` and `importance`, the largest first; equal ones are in the order of the contract. It is
        positive if the feature matters. No rows if the metric cannot be computed.

    Raises:
        ValueError: As `predict` and `targets`, or the problem has no such metric.
    """
    import pandas as pd

    chosen = of(contract).metric(metric) if isinstance(metric, str) else metric
    known = outcomes(model, table, contract)
    before = chosen.measure(known, contract) if len(known) else None
    features = [field.name for field in contract.features]
    found: dict[str, float] = {}
    orders = np.random.default_rng(seed)
    for name in features if before is not None else ():
        losses = []
        for _ in range(repeats):
            shuffled = table[features].copy(deep=False)
            shuffled[name] = table[name].array[orders.permutation(len(table))]
            after = chosen.measure(predict(model, shuffled, contract).assign(actual=known["actual"]), contract)
            losses += [] if after is None or before is None else [chosen.gain(before, after)]
        if losses:
            found[name] = float(np.mean(losses))
    losses_by_name = sorted(found.items(), key=lambda each: -each[1])
    return pd.DataFrame(losses_by_name, columns=["feature", "importance"])
