"""Watching production: the project's own `look` decides what is wrong."""

import json
import shutil

import pytest

from copier_mlops import handover
from copier_mlops.monitoring import problems, watch
from copier_mlops.project import root
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import lineage, models, register
from tests.package.shared import new_database, tracked, uri
from tests.project import commit, run

OWN = """
from copier_mlops.monitoring import problems


def look(version, settings):
    return [*problems(version, settings), f"{settings.environment} has version {version.version}"]
"""


@pytest.fixture(scope="module")
def prod(inside, team_project, tmp_path_factory) -> Settings:
    """The settings of prod, whose alias is at a version that was never deployed."""
    folder = tmp_path_factory.mktemp("mlflow")
    inside.setenv("MLFLOW_TRACKING_URI", uri(folder))
    settings = load_settings("prod")
    client = new_database(folder, settings)
    run = tracked(settings, folder / "model.skops", pipeline="a")
    models.point(client, settings, register.register(client, settings, run))
    yield settings
    shutil.rmtree(team_project / "build", ignore_errors=True)


@pytest.fixture
def file(inside):
    """operation/monitoring/prediction_monitoring.py, which is brought back after the test."""
    path = root() / watch.ENTRY
    content = path.read_text()
    yield path
    path.write_text(content)


NEVER = "version 1 has the alias champion, but was never deployed"


def test_the_file_of_the_template_finds_what_the_package_finds(prod):
    assert watch.watch("prod")["problems"] == [NEVER]


def test_what_the_team_adds_is_found_and_handed_on(prod, file, capsys):
    file.write_text(OWN)
    with pytest.raises(SystemExit) as ended:
        watch.main(["--json"])
    assert ended.value.code == 1
    seen = json.loads(capsys.readouterr().out)
    assert seen["problems"] == [NEVER, "prod has version 1"]
    assert handover.read("watch", "seen")["problems"] == seen["problems"]


def test_a_project_without_the_file_is_watched_all_the_same(prod, file):
    file.unlink()
    assert watch.watch("prod")["problems"] == [NEVER]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import moon\n", f"mlops: {watch.ENTRY}, line 1: ModuleNotFoundError: No module named 'moon'"),
        ("def looks(version, settings):\n    return []\n", f"mlops: {watch.ENTRY} has no function look"),
        (
            "def look(version, settings):\n    return version.moon\n",
            f"mlops: {watch.ENTRY}, line 2: AttributeError: 'ModelVersion' object has no attribute 'moon'",
        ),
        ("def look(version, settings):\n    pass\n", f"monitor: look of {watch.ENTRY} returns NoneType, not a list"),
        ("def look(version, settings):\n    return 'x'\n", f"monitor: look of {watch.ENTRY} returns str, not a list"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(prod, file, text, sentence):
    file.write_text(text)
    with pytest.raises(SystemExit) as refused:
        watch.watch("prod")
    assert str(refused.value).startswith(sentence)


def test_a_deployment_that_does_not_answer_is_a_problem(prod):
    document = {"version": "1", "sha256": "a", "md5": "b", "url": "http://127.0.0.1:9", "target": "local"}
    version = models.current(models.server.connect(prod), prod)
    version.tags["deployed.prod"] = json.dumps(document)
    (problem,) = problems(version, prod, seconds=0)
    assert problem.startswith("version 1 does not answer at http://127.0.0.1:9 after 0 seconds")


def head() -> str:
    return run(root(), "git", "rev-parse", "HEAD").strip()


@pytest.fixture
def trained(prod, tmp_path, monkeypatch) -> str:
    """The commit that was trained last, in a project whose model is old."""
    monkeypatch.setenv("MONITORING_MAX_AGE_DAYS", "0.000001")
    tracked(prod, tmp_path / "model.skops", **{"git.commit": head(), "git.dirty": "false"})
    return head()


def change(monkeypatch, path: str, text: str) -> None:
    """Commit a change, in a clone of the project, and go there."""
    clone = root().with_name(f"clone-{len(list(root().parent.iterdir()))}")
    run(root().parent, "git", "clone", "--quiet", str(root()), str(clone))
    (clone / path).write_text((clone / path).read_text() + text)
    commit(clone)
    monkeypatch.chdir(clone)


def test_an_old_model_on_unchanged_data_code_and_parameters_starts_no_training(prod, trained, monkeypatch, capsys):
    monkeypatch.setattr(watch, "start_training", lambda: pytest.fail("it was started"))
    with pytest.raises(SystemExit):
        watch.main([])
    printed = capsys.readouterr().out
    assert "monitor: due: False" in printed
    assert f"nothing has changed since commit {trained[:12]} was trained" in printed


@pytest.mark.parametrize(
    ("path", "is_due"), [("params.yaml", True), ("data/raw/german_credit.csv.dvc", True), ("README.md", False)]
)
def test_what_decides_the_model_makes_an_old_one_due(prod, trained, monkeypatch, path, is_due):
    change(monkeypatch, path, "# changed\n")
    assert head() != trained
    assert watch.watch("prod")["due"] == is_due


@pytest.mark.parametrize(
    ("commit_id", "dirty"), [("1" * 40, "false"), ("--help", "false"), ("", "false"), (None, "true")]
)
def test_a_run_that_says_nothing_about_head_hides_no_training(prod, tmp_path, monkeypatch, commit_id, dirty):
    here = root()
    change(monkeypatch, "params.yaml", f"# {commit_id} {dirty}\n")
    there = root()
    tags = {"git.commit": head() if commit_id is None else commit_id, "git.dirty": dirty}
    monkeypatch.chdir(here)
    tracked(prod, tmp_path / "model.skops", **tags)
    monkeypatch.chdir(there)
    monkeypatch.setenv("MONITORING_MAX_AGE_DAYS", "0.000001")
    assert watch.watch("prod")["due"]


@pytest.mark.parametrize(("path", "dirty"), [("dvc.lock", "false"), ("params.yaml", "true")])
def test_only_what_a_run_did_not_write_itself_makes_it_dirty(prod, monkeypatch, path, dirty):
    change(monkeypatch, "params.yaml", f"# {path}\n")
    (root() / "dvc.lock").touch()
    commit(root())
    (root() / path).write_text("schema: '2.0'\n")
    assert lineage.git_state(root())["dirty"] == dirty
