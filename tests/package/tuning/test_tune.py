"""`poe tune`: real trials of a small pipeline, which go on after each way to end."""

import json
import os
import re
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.package.tuning.conftest import FILE, PARAMS, Ours, make
from tests.project import replace, run


def tried(ours: Ours) -> list[dict]:
    """The values of each trial, in their order."""
    return [each["parameters"] for each in ours.results()["trials"]]


def copies() -> list[Path]:
    """The copies of the repository that are there now."""
    return list(Path(os.environ["TMPDIR"]).glob("mlops-*"))


def wait_until(holds, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_best_values_go_into_params_and_the_pipeline_gives_the_same_metric(ours):
    replace(ours.path / "params.yaml", "seed: 7", "seed: 8 # not committed")
    printed = ours.tune()
    found = ours.results()
    assert [each["state"] for each in found["trials"]] == ["ended"] * 4
    assert tried(ours)[0] == {"train.rate": 0.5, "train.leaf": 10}, "your own values come first"
    values = [each["value"] for each in found["trials"]]
    best = found["best"]
    assert best["value"] == min(values) < values[0]
    rate, leaf = best["parameters"]["train.rate"], best["parameters"]["train.leaf"]
    assert f"params.yaml: train.rate: 0.5 -> {rate}, train.leaf: 10 -> {leaf}" in printed
    expected = PARAMS.replace("0.5 ", f"{rate} ").replace("leaf: 10", f"leaf: {leaf}")
    assert ours.text("params.yaml") == expected.replace("seed: 7", "seed: 8 # not committed")
    assert len(ours.runs("prepare")) == 1, "its result is in the cache that all copies share"
    assert copies() == []
    assert run(ours.path, "git", "status", "--porcelain") == " M params.yaml\n"

    ran = ours.runs()
    ours.dvc("repro", "score")
    assert ours.runs() == ran, "the result of the trial is in the cache"
    assert json.loads(ours.text("metrics/cv.json"))["cv"]["loss"] == best["value"]
    ours.dvc("repro", "--force", "score")
    assert json.loads(ours.text("metrics/cv.json"))["cv"]["loss"] == best["value"]


def test_a_second_call_runs_nothing_and_more_trials_go_on(ours):
    ours.tune("--trials", "2")
    before = tried(ours)
    ours.commit()
    printed = ours.tune("--trials", "2")
    assert "goes on after 2 trials" in printed and "params.yaml has the best values already" in printed
    assert len(ours.runs()) == 2
    ours.tune("--trials", "3")
    assert tried(ours)[:2] == before and len(ours.runs()) == 3


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(ours, tmp_path, monkeypatch):
    monkeypatch.setenv("SECONDS", "1")
    process = subprocess.Popen(ours.command("--no-track"), cwd=ours.path, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(ours.runs()) == 2)
    process.kill()
    process.wait()
    wait_until(lambda: copies() == [])  # its trial has ended as well
    monkeypatch.setenv("SECONDS", "0")
    assert "goes on after 1 trials" in ours.tune("--trials", "3")
    assert len(ours.runs()) == 4, "the second trial began twice, the others once"
    whole = make(tmp_path / "whole")
    whole.tune("--trials", "3")
    assert tried(whole) == tried(ours)
    assert whole.results()["best"] == ours.results()["best"]


def test_ctrl_c_keeps_what_has_ended(ours, monkeypatch):
    monkeypatch.setenv("SECONDS", "2")
    with subprocess.Popen(ours.command("--no-track"), cwd=ours.path, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len(ours.runs()) == 2)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "tune: what has ended is kept" in printed
    assert copies() == []
    assert [each["value"] is not None for each in ours.results()["trials"]] == [True]
    assert ours.text("params.yaml") == PARAMS


def test_a_trial_that_fails_is_noted_and_the_others_go_on(ours):
    ours.search(parameters={"train.kind": {"choices": ["plain", "broken", "third"]}}, trials=6)
    printed = ours.tune()
    states = {each["parameters"]["train.kind"]: each["state"] for each in ours.results()["trials"]}
    assert states == {"plain": "ended", "broken": "failed", "third": "ended"}
    log = re.findall(r"failed, its log is (\S+?):", printed)[0]
    assert "a broken model cannot be measured" in Path(log).read_text(encoding="utf-8")
    kinds = [words[2] for words in ours.runs()]
    assert kinds.count("plain") == kinds.count("third") == 1, "the same values are not measured twice"
    assert re.search(r"cv.loss \S+, as trial 0: train.kind plain", printed)


def test_if_all_trials_fail_the_end_of_the_first_log_is_shown_and_a_new_call_tries_again(ours):
    replace(ours.path / "params.yaml", "kind: plain", "kind: broken")
    printed = ours.tune("--trials", "2", fails=True)
    assert "tune: all 2 trials failed, the first with:\n" in printed
    assert "a broken model cannot be measured" in printed and "\n  fix: correct what " in printed
    assert "broken" in ours.text("params.yaml") and len(ours.runs()) == 2
    ours.tune("--trials", "2", fails=True)
    assert len(ours.runs()) == 4


def test_several_trials_at_once_share_the_cores(ours, monkeypatch):
    monkeypatch.setenv("SECONDS", "1.5")
    monkeypatch.setattr("copier_mlops.tuning.workers.cores", lambda: 8)
    ours.tune("--jobs", "2", "--trials", "3")
    spans = sorted(ours.spans())
    assert any(ended > began for (_, ended), (began, _) in pairwise(spans)), spans
    assert {words[3] for words in ours.runs()} == {"4"}
    assert len(ours.runs("prepare")) == 1, "the others wait for the first trial"
    assert len(ours.results()["trials"]) == 3


def test_no_trial_starts_after_the_timeout(ours, monkeypatch):
    monkeypatch.setenv("SECONDS", "1")
    printed = ours.tune("--timeout", "1s")
    assert "the time is over" in printed
    assert 1 <= len(ours.runs()) < 4


def test_a_search_is_one_run_of_mlflow_with_a_child_for_each_trial(ours):
    ours.search(parameters={"train.kind": {"choices": ["plain", "broken"]}}, trials=3)
    printed = ours.tune(tracks=True)
    assert "with a child for each trial" in printed
    ours.tune("--trials", "4", tracks=True)
    client = MlflowClient(f"sqlite:///{ours.path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("ours").experiment_id
    runs = client.search_runs([experiment])
    (parent,) = [each for each in runs if "tune.search" in each.data.tags]
    children = [each for each in runs if each.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == len(runs) - 1 == len(ours.results()["trials"])
    kinds = {each.data.params["train.kind"]: each for each in children}
    assert kinds["plain"].data.metrics == {"cv.loss": pytest.approx(0.2), "records": 3}
    assert kinds["broken"].info.status == "FAILED" and kinds["plain"].info.status == "FINISHED"
    assert parent.data.metrics["cv.loss"] == pytest.approx(0.2)
    assert parent.info.status == "FINISHED"


def test_a_server_that_is_away_costs_no_trial(ours, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    printed = ours.tune("--trials", "1", tracks=True)
    assert "does not answer" in printed and "tune: not tracked: " in printed
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert "with a child for each trial" in ours.tune("--trials", "1", tracks=True)


def test_the_document_is_all_that_json_prints(ours):
    words = ours.command("--json", "--no-track", "--no-apply", "--trials", "2")
    done = subprocess.run(words, cwd=ours.path, capture_output=True, text=True, timeout=100, check=True)
    document = json.loads(done.stdout)
    assert document == ours.results()
    assert document["written"] is False and ours.text("params.yaml") == PARAMS
    assert "trial 2 of 2" in done.stderr


def test_values_that_changed_during_the_search_are_not_overwritten(ours, monkeypatch):
    monkeypatch.setenv("SECONDS", "1")
    with subprocess.Popen(ours.command("--no-track"), cwd=ours.path, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len(ours.runs()) == 2)
        replace(ours.path / "params.yaml", "leaf: 10", "leaf: 12")
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "params.yaml is not changed: it has other values now" in printed
    assert "leaf: 12" in ours.text("params.yaml")


def test_other_code_is_another_search(ours):
    ours.tune("--trials", "1", "--name", "mine")
    (ours.path / "README.md").write_text("It does not decide the metric.", encoding="utf-8")
    assert "goes on after 1 trials" in ours.tune("--trials", "1", "--name", "mine")
    (ours.path / "src/ours/score.py").write_text(ours.text("src/ours/score.py") + "# changed\n", encoding="utf-8")
    printed = ours.tune("--trials", "1", "--name", "mine", fails=True)
    assert "the search mine is about another metric, other parameters, code or data" in printed
    assert "\n  fix: leave out --name" in printed
    ours.tune("--trials", "1")
    assert len(ours.runs()) == 2


def test_a_second_process_does_not_search_in_the_same_folder(ours, monkeypatch):
    monkeypatch.setenv("SECONDS", "4")
    with subprocess.Popen(ours.command("--no-track", "--trials", "1"), cwd=ours.path) as process:
        wait_until(lambda: len(ours.runs()) == 1)
        assert "is running already, in another process\n  fix: " in ours.tune("--trials", "1", fails=True)
        assert process.wait(timeout=60) == 0


def test_values_outside_of_the_space_are_no_trial(ours):
    ours.search(parameters={"train.leaf": {"low": 20, "high": 80, "step": 20}}, trials=2)
    ours.tune()
    assert all(each["train.leaf"] in (20, 40, 60, 80) for each in tried(ours))


def test_a_first_file_is_written_around_the_values_that_you_have(ours):
    ours.dvc("repro", "score")
    (ours.path / FILE).unlink()
    assert "fix: uv run poe tune --new STAGE KEY" in ours.tune(fails=True)
    printed = ours.tune("--new", "score", "train.rate", "train.leaf", "train.wide")
    assert "operation/configuration/search.yaml is written" in printed
    text = ours.text(FILE.as_posix())
    assert "train.rate: {low: 0.05, high: 5, log: true}" in text
    assert "train.leaf: {low: 2, high: 40}" in text and "train.wide: {choices: [true, false]}" in text
    assert "file: metrics/cv.json" in text and "seed: 7" in text
    assert "search.yaml is here already" in ours.tune("--new", "score", "train.rate", fails=True)
    ours.tune("--trials", "1")


@pytest.mark.parametrize("library", ["optuna", "ray"])
def test_a_library_that_is_missing_is_named_with_the_command_that_installs_it(ours, monkeypatch, library):
    monkeypatch.setattr("copier_mlops.tuning.find_spec", lambda name: None if name == library else True)
    said = ours.tune("--ray", "local", fails=True)
    fix = rf'fix: uv add --dev "{library}(\[client\])?>=[\d.]+,<\d+"'
    assert re.fullmatch(rf"tune: {library} is not installed\n  {fix}\n", said)


def test_a_study_that_is_damaged_is_named(ours):
    ours.tune("--trials", "1", "--name", "mine")
    (ours.path / "build/tune/mine/study.db").write_bytes(b"damaged")
    assert "study.db cannot be read: " in ours.tune("--name", "mine", fails=True)
