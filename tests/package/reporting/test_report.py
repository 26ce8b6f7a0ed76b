"""The report: what it says, what it keeps and when it refuses."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from copier_mlops.contract import parse
from copier_mlops.reporting import charts, facts, records, report
from copier_mlops.reporting.charts import Look
from copier_mlops.reporting.tracked import Tracked
from tests.package.reporting import runs
from tests.package.reporting.runs import HOSTILE, PROBLEMS, change, contract_of, put, write
from tests.project import TEMPLATE, run


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_files_say_what_the_run_found(make, problem):
    root = make(problem)
    found = write(root)
    metrics = json.loads((root / "metrics" / "test.json").read_text())
    for name in ("index.html", "model_card.md"):
        for fact in (
            *(f"{value:.4f}" for key, value in metrics.items() if isinstance(value, float)),
            "0.4321",
            "c0ffee",
        ):
            assert fact in found[name], (name, fact)
        assert "own.score" in found[name]
    assert "| Registered version | 7 |" in found["model_card.md"]
    assert "Ours, 80 times." in found["model_card.md"]
    for field in ("visit", "age", "region", "spent", "member", "day", "remark", "clerk", "result"):
        assert f"\n| `{field}` |" in found["data_card.md"]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_plot_of_the_pipeline_is_drawn_with_its_own_id(make, problem):
    root = make(problem)
    page = write(root)["index.html"]
    assert page.count("<svg") == len(runs.plots_yaml(problem))
    assert facts.collect(root)["left_out"] == []
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_no_text_of_the_project_becomes_markup(root):
    change(contract_of(root), "label: left", f"label: '{HOSTILE}'")
    change(contract_of(root), "description: Age of the visitor", f"description: '{HOSTILE} | x'")
    change(root / "build" / "predictions.csv", "left", '"<b>""Zürich"" & Söhne</b>"')
    for name, text in write(root).items():
        assert "<b>" not in text, name
        assert "&lt;b&gt;" in text, name
        assert "Zürich" in text, name
    assert report.markdown("a|b *c* [d](e)\n# f") == "a\\|b \\*c\\* \\[d\\](e) # f"
    assert [report.number(value) for value in (None, -0.5, 1234.56)] == ["–", "−0.5000", "1,234.6"]
    assert [report.code(text) for text in ("a|b", "c`d")] == [r"`a\|b`", "`` c`d ``"]


def test_the_page_speaks_of_the_classes_by_their_names(root):
    page = " ".join(write(root)["index.html"].split())
    assert "Predicted probability of left" in page
    assert "False positive rate: stayed predicted left" in page
    assert "A left record predicted stayed costs 4, a stayed one predicted left costs 1." in page
    assert "<dt>Predicted left from</dt>" in page


def test_classes_that_look_like_numbers_are_found_in_a_csv_file(root):
    contract = parse(runs.contract_text("binary").replace("label: left", "label: '1'"), "contract.yaml")
    (root / records.PREDICTIONS).write_text("actual,label,probability\n1,1,0.9\n1,0,0.1\n0,1,0.8\n0,0,0.2\n")
    outcomes = records.read_outcomes(root / records.PREDICTIONS, contract)
    found = records.rates(outcomes, "1")
    assert found == {"base_rate": 0.5, "true_positive_rate": 0.5, "false_positive_rate": 0.5, "precision": 0.5}


def test_a_class_whose_name_means_nothing_to_pandas_is_a_class(make):
    found = write(make("multiclass"))
    assert ">NA</text>" in found["index.html"]
    assert "nan" not in re.sub("<style>.*?</style>", "", found["index.html"], flags=re.DOTALL)


def test_long_names_of_labels_stay_within_the_chart():
    points = pd.DataFrame({"predicted": [0.0, 1.0], "observed": [0.0, 1.0]})
    names = charts.Names("did not pay the second instalment within ninety days of its date", "paid")
    svg = charts.calibration(points, names, Look("calibration"))
    lines = re.findall(r"<text[^>]*>([^<]*probability[^<]*|[^<]*ninety[^<]*)</text>", svg)
    assert len(lines) > 1
    assert max(map(len, lines)) <= charts.WIDTH


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_page_needs_nothing_from_elsewhere(make, problem):
    page = write(make(problem))["index.html"]
    assert "://" not in page
    assert "src=" not in page


def test_the_same_run_gives_the_same_bytes(root):
    assert write(root) == write(root)


@pytest.fixture
def here(root) -> Path:
    """The project as a repository of git and DVC, in which the last run was another command."""
    stage = {"cmd": "python -m evaluate --new", "outs": [facts.MODEL]}
    put(root, "dvc.yaml", {"stages": {"evaluate": stage}, "plots": runs.plots_yaml("binary")})
    put(root, ".gitignore", "build\n")
    run(root, "git", "init", "--quiet", "--initial-branch", "main")
    run(root, "dvc", "init", "--quiet")
    return root


def test_the_pipeline_is_drawn_between_its_markers(here, capsys):
    path = here / "README.md"
    assert report.readme(here) == {}
    path.write_text("# Ours\n", encoding="utf-8")
    assert report.readme(here) == {}
    assert "README.md is left alone" in capsys.readouterr().out
    start, end = report.PIPELINE
    path.write_text(f"# Ours\n\n{start}\nold\n{end}\n\nMore.\n", encoding="utf-8")
    report.write(report.readme(here))
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# Ours\n\n{start}\n```mermaid\nflowchart TD\n")
    assert text.endswith(f"\n```\n{end}\n\nMore.\n")
    assert '"evaluate"' in text and "old" not in text


@pytest.mark.parametrize(
    ("path", "fix"),
    [
        ("build/predictions.csv", "fix: uv run dvc pull"),
        (facts.TEST, "fix: uv run dvc pull"),
        ("metrics/test.json", "fix: uv run poe train"),
        ("metrics/candidates/linear.json", "fix: uv run poe train"),
        ("dvc.lock", "fix: uv run poe train"),
    ],
)
def test_a_missing_result_is_named_with_what_brings_it_back(root, path, fix):
    if path != "dvc.lock":
        change(root / "dvc.lock", f"path: {facts.MODEL}", f"path: {path}")
    facts.check_inputs(root)
    (root / path).unlink()
    with pytest.raises(SystemExit) as end:
        facts.check_inputs(root)
    assert f"report: missing: {path}\n  {fix}" in str(end.value)


@pytest.mark.parametrize("text", ['{"candidate":', "", "[1, 2]"])
@pytest.mark.parametrize("name", ["test", "baseline", "data", "candidates/linear"])
def test_a_damaged_input_is_named(root, name, text):
    (root / "metrics" / f"{name}.json").write_text(text)
    with pytest.raises(ValueError, match=rf"{name}\.json cannot be read"):
        facts.collect(root)


@pytest.mark.parametrize("path", [facts.TEST, facts.VALIDATED, "build/predictions.csv", "src/x/contract.yaml"])
def test_a_damaged_table_is_named(root, path):
    file = contract_of(root) if path.endswith("yaml") else root / path
    file.write_bytes(b'"\xff\xfe\x00')
    with pytest.raises((ValueError, SystemExit), match=rf"{file.name} cannot be read"):
        facts.collect(root)


def test_predictions_of_other_records_are_refused(root):
    pd.read_parquet(root / facts.TEST).head(3).to_parquet(root / facts.TEST)
    with pytest.raises(ValueError, match="80 predictions for 3 test records"):
        facts.collect(root)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_is_not_there_is_left_out(make, problem):
    root = make(problem)
    for path in ("baseline.json", "data.json", "candidates/linear.json", "candidates/gradient_boosting.json"):
        (root / "metrics" / path).unlink()
    for path in (facts.TEST, facts.VALIDATED, "build/predictions.csv", "dvc.yaml"):
        (root / path).unlink()
    shutil.rmtree(root / "docs" / "cards")
    shutil.copytree(runs.CARDS, root / "docs" / "cards", ignore=shutil.ignore_patterns("about*"))
    lines = [
        line
        for line in contract_of(root).read_text().splitlines()
        if "sensitive" not in line and "- {field" not in line
    ]
    contract_of(root).write_text("\n".join(lines))
    change(root / "dvc.lock", "seed: 42", "seed: 43")
    (root / "dvc.lock").write_text((root / "dvc.lock").read_text().replace("missed: 4", "other: 4"))
    found = write(root)
    for title in ("Charts", "Groups", "Worst errors", "Candidates", "Baseline", "95 %"):
        assert f"<h2>{title}" not in found["index.html"] and f">{title}</th>" not in found["index.html"]
    assert "## Groups" not in found["model_card.md"] and "## The threshold" not in found["model_card.md"]
    assert "<svg" not in found["index.html"]


def test_the_threshold_is_that_of_the_model_file(root, monkeypatch):
    from copier_mlops import model_file

    class Model:
        threshold = 0.375

    put(root, facts.MODEL, "a model")
    monkeypatch.setattr(model_file, "load", lambda _: Model())
    found = write(root)
    assert "<dd>p&nbsp;≥&nbsp;0.375</dd>" in found["index.html"]
    assert "follows from" not in found["index.html"] + found["model_card.md"], "the team chose another one"


def test_a_model_file_that_cannot_be_read_leaves_the_costs_to_decide(root, capsys):
    put(root, facts.MODEL, "a model")
    assert facts.collect(root)["threshold"] == pytest.approx(0.2)
    assert "report: the threshold is not that of the model file" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "decision_threshold = 1\n"])
def test_without_a_rule_for_the_threshold_none_is_named(root, text):
    next((root / "src").glob("*/train.py")).write_text(text)
    found = write(root)
    assert "<dt>Predicted left from</dt>" not in found["index.html"]
    assert "## The threshold" not in found["model_card.md"]


def test_the_whole_report_is_written_and_names_what_is_not_up_to_date(here, capsys):
    (here / "build" / "plots" / "roc.csv").unlink()
    put(here, "README.md", f"{report.PIPELINE[0]}{report.PIPELINE[1]}")
    report.main([])
    printed = capsys.readouterr().out
    for path in ("build/report/index.html", "docs/model_card.md", "docs/data_card.md", "README.md"):
        assert (here / path).as_uri() in printed
    assert "report: the registered version and the served model are left out: sqlite:///" in printed
    assert "report: changed since the last run: evaluate" in printed
    assert "report: ROC curve is left out: build/plots/roc.csv is not here." in printed
    page = (here / report.PAGE).read_text(encoding="utf-8")
    assert "ROC curve is left out: build/plots/roc.csv is not here." in page
    assert "The served model is left out: sqlite:///" in page
    assert not (here / "mlflow.db").exists()


def test_a_pipeline_that_dvc_cannot_read_is_named(here):
    (here / "dvc.yaml").write_text("stages: [\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"(?s)^report: .*dvc\.yaml"):
        report.main([])


def test_the_served_model_and_its_page_are_beside_the_new_one(root):
    tracked = Tracked("7", "6", {"roc_auc": 0.6543}, "https://mlflow.example.org/#/experiments/1/runs/2")
    page = write(root, tracked)["index.html"]
    assert ">Served, version 6</th>" in page
    assert '<td class="number">0.6543</td>' in page
    assert '<a href="https://mlflow.example.org/#/experiments/1/runs/2">MLflow</a>' in page
    for card in ("model", "data"):
        assert f'<a href="../../docs/{card}_card.md">{card}</a>' in page
        assert (root / "build/report" / f"../../docs/{card}_card.md").resolve().is_file()


def test_a_file_that_cannot_be_written_leaves_every_file_as_it_was(tmp_path):
    (tmp_path / "first").write_text("old")
    (tmp_path / "blocked").write_text("a file where a folder should be")
    with pytest.raises(OSError):
        report.write({tmp_path / "first": "new", tmp_path / "blocked" / "second": "new"})
    assert (tmp_path / "first").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocked", "first"]


def test_two_charts_share_no_id():
    names = charts.Names("bad", "good")
    points = pd.DataFrame({"a": [0.0, 1.0], "b": [0.0, 1.0]})
    first = charts.calibration(points.set_axis(["predicted", "observed"], axis=1), names, Look("calibration"))
    second = charts.cost(points.set_axis(["threshold", "cost"], axis=1), names, (0.5, 0.5), Look("cost"))
    ids = [{part.split('"')[0] for part in svg.split(' id="')[1:]} for svg in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]


# Words of the template's example; a project brings its own.
USE_CASE = re.compile(r"credit|german|applicant|lender|loan|statlog", re.IGNORECASE)
LABELS = re.compile(r"\b(bad|good)\b", re.IGNORECASE)


def test_the_package_knows_no_use_case():
    source = TEMPLATE / "src" / "copier_mlops"
    texts = {
        path: path.read_text(encoding="utf-8") for path in source.rglob("*") if path.suffix in (".py", ".j2", ".yml")
    }
    assert len(texts) > 50
    for path, text in texts.items():
        assert not USE_CASE.search(text), (path, USE_CASE.search(text))
    for path, text in texts.items():
        if path.is_relative_to(source / "reporting"):
            assert not LABELS.search(text), (path, LABELS.search(text))


def test_a_page_is_in_the_installed_package(tmp_path):
    command = ("uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(TEMPLATE))
    subprocess.run(command, check=True, env=os.environ)
    shutil.unpack_archive(next(tmp_path.glob("*.whl")), tmp_path / "wheel", "zip")
    assert (tmp_path / "wheel" / "copier_mlops" / "reporting" / "templates" / "report.html.j2").is_file()
