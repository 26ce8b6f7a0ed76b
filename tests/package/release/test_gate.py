"""The metric gate, approvals, and what jobs hand over."""

import json
import math
import shutil

import pytest
from mlflow import MlflowClient

from copier_mlops import handover
from copier_mlops.hosts.gates import gate_of, gates
from copier_mlops.hosts.interface import Approval
from copier_mlops.registry import flows, registry
from copier_mlops.release import approval, judge, promote
from copier_mlops.release.settings import Gate
from copier_mlops.settings import load_settings
from tests.package.shared import new_database, uri
from tests.platforms import on_posix


@pytest.fixture(autouse=True)
def build(inside, team_project):
    """The folder of what is handed over, empty before and gone after."""
    yield handover.build()
    shutil.rmtree(team_project / "build", ignore_errors=True)


def gate(direction: str = "higher", margin: float = 0.0) -> Gate:
    """A gate on the area under the ROC curve."""
    return Gate(metric="roc_auc", direction=direction, margin=margin)


@pytest.mark.parametrize(
    ("new", "champion", "direction", "margin", "promoted"),
    [
        (0.5, None, "higher", 0.0, True),
        (0.8, 0.7, "higher", 0.0, True),
        (0.7, 0.7, "higher", 0.0, False),
        (0.6, 0.7, "higher", 0.0, False),
        (0.6, 0.7, "lower", 0.0, True),
        (0.8, 0.7, "lower", 0.0, False),
        (0.75, 0.5, "higher", 0.25, True),
        (0.74, 0.5, "higher", 0.25, False),
    ],
)
def test_only_a_better_model_wins(new, champion, direction, margin, promoted):
    won, reason = judge.judge(new, champion, gate(direction, margin))
    assert won == promoted
    assert reason


@pytest.mark.parametrize("metrics", [{"accuracy": 0.7}, {"accuracy": 0.7, "roc_auc": math.nan}])
def test_a_metric_that_nobody_measured_is_a_failure(metrics):
    with pytest.raises(SystemExit, match="the new model has no metric roc_auc; it has accuracy"):
        judge.figure(metrics, "roc_auc", "the new model")


def test_a_champion_without_the_metric_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(tmp_path))
    settings = load_settings("prod")
    client = new_database(tmp_path, settings)
    champion = client.create_run(client.get_experiment_by_name(settings.experiment).experiment_id)
    client.create_registered_model(settings.model_name)
    client.create_model_version(settings.model_name, (tmp_path / "model").as_uri(), champion.info.run_id)
    client.set_registered_model_alias(settings.model_name, settings.model_alias, "1")
    with pytest.raises(SystemExit, match="version 1, the champion, has no metric roc_auc; it has none"):
        judge.verdict(client, {"metrics": {"roc_auc": 0.8}})


def test_a_run_that_another_machine_tracked_is_not_judged(tmp_path):
    client = MlflowClient(f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}")
    with pytest.raises(SystemExit, match=r"has no run 7: .*\n  fix: name a tracking server that all jobs reach"):
        judge.require_run(client, "7")


def test_an_approval_holds_for_what_was_seen_and_for_nothing_else():
    handover.write("judge", "verdict", {"promoted": True, "new": 0.8})
    with pytest.raises(SystemExit, match="release: nobody has approved it"):
        approval.require("release")
    approval.record("model", Approval("Ada", "asked at the terminal"))
    assert approval.require("release")["by"] == "Ada"
    handover.write("judge", "verdict", {"promoted": True, "new": 0.9})
    with pytest.raises(SystemExit, match="the approval of Ada was for something else"):
        approval.require("release")


def test_nothing_is_registered_without_an_approval():
    handover.write("judge", "verdict", {"promoted": True, "reason": "", "run": {"run_id": "r"}})
    with pytest.raises(SystemExit, match=r"nobody has approved it\n  fix: uv run poe gate-check model"):
        promote.promote(client=None, settings=None)


def test_a_model_that_is_not_better_is_not_registered_and_needs_no_approval():
    handover.write("judge", "verdict", {"promoted": False, "reason": "not better"})
    assert promote.promote(client=None, settings=None) == {"released": False, "reason": "not better"}


def test_what_was_not_handed_over_is_named():
    with pytest.raises(SystemExit, match=r"train/run\.json is not here\n  fix: run the job `train` first"):
        handover.read("train", "run")
    handover.write("train", "run", {"a": 1})
    file = handover.file_of("train", "run")
    for broken, text in (("{", "cannot be read"), ("[]", "is not a JSON object")):
        file.write_text(broken, encoding="utf-8")
        with pytest.raises(SystemExit, match=text):
            handover.read("train", "run")


@on_posix
def test_a_file_that_cannot_be_written_to_its_end_leaves_what_was_there():
    import resource  # not on Windows

    handover.write("train", "run", {"a": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, before[1]))  # bytes
    try:
        with pytest.raises(OSError, match="File too large"):
            handover.write("train", "run", {"a": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert json.loads(handover.file_of("train", "run").read_text(encoding="utf-8")) == {"a": 1}


def test_each_gate_is_before_one_job_which_asks_first():
    described = flows(len(registry("levels")) - 1).values()
    waiting = [(id, job) for flow in described for id, job in flow["jobs"].items() if "gate" in job]
    assert {job["gate"] for _, job in waiting} == registry("gates").keys()
    for id, job in waiting:
        assert gates()[job["gate"]].job == id
        assert job["steps"][0]["run"] == f"gate-check {job['gate']}"
        assert gate_of(id) == gates()[job["gate"]]
    assert gate_of("train") is None
