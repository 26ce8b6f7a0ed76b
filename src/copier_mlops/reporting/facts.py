"""Collect the facts of a report on the pipeline's last run, from its files and with the words of the contract."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from copier_mlops import problems
from copier_mlops.command import run
from copier_mlops.contract import Contract, of_project
from copier_mlops.project import team
from copier_mlops.reporting import fields, figures, gallery, records, stages
from copier_mlops.reporting.charts import Names
from copier_mlops.reporting.gallery import Scene
from copier_mlops.tracking import lineage
from copier_mlops.tracking.metrics_files import numbers

MODEL = "build/model/model.skops"
VALIDATED = "data/interim/validated.parquet"
TEST = "data/processed/test.parquet"
METRICS = "metrics/test.json"
DATA = "metrics/data.json"
# Without these, nothing can be said of a run. Of the others, those that the run wrote are asked for.
ALWAYS = ("dvc.lock", METRICS)
INPUTS = (DATA, records.PREDICTIONS, VALIDATED, TEST)
COSTS = ("missed", "refused")
# The files that a result depends on. Cards and README are left out: a committed report must not change the next one.
SOURCES = ("dvc.lock", *lineage.SOURCES)


def check_inputs(root: Path) -> None:
    """Check that the run is complete: what it wrote is here.

    Raises:
        SystemExit: Files are missing; the text names them and the command that restores them.
    """
    written = lineage.dvc_hashes(root)
    results = [path for path in written if path in INPUTS or path.startswith("metrics/")]
    missing = [path for path in dict.fromkeys((*ALWAYS, *results)) if not (root / path).is_file()]
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


def collect(root: Path) -> dict[str, Any]:
    """Return all values for the templates, charts included; a part of the run that is not there is empty.

    Raises:
        SystemExit: The contract cannot be used.
        ValueError: A file is damaged, or two files do not belong together.
        CommandError: Git refused.
    """
    contract = of_project()
    document = figures.read(root / METRICS)
    candidate = str(document.pop("candidate", ""))
    metrics, _ = numbers(document)
    params = lineage.parameters(root)
    costs = costs_of(params)
    outcomes, test = _tested(root, contract)
    is_binary = contract.learning.problem == "binary"
    rates = records.rates(outcomes, problems.positive_name(contract)) if is_binary and outcomes is not None else {}
    decision = threshold(root, contract, costs)
    described = fields.describe(contract, _table(root / VALIDATED))
    hashes = lineage.dvc_hashes(root)
    guess, found = figures.baseline(root), figures.candidates(root)
    scene = Scene(contract, metrics, rates, decision, costs)
    plots, left_out = gallery.draw(root, scene)
    return {
        **about_problem(contract),
        "baseline": guess,
        "candidate": candidate,
        "candidates": found,
        "charts": {plot["name"]: plot["svg"] for plot in plots},
        "code": code(root),
        "columns": [row for row in described if row["is_feature"]],
        "compared": figures.compared(found, contract),
        "costs": costs,
        "data": figures.read(root / DATA) if (root / DATA).is_file() else {},
        "errors": [] if outcomes is None or test is None else records.worst(test, outcomes, contract),
        "fields": described,
        "follows_costs": scene.follows_costs,
        "figures": figures.of_run(metrics, guess, outcomes, contract, costs),
        "groups": [] if outcomes is None or test is None else records.groups(test, outcomes, contract),
        "hashes": {path: md5 for path, md5 in hashes.items() if path.startswith("data/raw/") or path == MODEL},
        "left_out": left_out,
        "metrics": metrics,
        "params": params,
        "plots": plots,
        "rates": rates,
        "stages": stages.draw(root),
        "records": len(outcomes) if outcomes is not None else 0,
        "threshold": decision,
    }


def about_problem(contract: Contract) -> dict[str, Any]:
    """Return the words of the contract: its title, problem, target, classes, key, and the names of both labels."""
    is_binary = contract.learning.problem == "binary"
    is_regression = contract.learning.problem == "regression"
    names = gallery.names(contract) if is_binary else Names("", "")
    gate = problems.of(contract).metric()
    target = contract.target
    return {
        **names._asdict(),
        "classes": [] if is_regression else problems.class_names(contract),
        "contract": {"title": contract.title, "description": contract.description},
        "gate": {"name": gate.name, "title": gate.title, "better": "higher" if gate.higher_is_better else "lower"},
        "key": list(contract.primary_key),
        "metric_titles": {each.name: each.title for each in problems.of(contract).metrics},
        "missing_values": fields.missing_values(contract),
        "problem": contract.learning.problem,
        "sensitive": [each.field for each in contract.learning.sensitive],
        "target": {"name": target.name, "meaning": target.description or target.title, "unit": target.unit},
    }


def costs_of(params: dict[str, object]) -> dict[str, float]:
    """Return the costs `missed` and `refused` of the run's parameters; nothing if one of them is not a number."""
    values = {name: params.get(f"costs.{name}") for name in COSTS}
    found = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return found if len(found) == len(COSTS) else {}


def threshold(root: Path, contract: Contract, costs: dict[str, float]) -> float | None:
    """Return the probability, 0 to 1, from which a record gets the positive label.

    It is that of the model file, or else follows from the costs by `decision_threshold` of the team's `train`.

    Returns:
        The threshold, or None if the problem is not binary, or neither says it.
    """
    if contract.learning.problem != "binary":
        return None
    if (root / MODEL).is_file():
        from copier_mlops import model_file  # imported here: only a model that is here needs scikit-learn
        from copier_mlops.problems import prediction

        try:
            return prediction.threshold(model_file.load(root / MODEL))
        except model_file.ModelFileError as error:
            print(f"report: the threshold is not that of the model file: {' '.join(str(error).split())[:200]}")
    decide = getattr(_train(), "decision_threshold", None) if costs else None
    return float(decide(*(costs[name] for name in COSTS))) if callable(decide) else None


def _train() -> Any:
    """Return the team's module `train`; None if the team has none."""
    try:
        return team("train")
    except SystemExit:
        return None


def _tested(root: Path, contract: Contract) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return the predictions of the test records, and these records.

    Raises:
        ValueError: A file is damaged, or they are not of the same records.
    """
    try:
        outcomes = records.read_outcomes(root / records.PREDICTIONS, contract)
    except ValueError as error:
        raise _damaged(root / records.PREDICTIONS, error) from None
    test = _table(root / TEST)
    if outcomes is not None and test is not None and len(test) != len(outcomes):
        raise ValueError(f"{len(outcomes)} predictions for {len(test)} test records\n  fix: uv run poe train")
    return outcomes, test


def _table(path: Path) -> pd.DataFrame | None:
    try:
        return pd.read_parquet(path) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} cannot be read: {' '.join(str(error).split())}\n  fix: uv run poe train")
