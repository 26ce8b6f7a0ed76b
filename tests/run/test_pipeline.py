"""Data and pipeline: pushed, cloned, pulled, run again, and with faults planted."""

import re
import shutil

from tests.project import TEMPLATE, replace
from tests.run.project import commands

RESULTS = ("dvc.lock", "metrics/test.json", "metrics/data.json", "build/predictions.csv")


def results(project) -> dict[str, str]:
    return {path: project.text(path) for path in RESULTS}


def test_a_colleague_clones_pulls_and_has_nothing_to_run(project, tmp_path):
    project.run("uv run dvc push")
    clone = project.clone(tmp_path / "clone")
    # The folder of the data remote is named relative to the project: the same folder from where the clone is.
    shutil.copytree(project.path.parent / "german-credit-data", tmp_path / "german-credit-data")
    clone.run("uv sync --locked")
    clone.run("uv run dvc pull")
    assert "Data and pipelines are up to date" in clone.run("uv run dvc repro")
    assert results(clone) == results(project)


def test_a_second_run_does_nothing_and_a_forced_one_gives_the_same(unchanged):
    before = results(unchanged)
    assert "Data and pipelines are up to date" in unchanged.run("uv run dvc repro")
    unchanged.run("uv run dvc repro --force")
    assert results(unchanged) == before


def test_stages_side_by_side_give_the_same(unchanged):
    """The commands of the page, of which the first finds nothing done."""
    before = results(unchanged)
    first, *others = commands((TEMPLATE / "docs" / "how-to" / "parallel.md").read_text(encoding="utf-8"))
    (unchanged.path / "dvc.lock").unlink()
    printed = unchanged.run(f"{first} --no-track --no-run-cache")
    assert "\ntrain@linear | train: fold 1 of 5: roc_auc 0." in printed and "6 stages ran, in " in printed
    assert unchanged.text("build/logs/train@linear.log").startswith("train: fold 1 of 5")
    assert results(unchanged) == before
    for line in others:
        assert "Data and pipelines are up to date" in unchanged.run(f"{line} --no-track")


def test_stages_apart_give_the_same(unchanged, tmp_path):
    """The commands of the page: each stage runs in a clone of its own, and another one collects."""
    push, listed, first, *home = commands((TEMPLATE / "docs" / "how-to" / "apart.md").read_text(encoding="utf-8"))
    unchanged.run(push)
    names = re.findall(r"^([\w@]+)(?:: needs .*)?$", unchanged.run(listed), re.MULTILINE)
    assert names[0] == "ingest" and "train@linear" in names
    replace(unchanged.path / "params.yaml", "leaf: 20", "leaf: 7")
    unchanged.commit()
    shared = unchanged.path.parent / "german-credit-data"
    shutil.copytree(shared, tmp_path / "german-credit-data")
    environment = {"UV_PROJECT_ENVIRONMENT": str(tmp_path / "environment")}
    ran = []
    for name in names:
        clone = unchanged.clone(tmp_path / name)
        if " ran, in " in clone.run(first.replace("ingest", name), **environment):
            ran.append(name)
    assert set(ran) == {"train@linear", "train@gradient_boosting", "evaluate"}  # each command has all parameters
    clone = unchanged.clone(tmp_path / "home")
    for line in home:
        clone.run(line, **environment)
    unchanged.run("uv run dvc repro")
    assert results(clone) == results(unchanged)
    unchanged.run("git reset --quiet --hard HEAD~1")


def test_a_changed_parameter_shows_in_the_metrics(unchanged):
    params = unchanged.path / "params.yaml"
    params.write_text(params.read_text().replace("leaf: 20", "leaf: 7"))
    unchanged.run("uv run dvc repro")
    changes = unchanged.run("uv run dvc metrics diff")
    assert "metrics/candidates/gradient_boosting.json" in changes
    assert "roc_auc" in changes


def test_the_plots_are_drawn(unchanged):
    unchanged.run("uv run dvc plots show --out build/dvc_plots")
    page = unchanged.text("build/dvc_plots/index.html")
    for curve in (
        "ROC curve",
        "Precision and recall",
        "Calibration",
        "Predicted and actual classes",
        "Cost by threshold",
    ):
        assert curve in page


def test_a_bad_record_is_named_and_nothing_is_lost(unchanged):
    before = results(unchanged)
    raw = unchanged.path / "data" / "raw" / "german_credit.csv"
    good = raw.read_text()
    # A file of DVC's cache may be linked: it is replaced, never written through.
    raw.unlink()
    raw.write_text(good.replace("A11,6,A34,A43,1169", "A11,6,A34,A43,-1169", 1))
    printed = unchanged.run("uv run poe train", fails=True)
    assert "validate: 1 values in data/interim/ingested.parquet break the data contract" in printed
    assert "record 0: credit_amount is -1169" in printed
    # DVC clears what the stage that failed would have written; git has it, and nothing further on was touched.
    unchanged.run("git checkout --quiet metrics/data.json")
    kept = set(RESULTS) - {"dvc.lock"}
    assert {path: results(unchanged)[path] for path in kept} == {path: before[path] for path in kept}
    raw.unlink()
    raw.write_text(good.replace("A11,6,A34,A43,1169", "A11,six,A34,A43,1169", 1))
    assert "record 0: duration_in_month is 'six'" in unchanged.run("uv run poe train", fails=True)
    assert "record 0: duration_in_month is 'six'" in unchanged.run("uv run poe check-data", fails=True)


def test_the_same_template_gives_another_project_the_same_model(copier, project, tmp_path):
    other = copier.copy(tmp_path / "other", project_name="Ünïcode \"quoted\" & 'odd' <name>", package_name="p")
    other.run("uv run poe setup")
    other.run("uv run poe lint")
    other.run("uv run poe train")
    other.run("uv run poe report")
    for path in ("metrics/test.json", "build/predictions.csv"):
        assert other.text(path) == project.text(path)
