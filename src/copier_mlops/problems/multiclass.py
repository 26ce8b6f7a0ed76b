"""The multiclass problem: one of three classes or more, and a probability for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from copier_mlops.contract import Contract
from copier_mlops.problems.classes import class_names
from copier_mlops.problems.problem import (
    ACCURACY,
    BALANCED_ACCURACY,
    CONFUSION,
    Curve,
    Metric,
    Problem,
    log_loss_by,
    recalls,
    surprise,
)

if TYPE_CHECKING:
    import pandas as pd


def f1_macro(outcomes: pd.DataFrame, _: Contract) -> float:
    """Return the mean F1 score of the classes that are actual or predicted, 0 to 1."""
    from sklearn.metrics import f1_score  # type: ignore[import-untyped]

    return float(f1_score(outcomes["actual"], outcomes["label"], average="macro", zero_division=0.0))


def log_loss(outcomes: pd.DataFrame, contract: Contract) -> float:
    """Return the mean negative logarithm of the probability of the actual class."""
    import pandas as pd

    names = class_names(contract)
    chances = outcomes[[f"probability_{name}" for name in names]].to_numpy(dtype="float64")
    places = outcomes["actual"].map({name: place for place, name in enumerate(names)}).to_numpy(dtype=int)
    return surprise(pd.Series(chances[np.arange(len(places)), places]))


def roc_auc(outcomes: pd.DataFrame, contract: Contract) -> float | None:
    """Return the mean area under the ROC curve of each class that occurs, against the rest, 0 to 1.

    See Provost and Domingos 2000, Well-Trained PETs; here each class has the same weight.
    """
    from sklearn.metrics import roc_auc_score

    areas = []
    for name in class_names(contract):
        is_it = (outcomes["actual"] == name).to_numpy(dtype=bool)
        if is_it.any() and not is_it.all():
            areas.append(roc_auc_score(is_it, outcomes[f"probability_{name}"].to_numpy(dtype="float64")))
    return float(np.mean(areas)) if areas else None


def recall_points(outcomes: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the columns `class` and `recall`, 0 to 1, for each class that occurs, in the order of the contract."""
    import pandas as pd

    found = recalls(outcomes)
    names = [name for name in class_names(contract) if name in found.index]
    columns = {"class": pd.Series(names, dtype=object), "recall": found.reindex(names).to_numpy(dtype="float64")}
    return pd.DataFrame(columns)


MULTICLASS = Problem(
    "multiclass",
    "Several classes",
    (
        ACCURACY,
        BALANCED_ACCURACY,
        Metric(
            "f1_macro",
            "Macro F1 score",
            True,
            "",
            "The harmonic mean of precision and recall in each class, averaged over the classes.",
            f1_macro,
        ),
        log_loss_by(log_loss),
        Metric(
            "roc_auc",
            "ROC AUC",
            True,
            "",
            "How well the probability of a class tells its records from the rest: 0.5 is chance, 1 is perfect.",
            roc_auc,
        ),
    ),
    "f1_macro",
    (
        CONFUSION,
        Curve(
            "recall_by_class",
            "Recall of each class",
            "bars",
            "class",
            "recall",
            "Class",
            "Share of its records with the right label",
            recall_points,
        ),
    ),
)
