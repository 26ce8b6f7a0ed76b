"""Stage `evaluate`: choose the best candidate by cross-validation, then measure it on the test records."""

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd
from copier_mlops import problems
from copier_mlops.contract import beside

from .score import Predictor

CONTRACT = beside(__file__)
PROBLEM = problems.of(CONTRACT)
THRESHOLDS = [step / 100 for step in range(1, 100)]


def choose(candidates: list[str], folder: Path) -> tuple[str, dict[str, float]]:
    """Return the candidate with the best cross-validated metric (the first if two are equal), and all values.

    Args:
        candidates: One or more names.
        folder: The folder in which `train` wrote `<candidate>.json` for each of them.
    """
    texts = {name: (folder / f"{name}.json").read_text(encoding="utf-8") for name in candidates}
    reached = {name: json.loads(text)[PROBLEM.gate] for name, text in texts.items()}
    best = max if PROBLEM.metric().higher_is_better else min
    return best(reached, key=lambda name: reached[name]), reached


def mean_cost(actual: pd.Series, label: pd.Series, missed: float, refused: float) -> float:
    """Return the mean cost of a record: `missed` if it is positive and not predicted so, `refused` if the reverse.

    Args:
        actual: True for each record that turned out positive, shape (n,).
        label: True for each record that is predicted positive, shape (n,).
        missed: Cost of a positive record that is missed.
        refused: Cost of another record that is refused.
    """
    return float((missed * (actual & ~label) + refused * (~actual & label)).mean())


def costs(outcomes: pd.DataFrame, missed: float, refused: float) -> tuple[float, pd.DataFrame]:
    """Return the mean cost at the model's threshold, and at other thresholds: a metric and a curve of your own."""
    positive = problems.positive_name(CONTRACT)
    actual, chance = outcomes["actual"] == positive, outcomes["probability"]
    curve = [mean_cost(actual, chance >= threshold, missed, refused) for threshold in THRESHOLDS]
    decided = mean_cost(actual, outcomes["label"] == positive, missed, refused)
    return decided, pd.DataFrame({"threshold": THRESHOLDS, "cost": curve})


def baseline_metrics(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """Return the metrics of a model that looks at no feature: a model worth its work is better."""
    columns = [field.name for field in CONTRACT.features]
    guess = problems.baseline(CONTRACT).fit(train[columns], problems.targets(train, CONTRACT))
    return problems.scores(guess, test, CONTRACT)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet file of test records")
    parser.add_argument("--train", type=Path, required=True, help="Parquet file of training records, for the baseline")
    parser.add_argument("--candidates", nargs="+", required=True, help="names of the candidates to choose from")
    parser.add_argument("--models", type=Path, required=True, help="folder of the candidates' model files")
    parser.add_argument("--candidate-metrics", type=Path, required=True, help="folder of the candidates' metrics")
    parser.add_argument("--cost-missed", type=float, default=1.0, help="cost of a positive record that is missed")
    parser.add_argument("--cost-refused", type=float, default=1.0, help="cost of another record that is refused")
    parser.add_argument("--seed", type=int, required=True, help="seed of the permutations")
    parser.add_argument("--model", type=Path, required=True, help="model file to write: the chosen candidate")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file to write: metrics on the test records")
    parser.add_argument("--baseline", type=Path, required=True, help="JSON file to write: metrics of the baseline")
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
    outcomes = predictions.assign(actual=problems.targets(test, CONTRACT))
    metrics = PROBLEM.measure(outcomes, CONTRACT)
    if PROBLEM.gate not in metrics:
        raise SystemExit(f"evaluate: the test records have no {PROBLEM.gate}\n  fix: raise test_share in params.yaml")
    curves = {curve.name: curve.points(outcomes, CONTRACT) for curve in PROBLEM.curves}
    if CONTRACT.learning.problem == "binary":
        metrics["cost"], curves["cost"] = costs(outcomes, options.cost_missed, options.cost_refused)
    with problems.threads_for(len(test)):
        curves["importance"] = problems.importance(
            predictor.model, test, CONTRACT, PROBLEM.gate, repeats=5, seed=options.seed
        )
    for curve, points in curves.items():
        points.to_csv(options.plots / f"{curve}.csv", index=False)
    outcomes.to_csv(options.predictions, index_label="record")
    baseline = baseline_metrics(pd.read_parquet(options.train), test)
    for path, document in ((options.metrics, {"candidate": name, **metrics}), (options.baseline, baseline)):
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"evaluate: {PROBLEM.gate} {metrics[PROBLEM.gate]:.3f} on {len(test)} test records")


if __name__ == "__main__":
    main()
