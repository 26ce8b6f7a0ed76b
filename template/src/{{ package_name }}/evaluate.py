"""Stage `evaluate`: choose the best candidate by cross-validation, then measure it on the test records."""

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.inspection import permutation_importance
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from .schema import COLUMNS, POSITIVE, TARGET
from .score import Predictor

THRESHOLDS = [step / 100 for step in range(1, 100)]


def choose(candidates: list[str], folder: Path) -> tuple[str, dict[str, float]]:
    """Return the candidate with the highest cross-validated ROC AUC (the first if two are equal), and all values.

    Args:
        candidates: One or more names.
        folder: The folder in which `train` wrote `<candidate>.json` for each of them.
    """
    texts = {name: (folder / f"{name}.json").read_text(encoding="utf-8") for name in candidates}
    reached = {name: json.loads(text)["roc_auc"] for name, text in texts.items()}
    return max(reached, key=lambda name: reached[name]), reached


def metrics_of(
    actual: pd.Series, label: pd.Series, chance: pd.Series, missed: float, refused: float
) -> dict[str, float]:
    """Return the metrics of the predictions, from 0 to 1, and `cost`, the mean cost of a record in the data's unit.

    Args:
        actual: True for each record that turned out bad, shape (n,).
        label: True for each record that is predicted bad, shape (n,).
        chance: Probability of bad, shape (n,).
        missed: Cost of a bad record that is predicted good.
        refused: Cost of a good record that is predicted bad.
    """
    return {
        "roc_auc": roc_auc_score(actual, chance),
        "average_precision": average_precision_score(actual, chance),
        "brier": brier_score_loss(actual, chance),
        "accuracy": accuracy_score(actual, label),
        "precision": precision_score(actual, label, zero_division=0.0),
        "recall": recall_score(actual, label),
        "f1": f1_score(actual, label),
        "cost": mean_cost(actual, label, missed, refused),
    }


def mean_cost(actual: pd.Series, label: pd.Series, missed: float, refused: float) -> float:
    """Return the mean cost of a record: `missed` if it is bad but predicted good, `refused` if it is the reverse."""
    return float((missed * (actual & ~label) + refused * (~actual & label)).mean())


def plots_of(
    actual: pd.Series, label: pd.Series, chance: pd.Series, missed: float, refused: float
) -> dict[str, pd.DataFrame]:
    """Return the points of each curve, by the curve's name."""
    false_rate, true_rate, _ = roc_curve(actual, chance)
    precision, recall, _ = precision_recall_curve(actual, chance)
    observed, predicted = calibration_curve(actual, chance, n_bins=10, strategy="quantile")
    costs = [mean_cost(actual, chance >= threshold, missed, refused) for threshold in THRESHOLDS]
    names = {True: POSITIVE, False: "good"}
    return {
        "roc": pd.DataFrame({"false_positive_rate": false_rate, "true_positive_rate": true_rate}),
        "precision_recall": pd.DataFrame({"recall": recall, "precision": precision}),
        "calibration": pd.DataFrame({"predicted": predicted, "observed": observed}),
        "confusion": pd.DataFrame({"actual": actual.map(names), "predicted": label.map(names)}),
        "cost": pd.DataFrame({"threshold": THRESHOLDS, "cost": costs}),
    }


def importance(predictor: Predictor, test: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the loss of ROC AUC if one feature is shuffled (permutation importance, Breiman 2001), largest first."""
    found = permutation_importance(
        predictor.model, test[COLUMNS], test[TARGET] == POSITIVE, scoring=_roc_auc, n_repeats=5, random_state=seed
    )
    table = pd.DataFrame({"importance": found.importances_mean, "feature": COLUMNS})
    return table.sort_values("importance", ascending=False, kind="stable")


def _roc_auc(model, inputs: pd.DataFrame, actual: pd.Series) -> float:
    return roc_auc_score(actual, model.predict_proba(inputs)[:, list(model.classes_).index(POSITIVE)])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet file of test records")
    parser.add_argument("--candidates", nargs="+", required=True, help="names of the candidates to choose from")
    parser.add_argument("--models", type=Path, required=True, help="folder of the candidates' model files")
    parser.add_argument("--candidate-metrics", type=Path, required=True, help="folder of the candidates' metrics")
    parser.add_argument("--cost-missed", type=float, required=True, help="cost of accepting a bad customer")
    parser.add_argument("--cost-refused", type=float, required=True, help="cost of refusing a good customer")
    parser.add_argument("--seed", type=int, required=True, help="seed of the permutations")
    parser.add_argument("--model", type=Path, required=True, help="model file to write: the chosen candidate")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file to write: metrics on the test records")
    parser.add_argument("--plots", type=Path, required=True, help="folder to write: one CSV per curve")
    parser.add_argument("--predictions", type=Path, required=True, help="CSV file to write: one line per test record")
    options = parser.parse_args(arguments)

    name, reached = choose(options.candidates, options.candidate_metrics)
    print("evaluate: " + ", ".join(f"{each} {value:.3f}" for each, value in reached.items()) + f" -> {name}")
    for folder in (options.model.parent, options.metrics.parent, options.plots, options.predictions.parent):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(options.models / f"{name}.skops", options.model)

    test = pd.read_parquet(options.data)
    predictor = Predictor.load(options.model, name)
    predictions = predictor.score(test)
    columns = (test[TARGET] == POSITIVE, predictions["label"] == POSITIVE, predictions["probability"])
    metrics = metrics_of(*columns, options.cost_missed, options.cost_refused)
    for plot, points in plots_of(*columns, options.cost_missed, options.cost_refused).items():
        points.to_csv(options.plots / f"{plot}.csv", index=False)
    importance(predictor, test, options.seed).to_csv(options.plots / "importance.csv", index=False)
    predictions.assign(actual=test[TARGET]).to_csv(options.predictions, index_label="record")
    document = {"candidate": name, **metrics}
    options.metrics.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"evaluate: ROC AUC {metrics['roc_auc']:.3f}, cost {metrics['cost']:.3f} on {len(test)} test records")


if __name__ == "__main__":
    main()
