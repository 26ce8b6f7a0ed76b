"""What there is to report on the pipeline's last run: read from its files, judged by the data contract."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from copier_mlops.command import CommandError
from copier_mlops.command import run as command_run
from copier_mlops.project import team
from copier_mlops.reporting import charts
from copier_mlops.tracking import lineage

MODEL = "build/model/model.skops"
VALIDATED = "data/interim/validated.parquet"
TEST = "data/processed/test.parquet"
CURVES = ("roc", "precision_recall", "calibration", "confusion", "cost", "importance")
INPUTS = ("dvc.lock", "metrics/data.json", "metrics/test.json", "build/predictions.csv", VALIDATED, TEST)
INPUTS += tuple(f"build/plots/{name}.csv" for name in CURVES)
READERS = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
# What a model depends on. Cards and README are left out: a report that is committed must not make the next one differ.
SOURCES = ("data", "src", "dvc.lock", "dvc.yaml", "params.yaml", "pyproject.toml", "uv.lock")


def check_inputs(root: Path) -> None:
    """Refuse to report on half a run.

    Raises:
        SystemExit: A file is missing; the text names each and the command that brings it back.
    """
    missing = [path for path in INPUTS if not (root / path).is_file()]
    if not list((root / "metrics" / "candidates").glob("*.json")):
        missing.append("metrics/candidates/*.json")
    if not missing:
        return
    in_dvc = (root / "dvc.lock").is_file() and all(path.startswith(("build/", "data/")) for path in missing)
    mend = "uv run dvc pull, or uv run poe train" if in_dvc else "uv run poe train"
    raise SystemExit(f"report: missing: {', '.join(missing)}\n  mend: {mend}")


def code(root: Path) -> dict[str, str]:
    """The last commit that touched what the model depends on, its date, and whether it changed since (`dirty`)."""
    state = {**lineage.git_state(root), "date": ""}
    if state["commit"]:
        commit, _, date = run(root, "git", "log", "-1", "--format=%H %cs", "--", *SOURCES).strip().partition(" ")
        dirty = run(root, "git", "status", "--porcelain", "--", *SOURCES)
        state |= {"commit": commit, "date": date, "dirty": "true" if dirty else "false"}
    return state


def outdated(root: Path) -> list[str]:
    """The stages whose command, inputs or outputs are not those of the last run; a file that is away is no change."""
    status = json.loads(run(root, sys.executable, "-m", "dvc", "status", "--json"))
    return sorted(stage for stage, changes in status.items() if re.search("modified|changed command", str(changes)))


def collect(root: Path) -> dict:
    """What the templates say of the run, charts included."""
    metrics = _read(root / "metrics" / "test.json")
    params = lineage.parameters(root)
    costs = {name: params[f"costs.{name}"] for name in ("missed", "refused")}
    test = _read(root / TEST)
    predictions = _read(root / "build" / "predictions.csv")
    candidates = {file.stem: _read(file) for file in sorted((root / "metrics" / "candidates").glob("*.json"))}
    hashes = lineage.dvc_hashes(root)
    if len(test) != len(predictions):
        raise ValueError(f"{len(predictions)} predictions for {len(test)} test records\n  mend: uv run poe train")
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
        "params": params,
        "rates": rates(predictions),
        "records": len(predictions),
        "threshold": threshold(costs),
    }
    return {**found, "charts": draw(root / "build" / "plots", metrics, found["rates"], found["threshold"])}


def draw(plots: Path, metrics: dict[str, float], rates: dict[str, float], decision: float) -> dict[str, str]:
    """The SVG of each curve, by the curve's name; features go by their meaning."""
    tables = {name: _read(plots / f"{name}.csv") for name in CURVES}
    features = tables["importance"]["feature"]
    tables["importance"]["feature"] = features.map(
        {feature.name: feature.meaning for feature in team("schema").FEATURES}
    ).fillna(features)
    more = {
        "roc": (metrics["roc_auc"], (rates["refused"], rates["found"])),
        "precision_recall": (metrics["average_precision"], rates["bad"], (rates["found"], rates["right"])),
        "cost": ((decision, metrics["cost"]),),
    }
    return {name: getattr(charts, name)(table, *more.get(name, ())) for name, table in tables.items()}


