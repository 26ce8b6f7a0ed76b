"""Collect the facts of a report on the pipeline's last run, from its files and with the names of the schema."""

import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from copier_mlops.command import run
from copier_mlops.project import team
from copier_mlops.reporting import charts
from copier_mlops.reporting.charts import Names
from copier_mlops.tracking import lineage

MODEL = "build/model/model.skops"
VALIDATED = "data/interim/validated.parquet"
TEST = "data/processed/test.parquet"
CURVES = ("roc", "precision_recall", "calibration", "confusion", "cost", "importance")
INPUTS = (
    *("dvc.lock", "metrics/data.json", "metrics/test.json", "build/predictions.csv", VALIDATED, TEST),
    *(f"build/plots/{name}.csv" for name in CURVES),
)
# The files that a model depends on. Cards and README are left out: a committed report must not change the next one.
SOURCES = ("data", "src", "dvc.lock", "dvc.yaml", "params.yaml", "pyproject.toml", "uv.lock")


def check_inputs(root: Path) -> None:
    """Check that the run is complete.

    Raises:
        SystemExit: Files are missing; the text names them and the command that restores them.
    """
    missing = [path for path in INPUTS if not (root / path).is_file()]
    if not list((root / "metrics" / "candidates").glob("*.json")):
        missing.append("metrics/candidates/*.json")
    if not missing:
        return
    in_dvc = (root / "dvc.lock").is_file() and all(path.startswith(("build/", "data/")) for path in missing)
    fix = "uv run dvc pull, or uv run poe train" if in_dvc else "uv run poe train"
    raise SystemExit(f"report: missing: {', '.join(missing)}\n  fix: {fix}")


def code(root: Path) -> dict[str, str]:
    """Return the last commit of the files that the model depends on, its date, and whether they changed (`dirty`).

    Raises:
        CommandError: Git refused.
    """
    state = {**lineage.git_state(root), "date": ""}
    if state["commit"]:
        commit, _, date = run("git", "log", "-1", "--format=%H %cs", "--", *SOURCES, cwd=root).partition(" ")
        dirty = run("git", "status", "--porcelain", "--", *SOURCES, cwd=root)
        state |= {"commit": commit, "date": date, "dirty": "true" if dirty else "false"}
    return state


def outdated(root: Path) -> list[str]:
    """Return the stages whose command, inputs or outputs changed since the last run; missing files do not count.

    Raises:
        CommandError: DVC cannot read the pipeline.
    """
    status = json.loads(run(sys.executable, "-m", "dvc", "status", "--json", cwd=root))
    return sorted(stage for stage, changes in status.items() if re.search("modified|changed command", str(changes)))


def names() -> Names:
    """Return the project's names of the records with the positive label, and of the others."""
    schema = team("schema")
    positive = str(schema.POSITIVE)
    others = {str(label) for label in schema.LABELS.values()} - {positive}
    return Names(positive, others.pop() if len(others) == 1 else f"not {positive}")


def collect(root: Path) -> dict[str, Any]:
    """Return all values for the templates, charts included.

    Raises:
        KeyError: The run lacks a figure or a parameter.
        ValueError: A file is damaged, or two files do not belong together.
        CommandError: Git refused.
    """
    metrics = _read(root / "metrics" / "test.json")
    params = lineage.parameters(root)
    costs: dict[str, Any] = {name: params[f"costs.{name}"] for name in ("missed", "refused")}
    test = _read(root / TEST)
    predictions = _read(root / "build" / "predictions.csv")
    candidates = {file.stem: _read(file) for file in sorted((root / "metrics" / "candidates").glob("*.json"))}
    hashes = lineage.dvc_hashes(root)
    if len(test) != len(predictions):
        raise ValueError(f"{len(predictions)} predictions for {len(test)} test records\n  fix: uv run poe train")
    found = {
        "candidate": metrics.pop("candidate"),
        "candidates": candidates,
        "code": code(root),
        "columns": columns(_read(root / VALIDATED)),
        "costs": costs,
        "data": _read(root / "metrics" / "data.json"),
        "groups": groups(test, predictions),
        "hashes": {path: md5 for path, md5 in hashes.items() if path.startswith("data/raw/") or path == MODEL},
        "metrics": metrics,
        **names()._asdict(),
        "params": params,
        "rates": rates(predictions),
        "records": len(predictions),
        "threshold": threshold(costs),
    }
    return {**found, "charts": draw(root / "build" / "plots", metrics, found["rates"], found["threshold"])}


