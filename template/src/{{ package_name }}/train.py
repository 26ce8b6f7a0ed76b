"""Stage `train`: fit one candidate model, and measure it by cross-validation on the training records."""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
from copier_mlops import features, model_file, problems, splits
from copier_mlops.contract import beside
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

CONTRACT = beside(__file__)
PROBLEM = problems.of(CONTRACT)
IS_REGRESSION = CONTRACT.learning.problem == "regression"


def candidate(name: str, regularisation: float, learning_rate: float, leaf: int, seed: int) -> Pipeline:
    """Return a candidate that is not fitted: the records as numbers, then the estimator.

    Raises:
        ValueError: There is no candidate with this name.
    """
    if name == "linear":
        estimator = Ridge(regularisation) if IS_REGRESSION else LogisticRegression(C=1 / regularisation, max_iter=1000)
    elif name == "gradient_boosting":
        kind = HistGradientBoostingRegressor if IS_REGRESSION else HistGradientBoostingClassifier
        estimator = kind(learning_rate=learning_rate, min_samples_leaf=leaf, early_stopping=False, random_state=seed)
    else:
        raise ValueError(f"unknown candidate {name!r}: expected linear or gradient_boosting")
    encoder = features.encoder(CONTRACT, for_linear=name == "linear")
    return Pipeline([("features", encoder), ("estimator", estimator)])


def decision_threshold(cost_missed: float, cost_refused: float) -> float:
    """Return the probability of the positive class from which it costs less to act on it than to let it pass.

    Let c_m be the cost of a positive record that was missed, and c_r that of another one that was refused. Act if
    p >= c_r / (c_r + c_m). See Elkan 2001, The Foundations of Cost-Sensitive Learning, equation 2.
    """
    return cost_refused / (cost_refused + cost_missed)


def build(estimator: Any, threshold: float) -> Any:
    """Return the model: a candidate, and if there are two classes, the probability from which a record is positive."""
    if CONTRACT.learning.problem != "binary":
        return estimator
    positive = problems.positive_name(CONTRACT)
    return FixedThresholdClassifier(estimator, threshold=threshold, pos_label=positive, response_method="predict_proba")


def fit(model: Any, table: pd.DataFrame) -> Any:
    """Fit a model to records with their target."""
    return model.fit(table[[field.name for field in CONTRACT.features]], problems.targets(table, CONTRACT))


def cross_validate(model: Any, table: pd.DataFrame, folds: int, seed: int) -> list[float]:
    """Return the metric by which candidates are compared for each fold, and print it when the fold ends.

    Raises:
        ValueError: The records cannot be split so often, or a fold has no such metric.
    """
    scores = []
    for number, (inside, outside) in enumerate(splits.folds(table, CONTRACT, folds, seed), start=1):
        found = problems.scores(fit(model, table.iloc[inside]), table.iloc[outside], CONTRACT)
        if PROBLEM.gate not in found:
            raise ValueError(f"fold {number} has no {PROBLEM.gate}: its records are too few, or all of one class")
        scores.append(found[PROBLEM.gate])
        print(f"train: fold {number} of {folds}: {PROBLEM.gate} {scores[-1]:.3f}", flush=True)
    return scores


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet file of training records")
    parser.add_argument("--candidate", required=True, help="linear or gradient_boosting")
    parser.add_argument("--regularisation", type=float, default=1.0, help="strength of the penalty of a linear model")
    parser.add_argument("--learning-rate", type=float, default=0.1, help="learning rate of gradient boosting")
    parser.add_argument("--leaf", type=int, default=20, help="smallest number of records in a leaf of a tree")
    parser.add_argument("--cost-missed", type=float, default=1.0, help="cost of a positive record that is missed")
    parser.add_argument("--cost-refused", type=float, default=1.0, help="cost of another record that is refused")
    parser.add_argument("--folds", type=int, default=5, help="number of folds of the cross-validation")
    parser.add_argument("--seed", type=int, required=True, help="seed of the folds and of the estimators")
    parser.add_argument("--model", type=Path, required=True, help="model file to write")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file to write: cross-validated metrics")
    options = parser.parse_args(arguments)
    table = pd.read_parquet(options.data)
    try:
        chosen = candidate(options.candidate, options.regularisation, options.learning_rate, options.leaf, options.seed)
        model = build(chosen, decision_threshold(options.cost_missed, options.cost_refused))
        with problems.threads_for(len(table)):
            scores = pd.Series(cross_validate(model, table, options.folds, options.seed))
            fit(model, table)
    except ValueError as error:
        raise SystemExit(f"train: {error}") from None
    model_file.save(model, options.model)
    options.metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics = {PROBLEM.gate: scores.mean(), f"{PROBLEM.gate}_spread": scores.std()}
    options.metrics.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    print(f"train: {options.candidate}: {PROBLEM.gate} {scores.mean():.3f} ± {scores.std():.3f} -> {options.model}")


if __name__ == "__main__":
    main()
