"""The plots of dvc.yaml: every form that DVC takes is drawn, or named with the reason."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from copier_mlops.contract import parse
from copier_mlops.reporting import charts, gallery, plots
from copier_mlops.reporting.charts import Look, Names
from copier_mlops.reporting.gallery import Scene
from tests.package.reporting import runs
from tests.package.reporting.runs import HOSTILE, put

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def scene(problem: str = "binary", **facts: object) -> Scene:
    """The facts of a run without metrics."""
    nothing = {"metrics": {}, "rates": {}, "threshold": None, "costs": {}}
    return Scene(parse(runs.contract_text(problem), "contract.yaml"), **(nothing | facts))


@pytest.fixture
def root(tmp_path):
    """A folder with two tables, a list of JSON, and an image."""
    rows = pd.DataFrame(
        {"step": [1, 2, 3], "loss": [0.9, 0.5, 0.4], "accuracy": [0.1, 0.5, 0.6], "name": ["a", "b", "c"]}
    )
    for path in ("logs/train.csv", "logs/test.csv", "one.csv"):
        put(tmp_path, path, rows)
    rows.to_csv(tmp_path / "one.tsv", sep="\t", index=False)
    put(tmp_path, "one.json", {"train": json.loads(rows.to_json(orient="records"))})
    put(tmp_path, "list.yaml", json.loads(rows.to_json(orient="records")))
    (tmp_path / "image.png").write_bytes(PIXEL)
    return tmp_path


def drawn(root, text: str, problem: str = "binary"):
    """The plots of a dvc.yaml, and the sentences about those that are left out."""
    put(root, "dvc.yaml", text)
    return gallery.draw(root, scene(problem))


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("plots: [one.csv]", ["One"]),
        ("plots: [one.tsv, one.json, list.yaml]", ["One", "One", "List"]),
        ("plots: {one.csv: {x: step, y: loss}}", ["One"]),
        ("plots: {one.csv: }", ["One"]),
        ("plots: [{one.csv: {x: step, y: [loss, accuracy], title: Both}}]", ["Both"]),
        ("plots: [{Loss: {x: step, y: {logs/train.csv: loss, logs/test.csv: loss}}}]", ["Loss"]),
        (
            "plots: [{Loss: {x: {logs/train.csv: step}, y: {logs/train.csv: [loss, accuracy], one.csv: loss}}}]",
            ["Loss"],
        ),
        ("plots: [{one.csv: {y: loss}}]", ["One"]),
        ("plots: [{one.csv: {x: step}}]", ["One"]),
        ("plots: [{one.csv: {x: name, y: loss, template: linear, x_label: X, y_label: Y}}]", ["One"]),
        ("plots: [{one.csv: {x: loss, y: name, template: bar_horizontal}}]", ["One"]),
        ("plots: [{one.csv: {x: name, y: loss, template: bar_horizontal_sorted}}]", ["One"]),
        ("plots: [{one.csv: {x: step, y: loss, template: scatter}}]", ["One"]),
        ("plots: [{one.csv: {x: name, y: step, template: confusion_normalized}}]", ["One"]),
        ("plots: [{one.csv: {x: step, y: loss, template: my/own_template}}]", ["One"]),
        ("plots: [logs]", ["Test", "Train"]),
        ("plots: [image.png]", ["Image"]),
        ("plots: [{one.csv: {x: {}, y: {}}}, {one.csv: {y: []}}]", ["One", "One"]),
        ("stages: {fit: {cmd: a, plots: [one.csv, {one.tsv: {cache: false, x: step, y: loss}}]}}", ["One", "One"]),
        ("stages: {fit: {matrix: {a: [1]}, cmd: a, plots: ['out/${item.a}.csv']}}", []),
        ("plots: [null, 3, [], {}, '']", []),
        ("plots: ", []),
        ("stages: {}", []),
        ("stages: [1]", []),
        ("[]", []),
        ("", []),
    ],
)
def test_each_form_of_dvc_is_drawn(root, text, titles):
    found, left_out = drawn(root, text)
    assert [plot["title"] for plot in found] == titles
    assert left_out == []
    assert len({plot["name"] for plot in found}) == len(found)
    assert all(bool(plot["svg"]) != bool(plot["image"]) for plot in found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("plots: [gone.csv]", "Gone is left out: gone.csv is not here."),
        ("plots: [gone.png]", "Gone is left out: gone.png is not here."),
        ("plots: [{Loss: {y: {gone.csv: loss}}}]", "Loss is left out: gone.csv is not here."),
        ("plots: [{one.csv: {x: step, y: gone}}]", "One is left out: one.csv has no column gone."),
        ("plots: [{one.csv: {x: gone, y: loss}}]", "One is left out: one.csv has no column gone."),
        ("plots: [{one.csv: {x: step, y: name}}]", "One is left out: the column name has no numbers."),
        ("plots: [notes.txt]", "notes.txt is left out: notes.txt is of a kind that the page cannot draw."),
        ("plots: [empty.csv]", "Empty is left out: empty.csv cannot be read: No columns to parse from file."),
        ("plots: [header.csv]", "Header is left out: header.csv has no points."),
        ("plots: [bad.json]", "Bad is left out: bad.json cannot be read: Expecting value: line 1 column 1 (char 0)."),
        ("plots: [number.json]", "Number is left out: number.json has no points."),
        ("plots: [../../etc]", "../../etc is left out: ../../etc is not here."),
    ],
)
def test_what_cannot_be_drawn_is_named_in_a_sentence(root, text, sentence):
    for path, content in {
        "notes.txt": "a",
        "empty.csv": "",
        "header.csv": "a,b\n",
        "bad.json": "?",
        "number.json": "1",
    }.items():
        put(root, path, content) if path.endswith(("txt", "csv")) else (root / path).write_text(content)
    found, left_out = drawn(root, text)
    assert (found, left_out) == ([], [sentence])


def test_a_dvc_yaml_that_is_not_yaml_is_named(root):
    with pytest.raises(ValueError, match=r"^dvc\.yaml cannot be read"):
        drawn(root, "plots: [")


def test_a_file_of_a_known_name_with_other_columns_is_drawn_as_declared(root):
    put(root, "roc.csv", pd.DataFrame({"fpr": [0, 1], "tpr": [0, 1]}))
    put(root, "confusion.csv", pd.DataFrame({"actual": ["a", "b"], "predicted": ["b", "b"], "more": [1, 2]}))
    found, left_out = drawn(root, "plots: [{roc.csv: {x: fpr, y: tpr}}, {confusion.csv: {y: more}}]")
    assert [plot["caption"] for plot in found] == ["", ""]
    assert left_out == []


def test_the_labels_of_dvc_yaml_are_beside_the_axes(root):
    put(root, "roc.csv", pd.DataFrame({"false_positive_rate": [0, 1], "true_positive_rate": [0, 1]}))
    about = {"x": "false_positive_rate", "y": "true_positive_rate", "x_label": HOSTILE, "y_label": "found"}
    found, _ = drawn(root, yaml.safe_dump({"plots": [{"roc.csv": about}]}))
    assert "&lt;b&gt;" in found[0]["svg"] and "<b>" not in found[0]["svg"]
    assert "found" in found[0]["svg"]


def test_many_rows_bars_classes_and_files_stay_readable(root):
    many = pd.DataFrame({"step": range(100_000), "loss": np.arange(100_000) / 7})
    put(root, "many.csv", many)
    names = [f"class number {place}" for place in range(60)]
    put(root, "wide.csv", pd.DataFrame({"actual": names, "predicted": names[::-1]}))
    put(root, "bars.csv", pd.DataFrame({"value": range(500), "name": [f"n{place}" for place in range(500)]}))
    text = """
