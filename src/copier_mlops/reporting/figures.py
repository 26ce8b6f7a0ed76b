"""Put the metrics of the last run into words: what each means, how sure it is, and what others reach."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from copier_mlops import problems
from copier_mlops.contract import Contract
from copier_mlops.problems import Metric
from copier_mlops.reporting import intervals
from copier_mlops.tracking.metrics_files import numbers

CANDIDATES = Path("metrics", "candidates")
BASELINE = Path("metrics", "baseline.json")
SPREAD = "_spread"
# The metric of costs that the pipeline of a binary problem adds to those of the registry.
COST_MEANING = "The mean cost of a record at the chosen threshold, in the unit of the costs."


@dataclass(frozen=True)
class Figure:
    """A metric of the test records, in words.

    Attributes:
        name: The key in the file.
        title: The name for people; for a metric of the team's, that is the key.
        value: Its value for the chosen model.
        low, high: The ends of its 95 % confidence interval; None if it has none.
        baseline: The value of a model that looks at no feature, or None.
        unit: The unit of the value; empty if it has none.
        better: `higher` or `lower`; empty if only the team knows.
        meaning: A sentence for a reader; empty if only the team knows.
    """

    name: str
    title: str
    value: float
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    unit: str = ""
    better: str = ""
    meaning: str = ""


def read(path: Path) -> dict[str, Any]:
    """Return a document of JSON or YAML.

    Raises:
        ValueError: It is damaged, or is not an object.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML, too
        if not isinstance(document, dict):
            raise ValueError("expected an object")
        return document
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read: {reason}\n  fix: uv run poe train") from None


def known(contract: Contract) -> dict[str, Metric]:
    """Return the metrics of the contract's problem by their names."""
    return {each.name: each for each in problems.of(contract).metrics}


def direction(name: str, contract: Contract) -> str:
    """Return whether a `higher` or a `lower` value of a metric is better; empty if only the team knows."""
    if metric := known(contract).get(name):
        return "higher" if metric.higher_is_better else "lower"
    return "lower" if name == "cost" and contract.learning.problem == "binary" else ""


def baseline(root: Path) -> dict[str, float]:
    """Return the figures of the model that looks at no feature; none if the pipeline does not measure one.

    Raises:
        ValueError: The file is damaged.
    """
    path = root / BASELINE
    return numbers(read(path))[0] if path.is_file() else {}


def candidates(root: Path) -> dict[str, dict[str, float]]:
    """Return the numbers of each candidate in cross-validation, by its name; none if there are no such files.

    Raises:
        ValueError: A file is damaged.
    """
    return {file.stem: numbers(read(file))[0] for file in sorted((root / CANDIDATES).glob("*.json"))}


def compared(found: dict[str, dict[str, float]], contract: Contract) -> list[str]:
    """Return the names of the figures that candidates have, without spreads; the one that decides is the first."""
    names = list(dict.fromkeys(name for figures in found.values() for name in figures if not name.endswith(SPREAD)))
    return sorted(names, key=lambda name: name != problems.of(contract).gate)


def of_run(
    metrics: dict[str, float],
    guess: dict[str, float],
    outcomes: pd.DataFrame | None,
    contract: Contract,
    costs: dict[str, float],
) -> list[Figure]:
    """Return the metrics of the run in the order of their file.

    Args:
        metrics: Their values for the test records.
        guess: Those of the model that looks at no feature.
        outcomes: The predictions of the test records; None if they are not here, which leaves the intervals out.
        contract: What the records are.
        costs: The costs `missed` and `refused`; empty if the team has none.
    """
    ends: dict[str, tuple[float, float]] = {}
    if outcomes is not None:
        classes = 2 if contract.learning.problem != "multiclass" else len(problems.class_names(contract))
        ends = intervals.intervals(outcomes, metrics, _measures(outcomes, contract, costs), classes)
    rows = []
    for name, value in metrics.items():
        low, high = ends.get(name, (None, None))
        figure = Figure(name, name, value, low, high, guess.get(name))
        rows.append(Figure(**{**vars(figure), **_words(name, contract, bool(costs))}))
    return rows


def _words(name: str, contract: Contract, has_costs: bool) -> dict[str, str]:
    metric = known(contract).get(name)
    if metric:
        words = {"title": metric.title, "unit": metric.unit_of(contract), "meaning": metric.meaning}
        return words | {"better": direction(name, contract)}
    if name == "cost" and has_costs:
        return {"title": "Mean cost", "better": "lower", "meaning": COST_MEANING}
    return {}


def _measures(outcomes: pd.DataFrame, contract: Contract, costs: dict[str, float]) -> dict[str, intervals.Measured]:
    if contract.learning.problem == "regression":
        return intervals.of_regression(outcomes)
    if contract.learning.problem == "multiclass":
        return intervals.of_multiclass(outcomes, problems.class_names(contract))
    return intervals.of_binary(outcomes, problems.positive_name(contract), costs)
