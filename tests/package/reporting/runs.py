"""Small projects in which a pipeline has run: only files, one for each problem. Nothing is trained or rendered."""

import functools
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from copier_mlops import problems
from copier_mlops.contract import parse
from copier_mlops.reporting import facts, report
from copier_mlops.reporting.tracked import Tracked
from copier_mlops.settings import load_settings
from tests.project import TEMPLATE

HOSTILE = '<b>"Zürich" & Söhne</b>'
PROBLEMS = ("binary", "multiclass", "regression")
RECORDS = 80
CARDS = TEMPLATE / "template" / "docs" / "cards"
EXAMPLE = TEMPLATE / "template" / "src" / "{{ package_name }}" / "contract.yaml"
# Each project has a package of its own, since a module is imported only once.
numbers = itertools.count()

TARGETS = {
    "binary": """
  - name: result
    type: integer
    description: What became of it
    categories: [{value: 0, label: stayed}, {value: 1, label: left}]
""",
    "multiclass": """
  - {name: result, type: string, description: What became of it, categories: [red, green, blue, "NA"]}
""",
    "regression": """
  - {name: result, type: number, unit: EUR, description: What it costs}
""",
}
CONTRACT = """
title: Visits
description: One row per visit | of our shop.
learning:
  target: result
  problem: %s
  newCategories: [region]
  ignore: [clerk]
  text: [remark]
  unlogged: [clerk]
  sensitive:
    - {field: age, bounds: [26, 61]}
    - {field: region}
primaryKey: [visit]
missingValues: ["", {value: n.a., label: not asked}]
fields:
  - {name: visit, type: string, constraints: {required: true}}
  - name: age
    type: integer
    unit: years
    description: Age of the visitor
    constraints: {required: true, minimum: 1, maximum: 120}
  - name: region
    type: string
    categories: [{value: N, label: North}, {value: S, label: South}, {value: W, label: West}]
  - {name: spent, type: number, unit: EUR, description: Spent so far, constraints: {minimum: 0}}
  - {name: member, type: boolean, description: Has a card}
  - {name: day, type: date, description: Day of the visit}
  - {name: remark, type: string, description: Remark of the clerk}
  - {name: clerk, type: string, description: Name of the clerk}
"""
TRAIN = """
def decision_threshold(missed, refused):
    return refused / (refused + missed)
"""


def contract_text(problem: str) -> str:
    """The contract of a project."""
    text = CONTRACT % problem + TARGETS[problem].lstrip("\n")
    return text.replace("problem: binary", "problem: binary\n  positive: 1")


def records() -> pd.DataFrame:
    """Validated records without the target."""
    places = np.arange(RECORDS)
    return pd.DataFrame(
        {
            "visit": [f"V{place:03}" for place in places],
            "age": 20 + places % 50,
            "region": np.where(places % 3 == 0, "N", "S"),
            "spent": np.where(places % 10 == 0, np.nan, places * 1.5),
            "member": places % 2 == 0,
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(places, "D"),
            "remark": "late",
            "clerk": "Zoë",
        }
    )


def outcomes(problem: str) -> pd.DataFrame:
    """Predictions of the records: the last ones are wrong."""
    places, chance = np.arange(RECORDS), np.linspace(0.02, 0.98, RECORDS)
    if problem == "regression":
        actual = 100 + 10.0 * places
        return pd.DataFrame({"prediction": actual + np.sin(places) * 5 + (places > 75) * 99, "actual": actual})
    if problem == "binary":
        actual = np.where((places % 4 == 0) ^ (places > 50), "left", "stayed")
        return pd.DataFrame(
            {"label": np.where(chance >= 0.2, "left", "stayed"), "probability": chance, "actual": actual}
        )
    names = np.array(["red", "green", "NA"])
    label = names[places % 3]
    each = {f"probability_{name}": np.where(label == name, 0.6, 0.2) for name in names} | {"probability_blue": 0.0}
    actual = np.where(places > 70, "red", label)
    return pd.DataFrame({"label": label, "probability": 0.6, **each, "actual": actual})


def plots_yaml(problem: str) -> list[dict]:
    """The plots of dvc.yaml, as the template declares them."""
    curves = problems.PROBLEMS[problem].curves
    templates = {"confusion": "confusion", "scatter": "scatter", "bars": "bar_horizontal"}
    found = []
    for curve in curves:
        file = f"build/plots/{curve.name}.csv"
        x, y = (curve.y, curve.x) if curve.kind == "bars" else (curve.x, curve.y)
        about = {"x": {file: x}, "y": {file: y}}
        found.append({curve.title: about | ({"template": templates[curve.kind]} if curve.kind in templates else {})})
    extra = {"build/plots/cost.csv": ("threshold", "cost")} if problem == "binary" else {}
    for file, (x, y) in (extra | {"build/plots/importance.csv": ("importance", "feature")}).items():
        found.append({Path(file).stem.title(): {"x": {file: x}, "y": {file: y}}})
    return found


