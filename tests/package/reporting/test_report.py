"""The report: what it says, what it keeps and when it refuses."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from copier_mlops.project import team
from copier_mlops.reporting import charts, facts, report
from tests.project import TEMPLATE, commit

HOSTILE = '<b>"Zürich" & Söhne</b>'
CARD = "docs/cards/model_card.md.j2"


@pytest.fixture
def root(tmp_path, team_project, table) -> Path:
    """A project in which a pipeline has run: 40 test records, of which the first 30 are called bad."""
    root, schema = tmp_path / "project", team("schema")
    # Without src: the team's package is that of the project from which this one is copied.
    shutil.copytree(team_project, root, ignore=shutil.ignore_patterns("src"))
    for folder in ("build/plots", "data/interim", "data/processed", "metrics/candidates"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    test = table.head(40)
    table.to_parquet(root / facts.VALIDATED)
    test.to_parquet(root / facts.TEST, index=False)
    labels = pd.DataFrame({"actual": test[schema.TARGET], "label": [schema.POSITIVE] * 30 + ["good"] * 10})
    labels.to_csv(root / "build/predictions.csv", index_label="record")
    curve = pd.DataFrame({"a": [0.0, 0.5, 1.0], "b": [0.0, 0.75, 1.0]})
    plots = {
        "roc": curve.set_axis(["false_positive_rate", "true_positive_rate"], axis=1),
        "precision_recall": curve.set_axis(["recall", "precision"], axis=1),
        "calibration": curve.set_axis(["predicted", "observed"], axis=1),
        "confusion": labels.set_axis(["actual", "predicted"], axis=1),
        "cost": curve.set_axis(["threshold", "cost"], axis=1),
        "importance": pd.DataFrame({"importance": [0.1, -0.01], "feature": ["age_in_years", HOSTILE]}),
    }
    for name, points in plots.items():
        points.to_csv(root / "build" / "plots" / f"{name}.csv", index=False)
    metrics = {"candidate": HOSTILE, "roc_auc": 0.7512, "average_precision": 0.5, "cost": 0.6}
    documents = {
        "metrics/test.json": metrics,
        "metrics/data.json": {"records": len(table), "duplicates": 0, "share_good": 0.7, "share_bad": 0.3},
        "metrics/candidates/tree.json": {"roc_auc": 0.7, "roc_auc_spread": 0.02},
        "dvc.lock": {
            "schema": "2.0",
            "stages": {
                "evaluate": {
                    "cmd": "python -m evaluate",
                    "outs": [{"path": facts.MODEL, "md5": "c0ffee"}],
                    "params": {"params.yaml": {"seed": 42, "costs": {"missed": 4, "refused": 1}}},
                }
            },
        },
    }
    for path, document in documents.items():
        text = json.dumps(document) if path.endswith(".json") else yaml.safe_dump(document)
        (root / path).write_text(text, encoding="utf-8")
    return root


def write(root: Path) -> dict[str, str]:
    """Write page and cards, and read them back by their names."""
    about = {"project": HOSTILE, "outdated": [], "version": "7"}
    texts = report.render(root, {**facts.collect(root), **about})
    report.write(texts)
    return {path.name: path.read_text(encoding="utf-8") for path in texts}


def test_the_files_say_what_the_run_found(root):
    found = write(root)
    for name in ("index.html", "model_card.md"):
        for fact in ("0.7512", "0.200", "c0ffee"):
            assert fact in found[name], (name, fact)
    assert "| Registered version | 7 |" in found["model_card.md"]
    for column in team("schema").COLUMNS:
        assert f"| `{column}` |" in found["data_card.md"]
    assert "10.24432/C5NC77" in found["data_card.md"]
    assert "CC BY 4.0" in found["data_card.md"]


def test_no_text_of_the_project_becomes_markup(root, monkeypatch):
    monkeypatch.setattr(team("schema"), "POSITIVE", HOSTILE)
    monkeypatch.setattr(team("schema"), "LABELS", {1: "good", 2: HOSTILE})
    found = write(root)
    for name, text in found.items():
        assert "<b>" not in text, name
        assert "&lt;b&gt;" in text, name
        assert "Zürich" in text, name
    assert report.markdown("a|b *c* [d](e)\n# f") == "a\\|b \\*c\\* \\[d\\](e) # f"


def test_the_page_speaks_of_the_labels_by_their_names(root, monkeypatch):
    page = " ".join(write(root)["index.html"].split())
    assert "Predicted probability of bad" in page
    assert "False positive rate: good predicted bad" in page
    assert "A bad record predicted good costs 4, a good one predicted bad costs 1." in page
    assert "<dt>Predicted bad from</dt>" in page
    monkeypatch.setattr(team("schema"), "POSITIVE", "churned")
    monkeypatch.setattr(team("schema"), "LABELS", {0: "stayed", 1: "churned"})
    page = " ".join(write(root)["index.html"].split())
    assert "Predicted probability of churned" in page
    assert "A churned record predicted stayed costs 4, a stayed one predicted churned costs 1." in page
    monkeypatch.setattr(team("schema"), "LABELS", {0: "stayed", 1: "churned", 2: "paused"})
    assert facts.names() == ("churned", "not churned")


def test_a_positive_label_that_looks_like_a_number_is_found_in_a_csv_file(inside, monkeypatch):
    monkeypatch.setattr(team("schema"), "POSITIVE", "1")
    found = facts.rates(pd.DataFrame({"actual": [1, 1, 0, 0], "label": [1, 0, 1, 0]}))
    assert found == {"base_rate": 0.5, "true_positive_rate": 0.5, "false_positive_rate": 0.5, "precision": 0.5}


def test_long_names_of_labels_stay_within_the_chart():
    points = pd.DataFrame({"predicted": [0.0, 1.0], "observed": [0.0, 1.0]})
    names = charts.Names("did not pay the second instalment within ninety days of its date", "paid")
    lines = re.findall(r"<text[^>]*>([^<]*probability[^<]*|[^<]*ninety[^<]*)</text>", charts.calibration(points, names))
    assert len(lines) > 1
    assert max(map(len, lines)) <= charts.WIDTH


def test_the_page_needs_nothing_from_elsewhere(root):
    page = write(root)["index.html"]
    assert "://" not in page
    assert "src=" not in page
    assert page.count("<svg") == len(facts.CURVES)


def test_the_same_run_gives_the_same_bytes(root):
    assert write(root) == write(root)


def test_a_report_that_is_committed_leaves_the_next_one_as_it_was(root):
    commit(root, "Results")
    first = write(root)
    assert "changed since" not in first["model_card.md"]
    commit(root, "Report")
    assert write(root) == first
    (root / "params.yaml").write_text("costs: {missed: 1, refused: 1}\n")
    assert "changed since" in write(root)["model_card.md"]


def test_the_notes_of_the_team_stay(root):
    first = write(root)["model_card.md"]
    path = root / "docs" / "model_card.md"
    notes = "\n\nAsk Zoë before you {{ deploy }} | <i>this</i>.\n\n"
    before, _, after = report.between(first, report.NOTES)
    path.write_text(before + notes + after, encoding="utf-8")
    lock = root / "dvc.lock"
    lock.write_text(lock.read_text().replace("missed: 4", "missed: 1"))
    second = write(root)["model_card.md"]
    assert report.between(second, report.NOTES)[1] == notes
    assert "**0.500**" in second


def test_a_card_without_its_markers_is_left_alone(root, capsys):
    card = root / "docs" / "data_card.md"
    card.write_text("Our own card")
    assert "data_card.md" not in write(root)
    assert card.read_text() == "Our own card"
    assert "docs/data_card.md is left alone" in capsys.readouterr().out


def test_the_cards_are_those_of_the_project(root):
    (root / CARD).write_text("{#- Ours. -#}\n# Our card of {{ candidate | text }}\n{{ notes }}\n", encoding="utf-8")
    text = write(root)["model_card.md"]
    assert text.startswith("# Our card of &lt;b&gt;")
    assert "Ours." not in text


def test_the_header_of_a_template_is_not_in_the_card(root):
    for name, text in write(root).items():
        assert "{#" not in text and "#}" not in text, name
        assert text.startswith("<!-- `uv run poe report` writes" if name.endswith(".md") else "<!doctype html>"), name


def test_a_card_without_a_template_is_named_and_the_rest_is_written(root, capsys):
    shutil.rmtree(root / "docs" / "cards")
    assert list(write(root)) == ["index.html"]
    assert capsys.readouterr().out.splitlines() == [
        f"report: docs/{name}.md is left out: there is no docs/cards/{name}.md.j2"
        for name in ("model_card", "data_card")
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("# Card\n\n{{ no_such_value }}\n", 3, "'no_such_value' is undefined"),
        ("# Card\n{% for row in columns %}\n", 2, "Unexpected end of template"),
        ("# Card\n{{ metrics.no_such_metric }}\n", 2, "no attribute 'no_such_metric'"),
        ("{{ 1 / 0 }}\n", 1, "division by zero"),
        ("\n\n\n{{ notes.__class__.__mro__ }}\n", 4, "access to attribute '__class__' of 'str' object is unsafe"),
        ("{% include 'part.j2' %}\n", 1, "'part.j2' not found"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(tmp_path, text, line, reason):
    template = card(tmp_path, text)
    with pytest.raises(SystemExit) as end:
        report.fill(template, tmp_path, {"notes": "", "columns": [], "metrics": {}})
    said, fix = str(end.value).splitlines()
    assert said.startswith(f"report: {CARD}, line {line}: ")
    assert reason in said
    assert fix == f"  fix: correct {CARD}, then: uv run poe report"


def card(folder: Path, text: str, name: str = CARD) -> Path:
    """Write a template of a card."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_wrong_part_of_a_template_is_named_itself(tmp_path):
    card(tmp_path, "\n{{ 1 / 0 }}\n", "docs/cards/part.j2")
    with pytest.raises(SystemExit, match=r"^report: docs/cards/part\.j2, line 2: division by zero"):
        report.fill(card(tmp_path, "{% include 'part.j2' %}\n"), tmp_path, {})


