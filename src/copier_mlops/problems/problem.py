"""The parts of a problem: metrics with their meaning, and curves with their points."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from copier_mlops.contract import Contract

if TYPE_CHECKING:
    import pandas as pd

# The most points of a curve: more cannot be told apart in a chart, and make it slow.
MOST_POINTS = 2_000
Measure = Callable[["pd.DataFrame", Contract], float | None]
Points = Callable[["pd.DataFrame", Contract], "pd.DataFrame"]


@dataclass(frozen=True)
class Metric:
    """A figure that says how good predictions are.

    Attributes:
        name: The key in files of metrics, for example `roc_auc`.
        title: The name for people.
        higher_is_better: A greater value is better.
        unit: `target` if the value has the unit of the target; empty if it has none.
        meaning: A sentence for the reader of a report.
        measure: Returns the value for outcomes and a contract; `None` if it cannot be computed.
    """

    name: str
    title: str
    higher_is_better: bool
    unit: Literal["", "target"]
    meaning: str
    measure: Measure

    def unit_of(self, contract: Contract) -> str:
        """Return the unit of the value, for example `EUR`; empty if it has none."""
        return contract.target.unit if self.unit == "target" else ""

    def gain(self, new: float, old: float) -> float:
        """Return by how much a new value is better than an old one; it is negative if it is worse."""
        return new - old if self.higher_is_better else old - new


@dataclass(frozen=True)
class Curve:
    """A chart of the report, and the points that it shows.

    Attributes:
        name: The name of its file, for example `roc`.
        title: The name for people.
        kind: How it is drawn. `confusion` has a row for each record, with both labels.
        x, y: The columns of the points.
        x_label, y_label: The texts beside the axes.
        points: Returns the points for outcomes and a contract; no rows if they cannot be computed.
    """

    name: str
    title: str
    kind: Literal["line", "confusion", "bars", "scatter"]
    x: str
    y: str
    x_label: str
    y_label: str
    points: Points


@dataclass(frozen=True)
class Problem:
    """A kind of problem: its metrics, the one that decides between models, and its curves.

    Outcomes are the frame of `predict` and the column `actual`.
    """

    name: str
    title: str
    metrics: tuple[Metric, ...]
    gate: str
    curves: tuple[Curve, ...]

    def metric(self, name: str = "") -> Metric:
        """Return the metric of a name; without a name, the one that decides between models.

        Raises:
            ValueError: The problem has no such metric.
        """
        known = {each.name: each for each in self.metrics}
        if (name or self.gate) not in known:
            raise ValueError(f"{name!r:.60} is not a metric of {self.name}\n  fix: one of {', '.join(known)}")
        return known[name or self.gate]

    def measure(self, outcomes: pd.DataFrame, contract: Contract) -> dict[str, float]:
        """Return the value of each metric that can be computed; it is finite.

        For example, a ROC AUC is left out if all records are of one class.
        """
        if outcomes.empty:
            return {}
        # A figure that overflows is left out below.
        with np.errstate(all="ignore"):
            found = {metric.name: metric.measure(outcomes, contract) for metric in self.metrics}
        return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def evenly(points: pd.DataFrame) -> pd.DataFrame:
    """Return at most 2,000 points: the first, the last, and others at equal distances in the order of the rows."""
    if len(points) <= MOST_POINTS:
        return points.reset_index(drop=True)
    chosen = np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int)
    return points.iloc[chosen].reset_index(drop=True)


def confusion_points(outcomes: pd.DataFrame, _: Contract) -> pd.DataFrame:
    """Return the columns `actual` and `predicted`, n rows of class names."""
    return outcomes[["actual", "label"]].set_axis(["actual", "predicted"], axis=1).reset_index(drop=True)


CONFUSION = Curve(
    "confusion",
    "Predicted and actual classes",
    "confusion",
    "predicted",
    "actual",
    "Predicted",
    "Actual",
    confusion_points,
)


def accuracy(outcomes: pd.DataFrame, _: Contract) -> float:
    """Return the share of records whose label is right, 0 to 1."""
    return float((outcomes["label"] == outcomes["actual"]).mean())


def recalls(outcomes: pd.DataFrame) -> pd.Series:
    """Return the share of records whose label is right for each class that occurs, 0 to 1, by its name."""
    is_right = (outcomes["label"] == outcomes["actual"]).astype("float64")
    return is_right.groupby(outcomes["actual"]).mean()


def balanced_accuracy(outcomes: pd.DataFrame, _: Contract) -> float:
    """Return the mean recall of the classes that occur, 0 to 1 (Brodersen et al. 2010)."""
    return float(recalls(outcomes).mean())


def surprise(chances: pd.Series) -> float:
    """Return the mean negative logarithm of probabilities (Good 1952); that of 0 is finite, as in scikit-learn."""
    least = float(np.finfo("float64").eps)
    return float(-np.log(chances.clip(least, 1 - least)).mean())


ACCURACY = Metric("accuracy", "Accuracy", True, "", "The share of records whose label is right.", accuracy)
BALANCED_ACCURACY = Metric(
    "balanced_accuracy",
    "Balanced accuracy",
    True,
    "",
    "The share of right labels in each class, averaged, so that a rare class counts as much as a frequent one.",
    balanced_accuracy,
)


def log_loss_by(measure: Measure) -> Metric:
    """Return the log loss, which each kind of classes measures by probabilities of its own."""
    meaning = "How surprising the results are to the model: 0 is perfect, and a confident mistake costs most."
    return Metric("log_loss", "Log loss", False, "", meaning, measure)