def threshold(costs: dict[str, float]) -> float:
    """The probability of bad, 0 to 1, from which the pipeline calls a record bad."""
    return team("train").decision_threshold(costs["missed"], costs["refused"])


def rates(predictions: pd.DataFrame) -> dict[str, float]:
    """Shares, 0 to 1: `bad` of all records, `found` of the bad, `refused` of the good, `right` of the refused.

    Args:
        predictions: n rows with the labels `actual` and `label`.
    """
    bad, refused = (predictions[name] == team("schema").POSITIVE for name in ("actual", "label"))
    parts = {"bad": bad, "found": refused[bad], "refused": refused[~bad], "right": bad[refused]}
    return {name: float(values.mean()) if len(values) else 0.0 for name, values in parts.items()}


def columns(table: pd.DataFrame) -> list[dict]:
    """One row per column of the contract: `name`, `kind`, `meaning`, what it may hold and what `table` holds."""
    rows = []
    for feature in team("schema").FEATURES:
        row = {"name": feature.name, "meaning": feature.meaning, "codes": {}, "low": 0, "high": 0}
        values = table[feature.name]
        if hasattr(feature, "codes"):
            shares = values.value_counts(normalize=True)
            # The first in the contract's order where two are equal, so that the card does not depend on pandas.
            top = max(feature.codes, key=lambda code: shares.get(code, 0.0))
            absent = [code for code in feature.codes if code not in shares]
            row |= {"kind": "category", "codes": feature.codes, "top": top, "share": shares[top], "absent": absent}
        else:
            row |= {"kind": "number", "low": feature.low, "high": feature.high}
            row |= {"observed": [values.min(), values.median(), values.max()]}
        rows.append(row)
    return rows


def groups(records: pd.DataFrame, predictions: pd.DataFrame) -> list[dict]:
    """How the protected groups among the test records fare; a share is None where it would be one of no record.

    Args:
        records: n records.
        predictions: Their predictions, n rows in the same order, with the labels `actual` and `label`.

    Returns:
        Per group `column`, `name`, `records`, and the shares `refused`, `good_refused` and `bad_accepted`, 0 to 1.
    """
    bad, refused = (predictions[name] == team("schema").POSITIVE for name in ("actual", "label"))
    rows = []
    for column, edges in getattr(team("schema"), "PROTECTED", {}).items():
        for name, member in _members(records[column].reset_index(drop=True), edges):
            shares = {"refused": refused[member], "good_refused": refused[member & ~bad]}
            shares["bad_accepted"] = ~refused[member & bad]
            found = {key: float(values.mean()) if len(values) else None for key, values in shares.items()}
            rows.append({"column": column, "name": name, "records": int(member.sum()), **found})
    return [row for row in rows if row["records"]]


def _members(values: pd.Series, edges: list[int]) -> list[tuple[str, pd.Series]]:
    if not edges:
        codes = next(feature.codes for feature in team("schema").FEATURES if feature.name == values.name)
        return [(meaning, values == code) for code, meaning in codes.items()]
    low, high = edges
    return [
        (f"up to {low}", values <= low),
        (f"{low + 1} to {high}", (values > low) & (values <= high)),
        (f"over {high}", values > high),
    ]


def _read(path: Path) -> Any:
    try:
        if path.suffix in READERS:
            return READERS[path.suffix](path)
        return yaml.safe_load(path.read_text(encoding="utf-8"))  # what is JSON is YAML, too
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read: {reason}\n  mend: uv run poe train") from None


def run(root: Path, *command: str) -> str:
    """What a command prints.

    Raises:
        SystemExit: It ended with an error; the text is what it said.
    """
    try:
        return command_run(*command, cwd=root)
    except CommandError as error:
        text = " ".join(command).removeprefix(f"{sys.executable} -m ")
        raise SystemExit(f"report: {text} failed: {error}") from None