def test_a_template_that_is_not_text_is_named(tmp_path):
    card(tmp_path, "").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SystemExit, match=rf"^report: {CARD}: .*decode"):
        report.fill(tmp_path / CARD, tmp_path, {})


def test_with_a_wrong_template_nothing_is_written(root):
    (root / CARD).write_text("{{ no_such_value }}", encoding="utf-8")
    with pytest.raises(SystemExit, match="'no_such_value' is undefined"):
        write(root)
    assert not (root / report.PAGE).exists()
    assert not (root / "docs" / "data_card.md").exists()


def test_the_pipeline_is_drawn_between_its_markers(root, capsys):
    path = root / "README.md"
    path.unlink()
    assert report.readme(root) == {}
    path.write_text("# Ours\n", encoding="utf-8")
    assert report.readme(root) == {}
    assert "README.md is left alone" in capsys.readouterr().out
    start, end = report.PIPELINE
    path.write_text(f"# Ours\n\n{start}\nold\n{end}\n\nMore.\n", encoding="utf-8")
    report.write(report.readme(root))
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# Ours\n\n{start}\n```mermaid\nflowchart TD\n")
    assert text.endswith(f"\n```\n{end}\n\nMore.\n")
    assert '"prepare"' in text and "old" not in text


@pytest.mark.parametrize(
    ("path", "fix"),
    [
        ("build/plots/roc.csv", "fix: uv run dvc pull"),
        ("metrics/test.json", "fix: uv run poe train"),
        ("dvc.lock", "fix: uv run poe train"),
    ],
)
def test_a_missing_input_is_named_with_what_brings_it_back(root, path, fix):
    facts.check_inputs(root)
    (root / path).unlink()
    with pytest.raises(SystemExit) as end:
        facts.check_inputs(root)
    assert f"report: missing: {path}\n  {fix}" in str(end.value)