def put(root: Path, path: str, content: object) -> None:
    """Write a file: a text, a table or a document."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_parquet(file) if file.suffix == ".parquet" else content.to_csv(file, index=False)
    elif isinstance(content, str):
        file.write_text(content, encoding="utf-8")
    else:
        file.write_text(json.dumps(content) if file.suffix == ".json" else yaml.safe_dump(content), encoding="utf-8")


@functools.cache
def results(problem: str) -> dict[str, object]:
    """The files that the pipeline of a problem leaves, by their paths."""
    contract = parse(contract_text(problem), "contract.yaml")
    found = outcomes(problem)
    metrics = problems.of(contract).measure(found, contract)
    curves = {curve.name: curve.points(found, contract) for curve in problems.of(contract).curves}
    curves["importance"] = pd.DataFrame({"feature": ["age", "spent", HOSTILE], "importance": [0.1, 0.02, -0.01]})
    data = {"records": RECORDS, "duplicates": 0}
    if problem == "binary":
        wrong = 4 * ((found["actual"] == "left") & (found["label"] == "stayed"))
        metrics["cost"] = float((wrong + ((found["actual"] == "stayed") & (found["label"] == "left"))).mean())
        curves["cost"] = pd.DataFrame({"threshold": [0.01, 0.5, 0.99], "cost": [0.7, 0.9, 1.6]})
    if problem == "regression":
        data |= {"target_min": 100.0, "target_median": 495.0, "target_max": 890.0}
    else:
        data |= {f"share_{name}": 0.25 for name in problems.class_names(contract)}
    gate = problems.of(contract).gate
    target = found["actual"].replace({"stayed": 0, "left": 1}) if problem == "binary" else found["actual"]
    table = records().assign(result=target.infer_objects())
    files: dict[str, object] = {
        "metrics/test.json": {"candidate": HOSTILE, **metrics, "own": {"score": 0.125}, "note": "text"},
        "metrics/baseline.json": {gate: 0.4321},
        "metrics/data.json": data,
        "metrics/candidates/linear.json": {gate: 0.7, f"{gate}_spread": 0.02},
        "metrics/candidates/gradient_boosting.json": {gate: 0.75, f"{gate}_spread": 0.03},
        "build/predictions.csv": found.rename_axis("record").reset_index().assign(model_version="x"),
        facts.VALIDATED: table,
        facts.TEST: table,
    }
    return files | {f"build/plots/{name}.csv": points for name, points in curves.items()}


def project(root: Path, problem: str) -> str:
    """Write a project with the results of a run, and return the name of its package."""
    package = f"shop_{next(numbers)}"
    costs = {"costs": {"missed": 4, "refused": 1}} if problem == "binary" else {}
    stage = {
        "cmd": "python -m evaluate",
        "outs": [{"path": facts.MODEL, "md5": "c0ffee"}],
        "params": {"params.yaml": {"seed": 42, **costs}},
    }
    settings = {
        **{"project_name": HOSTILE, "experiment": "shop", "model_name": "shop", "model_alias": "candidate"},
        **{"bind": "127.0.0.1", "port": 0, "max_records": 10, "max_body_bytes": 1000},
    }
    files = {
        ".gitignore": "__pycache__/\n",
        ".copier-answers.yml": {"package_name": package, "maturity_level": 2, "tracking_uri": "sqlite:///mlflow.db"},
        "operation/configuration/environment_dev/settings.yaml": settings,
        f"src/{package}/__init__.py": "",
        f"src/{package}/contract.yaml": contract_text(problem),
        f"src/{package}/train.py": TRAIN,
        "dvc.yaml": {"stages": {}, "plots": plots_yaml(problem)},
        "dvc.lock": {"schema": "2.0", "stages": {"evaluate": stage}},
        "docs/cards/about_data.md": "## Source\n\nOurs.\n",
        "docs/cards/about_model.md": "## Intended use\n\nOurs, {{ records }} times.\n",
    }
    for path, content in (files | results(problem)).items():
        put(root, path, content)
    for name in ("data_card.md.j2", "model_card.md.j2"):
        shutil.copy(CARDS / name, root / "docs" / "cards" / name)
    return package


def write(root: Path, tracked: Tracked = Tracked("7")) -> dict[str, str]:  # noqa: B008 (it cannot be changed)
    """Write page and cards, and read them back by their names."""
    texts = report.render(root, facts.collect(root) | report.about(load_settings(), tracked, []))
    report.write(texts)
    return {path.name: path.read_text(encoding="utf-8") for path in texts}


def contract_of(root: Path) -> Path:
    """The contract of a project."""
    return next((root / "src").glob("*/contract.yaml"))


def change(path: Path, before: str, after: str) -> None:
    """Replace a part of a file."""
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
