"""A file of other records takes the place of the example's, and nothing that only the working tree has is lost."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from copier_mlops.adoption import starters
from copier_mlops.adoption.changes import Changes
from copier_mlops.adoption.raw import place_of
from copier_mlops.cli import main
from copier_mlops.contract import parse, read
from copier_mlops.contract.raw import inputs
from tests.project import TEMPLATE, commit, copy_project, run

EXAMPLE = Path("src", "loans", "contract.yaml")


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project of the example at level 3, committed, without DVC: what it does is tested with real projects."""
    path = tmp_path / "project"
    copy_project(TEMPLATE, path, "HEAD", project_name="Machines", package_name="loans", maturity_level=3)
    commit(path)
    (path / ".dvc" / "config").unlink()
    (path / ".dvc").rmdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def machines(tmp_path) -> Path:
    """A file of machines that has nothing in common with the example."""
    path = tmp_path / "machines.csv"
    table = pd.DataFrame({"name": [f"M{row}" for row in range(200)], "speed": range(200), "load": [1.5, 2.5] * 100})
    table.assign(wear=table["speed"] * 2.5).to_csv(path, index=False)
    return path


def adopt(*words: object) -> int:
    return main(["adopt-data", *map(str, words)])


def named_by_git(project: Path, word: str) -> list[str]:
    return run(project, "git", "grep", "-il", word, "--", ".").splitlines()


def test_all_that_names_data_or_problem_is_written(project, machines, capsys):
    assert adopt(machines, "--target", "wear") == 0
    assert read(project / EXAMPLE).learning.problem == "regression"
    assert (project / "data" / "raw" / "machines.csv").read_bytes() == machines.read_bytes()
    pipeline = yaml.safe_load((project / "dvc.yaml").read_text())
    assert "data/raw/machines.csv" in pipeline["stages"]["ingest"]["deps"]
    assert [next(iter(plot)) for plot in pipeline["plots"]][-1] == "Importance"
    assert len(pd.read_csv(project / "operation" / "tests" / "sample.csv")) == starters.SAMPLE
    for name in ("dev", "stage", "prod"):
        text = (project / "operation" / "configuration" / f"environment_{name}" / "release.yaml").read_text()
        assert yaml.safe_load(text)["gate"] == {"metric": "rmse", "direction": "lower", "margin": 0.0}
    assert yaml.safe_load((project / ".copier-answers.yml").read_text())["example"] == "none"
    assert named_by_git(project, "german") == ["data/raw/german_credit.csv.dvc"]
    assert named_by_git(project, "credit") == ["data/raw/german_credit.csv.dvc"]
    assert "uv run poe check-data" in capsys.readouterr().out


def test_a_dry_run_shows_the_changes_and_makes_none(project, machines, capsys):
    assert adopt(machines, "--target", "wear", "--dry-run") == 0
    assert "+  metric: rmse" in capsys.readouterr().out
    assert not run(project, "git", "status", "--porcelain", "--", "src", "dvc.yaml", "operation", "data")


def test_what_git_does_not_have_is_not_overwritten(project, machines, capsys):
    file = project / "params.yaml"
    ours = file.read_text().replace("folds: 5", "folds: 3")
    file.write_text(ours)
    with pytest.raises(SystemExit, match=r"git does not have params\.yaml as it is.*\n  fix: commit first, or add"):
        adopt(machines, "--target", "wear")
    assert file.read_text() == ours
    assert not (project / "data" / "raw" / "machines.csv").exists()
    assert adopt(machines, "--target", "wear", "--force") == 0
    assert "folds: 3" in file.read_text(), "only the costs are those of another problem"


def test_data_at_the_place_that_dvc_does_not_have_is_kept(project, machines):
    (project / "data" / "raw" / "machines.csv").write_text("other\n1\n")
    with pytest.raises(SystemExit, match=r"data/raw/machines\.csv is there, and DVC does not have it"):
        adopt(machines, "--target", "wear")
    assert read(project / EXAMPLE).learning.target == "credit_risk"


def test_newer_records_change_neither_contract_nor_pipeline(project, machines, capsys):
    adopt(machines, "--target", "wear")
    commit(project)
    capsys.readouterr()
    assert adopt("data/raw/machines.csv", "--target", "wear", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["is_written"], said["files"]) == (False, [])


def test_a_pipeline_that_came_later_learns_of_the_data(project, machines):
    before = (project / "dvc.yaml").read_text()
    adopt(machines, "--target", "wear")
    # As a climb brings it to a project that was adopted before.
    (project / "dvc.yaml").write_text(before.replace("german_credit", "records"))
    commit(project)
    adopt("data/raw/machines.csv", "--target", "wear")
    assert inputs((project / "dvc.yaml").read_text()) == ["data/raw/machines.csv"]


def test_stages_that_read_a_schema_are_not_mixed_with_a_contract(project, machines):
    (project / EXAMPLE).unlink()
    (project / EXAMPLE).with_name("schema.py").touch()
    with pytest.raises(SystemExit, match=r"read schema\.py\n  fix: the template's docs/how-to/own_data\.md"):
        adopt(machines, "--target", "wear")


def test_a_disk_that_is_full_changes_no_file(tmp_path, monkeypatch):
    changes = Changes(tmp_path)
    (tmp_path / "a.txt").write_text("before")
    changes.add("a.txt", "after")
    changes.add("b.txt", "new")
    write = Path.write_text

    def full(path: Path, *words: object, **options: object) -> int:
        if path.name.startswith(".b"):
            raise OSError(28, "No space left on device")
        return write(path, *words, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        changes.write()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_data_in_the_folder_of_raw_data_stays_where_it_is(tmp_path):
    inside = tmp_path / "data" / "raw" / "2024 (final)" / "part.csv"
    inside.parent.mkdir(parents=True)
    inside.touch()
    assert place_of(inside, tmp_path) == "data/raw/2024 (final)/part.csv"
    assert place_of(tmp_path / "elsewhere" / "größe 1.csv", tmp_path) == "data/raw/größe 1.csv"


@pytest.mark.parametrize("text", ["", "stages: 1", "- 1", "stages: {a: 1}", "stages: {a: {deps: [{x: {}}]}}", "a: ["])
def test_a_pipeline_without_raw_data_names_none(text):
    assert inputs(text) == []


def test_the_plots_of_the_template_are_those_of_a_problem_with_two_classes():
    source = (TEMPLATE / "template" / "dvc.yaml.jinja").read_text(encoding="utf-8")
    contract = parse(
        "learning: {target: y, problem: binary, positive: a}\n"
        "fields: [{name: x, type: number}, {name: y, type: string, categories: [a, b]}]\n",
        "contract.yaml",
    )
    assert source.partition("plots:\n")[2].partition("{% endif %}")[0] == starters.plots(contract)


@pytest.mark.parametrize("card", ["data", "model"])
def test_a_bare_project_has_the_same_headings_for_the_team_as_an_adopted_one(card):
    source = (TEMPLATE / "template" / "docs" / "cards" / f"about_{card}.md.jinja").read_text(encoding="utf-8")
    assert source.partition("%}\n")[2].partition("{% else %}")[0] == starters.about(card)