@pytest.mark.parametrize("text", ['{"candidate":', "", "[1, 2]"])
def test_a_damaged_input_is_named(root, text):
    (root / "metrics" / "test.json").write_text(text)
    with pytest.raises(ValueError, match=r"test\.json cannot be read"):
        facts.collect(root)


@pytest.fixture
def here(root, monkeypatch) -> Path:
    """The project as the working directory."""
    monkeypatch.chdir(root)
    return root


def test_the_whole_report_is_written_and_names_what_is_not_up_to_date(here, capsys):
    report.main([])
    printed = capsys.readouterr().out
    for path in ("build/report/index.html", "docs/model_card.md", "docs/data_card.md", "README.md"):
        assert (here / path).as_uri() in printed
    assert "report: the model's version is left out: sqlite:///" in printed
    assert "report: changed since the last run: evaluate" in printed
    assert not (here / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("path", "before", "after", "missing"),
    [
        ("metrics/test.json", '"roc_auc": 0.7512, ', "", "roc_auc"),
        ("dvc.lock", "refused: 1", "other: 1", "costs.refused"),
        ("build/plots/cost.csv", "threshold", "limit", "threshold"),
    ],
)
def test_what_the_run_lacks_is_named(here, path, before, after, missing):
    text = (here / path).read_text(encoding="utf-8")
    assert before in text
    (here / path).write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        report.main([])
    assert str(end.value) == f"report: {missing!r} is not in the results of the run\n  fix: uv run poe train"