plots:
  - many.csv: {x: step, y: loss}
  - many.csv: {x: step, y: loss, template: scatter}
  - wide.csv: {x: actual, y: predicted, template: confusion}
  - bars.csv: {x: value, y: name, template: bar_horizontal}
"""
    found, left_out = drawn(root, text)
    assert left_out == []
    assert max(len(plot["svg"]) for plot in found) < 500_000
    assert len(plots.thinned(many)) == plots.MOST_ROWS
    assert list(plots.thinned(many)["step"])[::1999] == [0, 99_999]


def limits(svg: str) -> list[float]:
    """The numbers beside the axes of a chart."""
    texts = re.findall(r">([0-9.]+)</text>", svg)
    return [float(text) for text in texts]


def test_the_axes_fit_a_rare_class():
    names, recall = Names("fraud", "fine"), np.linspace(1, 0, 50)
    points = pd.DataFrame({"recall": recall, "precision": 0.02 + 0.06 * (1 - recall)})
    points.loc[49, "precision"] = 1.0  # the last threshold, above which nothing is left
    svg = charts.precision_recall(points, names, 0.05, 0.02, (0.4, 0.06), Look("a"))
    assert "chance 0.02" in svg
    assert limits(svg).count(1.0) == 1, "only recall ends at 1"
    near = pd.DataFrame({"predicted": [0.001, 0.05], "observed": [0.0, 0.06]})
    assert max(limits(charts.calibration(near, names, Look("b")))) < 0.1
    cost = pd.DataFrame({"threshold": np.arange(1, 100) / 100, "cost": np.arange(99) / 100})
    assert {0.01, 0.03, 0.1, 0.3, 1.0} <= set(limits(charts.cost(cost, names, (0.02, 0.3), Look("c"))))
    assert 0.8 in limits(charts.cost(cost, names, (0.3, 0.3), Look("d")))
