"""The binary problem: one of two classes is positive, and the model gives its probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from copier_mlops.contract import Contract
from copier_mlops.problems.classes import positive_name
from copier_mlops.problems.problem import (
    ACCURACY,
    BALANCED_ACCURACY,
    CONFUSION,
    Curve,
    Metric,
    Problem,
    evenly,
    log_loss_by,
    surprise,
)

if TYPE_CHECKING:
    import pandas as pd

# The parts of a calibration curve, each with as many records.
PARTS = 10


class Hits(NamedTuple):
    """n outcomes: whether a record is positive, whether it is predicted so, and the probability of that, 0 to 1."""

    actual: Any
    label: Any
    chance: Any

    @property
    def has_both(self) -> bool:
        """Whether both classes occur."""
        return bool(self.actual.any() and not self.actual.all())


def _hits(outcomes: pd.DataFrame, contract: Contract) -> Hits:
    positive = positive_name(contract)
    return Hits(
        (outcomes["actual"] == positive).to_numpy(dtype=bool),
        (outcomes["label"] == positive).to_numpy(dtype=bool),
        outcomes["probability"].to_numpy(dtype="float64"),
    )


def roc_auc(outcomes: pd.DataFrame, contract: Contract) -> float | None:
    """Return the area under the ROC curve, 0 to 1."""
    from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

    hits = _hits(outcomes, contract)
    return float(roc_auc_score(hits.actual, hits.chance)) if hits.has_both else None


def average_precision(outcomes: pd.DataFrame, contract: Contract) -> float | None:
    """Return the mean precision over all thresholds, weighted by the growth of recall, 0 to 1."""
    from sklearn.metrics import average_precision_score

    hits = _hits(outcomes, contract)
    return float(average_precision_score(hits.actual, hits.chance)) if hits.actual.any() else None


def brier(outcomes: pd.DataFrame, contract: Contract) -> float:
    """Return the mean square of the probability's error, 0 to 1 (Brier 1950)."""
    hits = _hits(outcomes, contract)
    return float(np.mean((hits.chance - hits.actual) ** 2))


def log_loss(outcomes: pd.DataFrame, contract: Contract) -> float:
    """Return the mean negative logarithm of the probability of the actual class."""
    is_positive = outcomes["actual"] == positive_name(contract)
    return surprise(outcomes["probability"].where(is_positive, 1 - outcomes["probability"]))


def precision(outcomes: pd.DataFrame, contract: Contract) -> float | None:
    """Return the share of positive records among those that are predicted so; `None` if none is."""
    hits = _hits(outcomes, contract)
    return float(hits.actual[hits.label].mean()) if hits.label.any() else None


def recall(outcomes: pd.DataFrame, contract: Contract) -> float | None:
    """Return the share of positive records that are predicted so; `None` if no record is positive."""
    hits = _hits(outcomes, contract)
    return float(hits.label[hits.actual].mean()) if hits.actual.any() else None


def f1(outcomes: pd.DataFrame, contract: Contract) -> float | None:
    """Return the harmonic mean of precision and recall, 2 TP / (actual + predicted positives), 0 to 1."""
    hits = _hits(outcomes, contract)
    if not hits.actual.any():
        return None
    return float(2 * (hits.actual & hits.label).sum() / (hits.actual.sum() + hits.label.sum()))


def roc_points(outcomes: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the columns `false_positive_rate` and `true_positive_rate`, both 0 to 1."""
    import pandas as pd
    from sklearn.metrics import roc_curve

    hits = _hits(outcomes, contract)
    false_rate, true_rate = roc_curve(hits.actual, hits.chance)[:2] if hits.has_both else (np.empty(0), np.empty(0))
    return evenly(pd.DataFrame({"false_positive_rate": false_rate, "true_positive_rate": true_rate}))


def precision_recall_points(outcomes: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the columns `recall` and `precision`, both 0 to 1, by falling recall."""
    import pandas as pd
    from sklearn.metrics import precision_recall_curve

    hits = _hits(outcomes, contract)
    points = (np.empty(0), np.empty(0))
    if hits.actual.any():
        points = precision_recall_curve(hits.actual, hits.chance, drop_intermediate=True)[:2]
    return evenly(pd.DataFrame({"recall": points[1], "precision": points[0]}))


def calibration_points(outcomes: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the mean probability and the share of positive records, for each tenth of the records by probability.

    Returns:
        At most ten rows with `predicted` and `observed`, both 0 to 1.
    """
    import pandas as pd

    hits = _hits(outcomes, contract)
    points = pd.DataFrame({"predicted": hits.chance, "observed": hits.actual.astype("float64")})
    if points.empty:
        return points
    borders = np.quantile(hits.chance, np.linspace(0, 1, PARTS + 1))[1:-1]
    return points.groupby(np.searchsorted(borders, hits.chance)).mean().reset_index(drop=True)


BINARY = Problem(
    "binary",
    "Two classes",
    (
        Metric(
            "roc_auc",
            "ROC AUC",
            True,
            "",
            "How often a positive record gets a higher probability than a negative one: 0.5 is chance, 1 is perfect.",
            roc_auc,
        ),
        Metric(
            "average_precision",
            "Average precision",
            True,
            "",
            "The mean precision over all thresholds: chance is the share of positive records, 1 is perfect.",
            average_precision,
        ),
        Metric(
            "brier",
            "Brier score",
            False,
            "",
            "The mean square of the difference between probability and result: 0 is perfect.",
            brier,
        ),
        log_loss_by(log_loss),
        ACCURACY,
        BALANCED_ACCURACY,
        Metric(
            "precision",
            "Precision",
            True,
            "",
            "Of the records that are predicted positive, the share that is.",
            precision,
        ),
        Metric("recall", "Recall", True, "", "Of the positive records, the share that is predicted so.", recall),
        Metric(
            "f1", "F1 score", True, "", "The harmonic mean of precision and recall: it is low if one of both is.", f1
        ),
    ),
    "roc_auc",
    (
        Curve(
            "roc",
            "ROC curve",
            "line",
            "false_positive_rate",
            "true_positive_rate",
            "False positive rate",
            "True positive rate",
            roc_points,
        ),
        Curve(
            "precision_recall",
            "Precision and recall",
            "line",
            "recall",
            "precision",
            "Recall",
            "Precision",
            precision_recall_points,
        ),
        Curve(
            "calibration",
            "Calibration",
            "line",
            "predicted",
            "observed",
            "Predicted probability",
            "Observed share",
            calibration_points,
        ),
        CONFUSION,
    ),
)
