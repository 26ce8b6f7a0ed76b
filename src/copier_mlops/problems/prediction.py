"""Predict with a model, the same way for each kind of problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from copier_mlops.contract import Contract
from copier_mlops.problems.classes import class_names, positive_name, targets

if TYPE_CHECKING:
    import pandas as pd

# The probability from which a record gets the positive label, if the model has no threshold of its own.
THRESHOLD = 0.5
# The most names in the text of an error.
MOST_NAMES = 10


def predict(model: Any, records: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the predictions of n records, after one pass through the model.

    Args:
        model: A fitted model of scikit-learn, which learned `targets`. It gets the features of the contract.
        records: n rows with at least the features of the contract.
        contract: What the records are.

    Returns:
        n rows with the index of the records.
        Binary: `label` and `probability`, that of the positive class. The label is positive if the probability reaches
        the threshold of the model.
        Multiclass: `label`, `probability`, that of the label, and `probability_<class>` for each class.
        Regression: `prediction`, in the unit of the target.

    Raises:
        ValueError: A column is missing, or the model does not give probabilities of the contract's classes.
    """
    import pandas as pd

    features = [field.name for field in contract.features]
    if missing := [name for name in features if name not in records.columns]:
        more = ", …" if len(missing) > MOST_NAMES else ""
        raise ValueError(f"columns missing: {', '.join(missing[:MOST_NAMES])}{more}")
    inputs = records[features]
    if contract.learning.problem == "regression":
        # Models refuse to predict nothing.
        values = np.asarray(model.predict(inputs), dtype="float64").reshape(-1) if len(inputs) else np.empty(0)
        return pd.DataFrame({"prediction": values}, index=records.index)
    names = class_names(contract)
    chances = _chances(model, inputs, names)
    if contract.learning.problem == "binary":
        place = names.index(positive_name(contract))
        chosen = np.where(chances[:, place] >= threshold(model), place, 1 - place)
        columns = {"probability": chances[:, place]}
    else:
        chosen = chances.argmax(axis=1)
        columns = {"probability": chances[np.arange(len(chosen)), chosen]}
        columns |= {f"probability_{name}": chances[:, place] for place, name in enumerate(names)}
    labels = pd.Series(np.array(names, dtype=object)[chosen], index=records.index, dtype=object)
    return pd.DataFrame({"label": labels} | columns, index=records.index)


def outcomes(model: Any, table: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the predictions of n records with the target, and the column `actual`: a class name, or a number.

    Raises:
        ValueError: As `predict` and `targets`.
    """
    return predict(model, table, contract).assign(actual=targets(table, contract))


def threshold(model: Any) -> float:
    """Return the probability from which a record gets the positive label, 0 to 1.

    That is the threshold of a FixedThresholdClassifier, or the one that a TunedThresholdClassifierCV found; else 0.5.
    """
    for name in ("best_threshold_", "threshold"):
        value = getattr(model, name, None)
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            return float(value)
    return THRESHOLD


def _chances(model: Any, inputs: pd.DataFrame, names: list[str]) -> Any:
    """Return the probability of each class, shape (records, names); a class that the model has not seen has 0."""
    if not hasattr(model, "predict_proba"):
        raise ValueError(
            f"{type(model).__name__} gives no probabilities\n  fix: wrap it in CalibratedClassifierCV of scikit-learn"
        )
    known = [str(each) for each in model.classes_]
    if set(known) - set(names):
        raise ValueError(
            f"the model knows the classes {', '.join(known[:MOST_NAMES])}, and the contract {', '.join(names)}\n"
            "  fix: fit it on problems.targets(table, contract)"
        )
    chances = np.zeros((len(inputs), len(names)))
    if len(inputs):
        chances[:, [names.index(each) for each in known]] = model.predict_proba(inputs)
    return chances