def test_a_pipeline_that_dvc_cannot_read_is_named(here):
    (here / "dvc.yaml").write_text("stages: [\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"(?s)^report: .*dvc\.yaml"):
        report.main([])


def test_a_file_that_cannot_be_written_leaves_every_file_as_it_was(tmp_path):
    (tmp_path / "first").write_text("old")
    (tmp_path / "blocked").write_text("a file where a folder should be")
    with pytest.raises(OSError):
        report.write({tmp_path / "first": "new", tmp_path / "blocked" / "second": "new"})
    assert (tmp_path / "first").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocked", "first"]


@pytest.fixture
def judged(table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Four records of four ages, and their predictions."""
    predictions = pd.DataFrame({"actual": ["good", "bad", "good", "bad"], "label": ["bad", "good", "good", "bad"]})
    return table.head(4).assign(age_in_years=[20, 25, 26, 70]), predictions


def test_groups_count_what_each_was_called_and_is(judged):
    rows = {row["name"]: row for row in facts.groups(*judged) if row["column"] == "age_in_years"}
    assert [row["records"] for row in rows.values()] == [2, 1, 1]
    assert (rows["up to 25"]["false_positive_rate"], rows["up to 25"]["false_negative_rate"]) == (1.0, 1.0)
    assert rows["26 to 60"]["false_negative_rate"] is None
    assert rows["over 60"]["positive_rate"] == 1.0


def test_groups_have_as_many_bands_as_the_project_says(judged, monkeypatch):
    monkeypatch.setattr(team("schema"), "PROTECTED", {"age_in_years": [22]})
    assert [row["name"] for row in facts.groups(*judged)] == ["up to 22", "over 22"]
    monkeypatch.setattr(team("schema"), "PROTECTED", {"age_in_years": [20, 25, 50]})
    assert [row["name"] for row in facts.groups(*judged)] == ["up to 20", "21 to 25", "26 to 50", "over 50"]


def test_a_project_that_protects_no_group_gets_no_table(root, judged, monkeypatch):
    assert "| Column | Group |" in write(root)["model_card.md"]
    monkeypatch.delattr(team("schema"), "PROTECTED")
    assert facts.groups(*judged) == []
    assert "| Column | Group |" not in write(root)["model_card.md"]


@pytest.mark.parametrize(
    ("protected", "wrong"),
    [({"no_such": []}, "no_such, which is not a feature"), ({"age_in_years": []}, "age_in_years, which has neither")],
)
def test_a_group_that_cannot_be_is_named(judged, monkeypatch, protected, wrong):
    monkeypatch.setattr(team("schema"), "PROTECTED", protected)
    with pytest.raises(ValueError, match=f"PROTECTED of schema.py names {wrong}"):
        facts.groups(*judged)


def test_two_charts_share_no_id():
    names = charts.Names("bad", "good")
    points = pd.DataFrame({"a": [0.0, 1.0], "b": [0.0, 1.0]})
    first = charts.calibration(points.set_axis(["predicted", "observed"], axis=1), names)
    second = charts.cost(points.set_axis(["threshold", "cost"], axis=1), names, (0.5, 0.5))
    ids = [{part.split('"')[0] for part in svg.split(' id="')[1:]} for svg in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]


# Words of the template's example; a project brings its own.
USE_CASE = re.compile(r"credit|customers?\b|german|applicant|lender|loan|statlog", re.IGNORECASE)
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