def draw(plots: Path, metrics: dict[str, float], rates: dict[str, float], decision: float) -> dict[str, str]:
    """Return the SVG of each curve, by the curve's name; features are named by their meaning."""
    tables = {name: _read(plots / f"{name}.csv") for name in CURVES}
    features = tables["importance"]["feature"]
    tables["importance"]["feature"] = features.map(
        {feature.name: feature.meaning for feature in team("schema").FEATURES}
    ).fillna(features)
    chosen = rates["true_positive_rate"]
    more = {
        "roc": (metrics["roc_auc"], (rates["false_positive_rate"], chosen)),
        "precision_recall": (metrics["average_precision"], rates["base_rate"], (chosen, rates["precision"])),
        "cost": ((decision, metrics["cost"]),),
    }
    called = names()
    return {name: getattr(charts, name)(table, called, *more.get(name, ())) for name, table in tables.items()}


def threshold(costs: dict[str, float]) -> float:
    """Return the probability, 0 to 1, from which a record gets the positive label."""
    return float(team("train").decision_threshold(costs["missed"], costs["refused"]))


def rates(predictions: pd.DataFrame) -> dict[str, float]:
    """Return the figures of a confusion matrix, 0 to 1: `base_rate`, true and false positive rate, `precision`.

    Args:
        predictions: n rows with the labels `actual` and `label`.
    """
    actual, called = _positive(predictions)
    parts = {
        "base_rate": actual,
        "true_positive_rate": called[actual],
        "false_positive_rate": called[~actual],
        "precision": actual[called],
    }
    return {name: float(values.mean()) if len(values) else 0.0 for name, values in parts.items()}


def _positive(predictions: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return which records have, and which were predicted, the positive label; a CSV file may read it as a number."""
    positive = str(team("schema").POSITIVE)
    return predictions["actual"].astype(str) == positive, predictions["label"].astype(str) == positive


def columns(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row per column of the contract: `name`, `kind`, `meaning`, allowed values, and values in `table`."""
    rows = []
    for feature in team("schema").FEATURES:
        row = {"name": feature.name, "meaning": feature.meaning, "codes": {}, "low": 0, "high": 0}
        values = table[feature.name]
        if hasattr(feature, "codes"):
            shares = values.value_counts(normalize=True)
            # If two are equal, the first of the contract is taken, so that the card does not depend on pandas.
            top = max(feature.codes, key=lambda code: shares.get(code, 0.0))
            absent = [code for code in feature.codes if code not in shares]
            share = shares.get(top, 0.0)
            row |= {"kind": "category", "codes": feature.codes, "top": top, "share": share, "absent": absent}
        else:
            row |= {"kind": "number", "low": feature.low, "high": feature.high}
            row |= {"observed": [values.min(), values.median(), values.max()]}
        rows.append(row)
    return rows


def groups(records: pd.DataFrame, predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how protected groups fare; an empty list if the schema has no PROTECTED.

    Args:
        records: n records.
        predictions: The predictions, n rows in the same order, with the labels `actual` and `label`.

    Returns:
        Per group `column`, `name`, `records`, and the shares `positive_rate` (predicted positive),
        `false_positive_rate` and `false_negative_rate`, 0 to 1, or None for a share of zero records.

    Raises:
        ValueError: PROTECTED names a column that is not a feature, or a number without bands.
    """
    actual, called = _positive(predictions)
    features = {feature.name: feature for feature in team("schema").FEATURES}
    rows: list[dict[str, Any]] = []
    for column, edges in getattr(team("schema"), "PROTECTED", {}).items():
        if column not in features or not (edges or hasattr(features[column], "codes")):
            wrong = "has neither codes nor bands" if column in features else "is not a feature"
            raise ValueError(f"PROTECTED of schema.py names {column}, which {wrong}")
        values = records[column].reset_index(drop=True)
        for name, member in _bands(values, edges) if edges else _codes(values, features[column].codes):
            shares = {
                "positive_rate": called[member],
                "false_positive_rate": called[member & ~actual],
                "false_negative_rate": ~called[member & actual],
            }
            found = {key: float(values.mean()) if len(values) else None for key, values in shares.items()}
            rows.append({"column": column, "name": name, "records": int(member.sum()), **found})
    return [row for row in rows if row["records"]]


def _codes(values: pd.Series, codes: dict[str, str]) -> list[tuple[str, pd.Series]]:
    return [(meaning, values == code) for code, meaning in codes.items()]


def _bands(values: pd.Series, edges: list[int]) -> list[tuple[str, pd.Series]]:
    bands = [(f"{low + 1} to {high}", (values > low) & (values <= high)) for low, high in itertools.pairwise(edges)]
    return [(f"up to {edges[0]}", values <= edges[0]), *bands, (f"over {edges[-1]}", values > edges[-1])]


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".csv":
            return pd.read_csv(path)
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        document = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML, too
        if not isinstance(document, dict):
            raise ValueError("expected an object")
        return document
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read: {reason}\n  fix: uv run poe train") from None
