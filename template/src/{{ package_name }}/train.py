"""Stage `train`: fit one candidate model, and measure it by cross-validation on the training records."""

import argparse
import json
from pathlib import Path

import pandas as pd
from copier_mlops import model_file
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .schema import CATEGORIES, COLUMNS, FEATURES, NUMBERS, POSITIVE, TARGET, Category


def candidate(name: str, inverse_regularisation: float, trees: int, leaf: int, seed: int):
    """Return the estimator of a candidate.

    Raises:
        ValueError: There is no candidate with this name.
    """
    if name == "logistic_regression":
        return LogisticRegression(C=inverse_regularisation, max_iter=1000)
    if name == "random_forest":
        return RandomForestClassifier(n_estimators=trees, min_samples_leaf=leaf, random_state=seed)
    raise ValueError(f"unknown candidate {name!r}: expected logistic_regression or random_forest")


def build(estimator, threshold: float) -> FixedThresholdClassifier:
    """Return a model from records to labels: scaled numbers, one-hot codes, the estimator, and the decision threshold.

    A code that is not in the training records sets no column. So an unknown code is ignored, for example a new purpose
    of a credit, and is never an error.
    """
    codes = [list(feature.codes) for feature in FEATURES if isinstance(feature, Category)]
    encode = OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("numbers", StandardScaler(), NUMBERS), ("categories", encode, CATEGORIES)])
    pipeline = Pipeline([("columns", columns), ("estimator", estimator)])
    return FixedThresholdClassifier(pipeline, threshold=threshold, pos_label=POSITIVE, response_method="predict_proba")


def decision_threshold(cost_missed: float, cost_refused: float) -> float:
    """Return the probability of the positive label from which it costs less to refuse than to accept.

    Let c_m be the cost of a missed bad customer and c_r that of a refused good one. Refuse if p >= c_r / (c_r + c_m).
    See Elkan 2001, The Foundations of Cost-Sensitive Learning, equation 2.
    """
    return cost_refused / (cost_refused + cost_missed)


def cross_validate(model, table: pd.DataFrame, folds: int, seed: int) -> list[float]:
    """Return the area under the ROC curve of each stratified fold, and print it when the fold ends."""
    scores = []
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed).split(table, table[TARGET])
    for number, (fit, check) in enumerate(splits, start=1):
        model.fit(table.iloc[fit][COLUMNS], table.iloc[fit][TARGET])
        positive = list(model.classes_).index(POSITIVE)
        chance = model.predict_proba(table.iloc[check][COLUMNS])[:, positive]
        scores.append(float(roc_auc_score(table.iloc[check][TARGET] == POSITIVE, chance)))
        print(f"train: fold {number} of {folds}: ROC AUC {scores[-1]:.3f}", flush=True)
    return scores


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet file of training records")
    parser.add_argument("--candidate", required=True, help="logistic_regression or random_forest")
    parser.add_argument("--inverse-regularisation", type=float, default=1.0, help="C of the logistic regression")
    parser.add_argument("--trees", type=int, default=100, help="number of trees of the random forest")
    parser.add_argument("--leaf", type=int, default=5, help="smallest number of records in a leaf of the random forest")
    parser.add_argument("--cost-missed", type=float, required=True, help="cost of accepting a bad customer")
    parser.add_argument("--cost-refused", type=float, required=True, help="cost of refusing a good customer")
    parser.add_argument("--folds", type=int, default=5, help="number of folds of the cross-validation")
    parser.add_argument("--seed", type=int, required=True, help="seed of the folds and of the forest")
    parser.add_argument("--model", type=Path, required=True, help="model file to write")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file to write: cross-validated metrics")
    options = parser.parse_args(arguments)
    table = pd.read_parquet(options.data)
    threshold = decision_threshold(options.cost_missed, options.cost_refused)
    try:
        estimator = candidate(
            options.candidate, options.inverse_regularisation, options.trees, options.leaf, options.seed
        )
        scores = pd.Series(cross_validate(build(estimator, threshold), table, options.folds, options.seed))
    except ValueError as error:
        raise SystemExit(f"train: {error}") from None
    model_file.save(build(estimator, threshold).fit(table[COLUMNS], table[TARGET]), options.model)
    options.metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics = {"roc_auc": scores.mean(), "roc_auc_spread": scores.std()}
    options.metrics.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    print(f"train: {options.candidate}: ROC AUC {scores.mean():.3f} ± {scores.std():.3f} -> {options.model}")


if __name__ == "__main__":
    main()
