"""The regression problem: a number in the unit of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from copier_mlops.contract import Contract
from copier_mlops.problems.problem import Curve, Metric, Problem, evenly

if TYPE_CHECKING:
    import pandas as pd


def _errors(outcomes: pd.DataFrame) -> Any:
    """Return actual minus predicted values, shape (n,), in the unit of the target."""
    return (outcomes["actual"] - outcomes["prediction"]).to_numpy(dtype="float64")


def rmse(outcomes: pd.DataFrame, _: Contract) -> float:
    """Return the square root of the mean squared error."""
    return float(np.sqrt(np.mean(_errors(outcomes) ** 2)))


def mae(outcomes: pd.DataFrame, _: Contract) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(_errors(outcomes))))


def median_absolute_error(outcomes: pd.DataFrame, _: Contract) -> float:
    """Return the median absolute error."""
    return float(np.median(np.abs(_errors(outcomes))))


def r2(outcomes: pd.DataFrame, _: Contract) -> float | None:
    """Return the share of variance that is explained, at most 1; `None` if all actual values are the same."""
    actual = outcomes["actual"].to_numpy(dtype="float64")
    if actual.min() == actual.max():
        return None
    return float(1 - np.mean(_errors(outcomes) ** 2) / np.var(actual))


def mape(outcomes: pd.DataFrame, _: Contract) -> float | None:
    """Return the mean error as a share of the actual value; `None` if one of them is 0."""
    actual = outcomes["actual"].to_numpy(dtype="float64")
    return float(np.mean(np.abs(_errors(outcomes) / actual))) if actual.all() else None


def predicted_actual_points(outcomes: pd.DataFrame, _: Contract) -> pd.DataFrame:
    """Return the columns `actual` and `predicted` by rising actual value, at most 2,000 rows."""
    points = outcomes[["actual", "prediction"]].set_axis(["actual", "predicted"], axis=1)
    return evenly(points.sort_values("actual", kind="stable"))


def residual_points(outcomes: pd.DataFrame, _: Contract) -> pd.DataFrame:
    """Return the columns `predicted` and `residual`, actual minus predicted, by rising prediction."""
    import pandas as pd

    points = pd.DataFrame({"predicted": outcomes["prediction"].to_numpy(), "residual": _errors(outcomes)})
    return evenly(points.sort_values("predicted", kind="stable"))


REGRESSION = Problem(
    "regression",
    "A number",
    (
        Metric(
            "rmse",
            "Root mean squared error",
            False,
            "target",
            "The typical size of an error, in which large errors count most: 0 is perfect.",
            rmse,
        ),
        Metric("mae", "Mean absolute error", False, "target", "The mean size of an error: 0 is perfect.", mae),
        Metric(
            "median_absolute_error",
            "Median absolute error",
            False,
            "target",
            "Half of all errors are at most as large: 0 is perfect, and a few large errors do not count.",
            median_absolute_error,
        ),
        Metric(
            "r2",
            "R²",
            True,
            "",
            "The share of the variance that the model explains: 0 is as good as the mean, 1 is perfect.",
            r2,
        ),
        Metric(
            "mape",
            "Mean absolute percentage error",
            False,
            "",
            "The mean size of an error as a share of the actual value, for example 0.1 for a tenth of it.",
            mape,
        ),
    ),
    "rmse",
    (
        Curve(
            "predicted_actual",
            "Predicted and actual values",
            "scatter",
            "actual",
            "predicted",
            "Actual value",
            "Predicted value",
            predicted_actual_points,
        ),
        Curve(
            "residuals",
            "Errors by predicted value",
            "scatter",
            "predicted",
            "residual",
            "Predicted value",
            "Actual minus predicted value",
            residual_points,
        ),
    ),
)
