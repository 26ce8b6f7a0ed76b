"""The end of a training: figures beside the baseline and the served model, and the next command."""

import json

import pytest

from copier_mlops import problems
from copier_mlops.reporting import outcome
from copier_mlops.reporting.tracked import Tracked
from copier_mlops.settings import load_settings
from tests.package.reporting import runs


@pytest.fixture
def shown(make, monkeypatch, capsys):
    """Return what the end of a training prints for a problem, if the tracking server knows this."""

    def show(problem: str, known: Tracked, **options: object) -> list[str]:
        make(problem)
        monkeypatch.setattr(outcome, "ask", lambda *_: known)
        outcome.show(**options)
        return capsys.readouterr().out.splitlines()

    return show


def row(lines: list[str], metric: str) -> list[str]:
    return next(line.split() for line in lines if line.startswith(metric))


@pytest.mark.parametrize("problem", runs.PROBLEMS)
def test_without_a_served_model_the_baseline_is_the_measure_and_registering_comes_next(shown, problem):
    lines = shown(problem, Tracked("not registered"))
    assert "compared with the baseline, since " in lines[1]
    assert row(lines, problems.PROBLEMS[problem].gate)[-1] in ("better", "worse", "same")
    assert lines[-1] == "Next: uv run poe register"


@pytest.mark.parametrize(
    ("served", "verdict", "following"),
    [
        (1e9, "better", "uv run poe register"),
        (0.0, "worse", "uv run poe report, since rmse is not better"),
    ],
)
def test_the_served_model_decides_what_comes_next(shown, served, verdict, following):
    lines = shown("regression", Tracked("not registered", "7", {"rmse": served}))
    assert lines[1].endswith(", version 7")
    assert row(lines, "rmse")[-1] == verdict
    assert lines[-1] == f"Next: {following}"


def test_a_team_that_releases_judges_a_better_model(shown, monkeypatch):
    monkeypatch.setattr(outcome, "level", lambda: 3)
    assert shown("regression", Tracked("not registered", "7", {"rmse": 1e9}))[-1] == "Next: uv run poe judge"


def test_a_served_model_without_the_metric_is_compared_by_hand(shown):
    lines = shown("regression", Tracked("not registered", "7", {}))
    assert row(lines, "rmse")[-2:] != ["-", "-"]
    assert lines[-1].startswith("Next: uv run poe ")


def test_a_result_that_is_served_already_leads_to_the_report(shown):
    lines = shown("regression", Tracked("7", "7", {"rmse": 1.0}))
    assert "which are those of " in lines[1]
    assert lines[-1] == "Next: uv run poe report"


def test_a_server_that_does_not_answer_costs_one_reason(shown):
    lines = shown("regression", Tracked(reason="http://x does not answer"))
    assert lines[1] == "On the test records, without the served model: http://x does not answer"
    lines = shown("regression", Tracked(), away="http://y does not answer")
    assert "http://y does not answer" in lines[1]
    assert not [line for line in lines if line.startswith("Next")]


def test_a_run_that_is_not_tracked_is_tracked_next(shown):
    assert shown("regression", Tracked("not registered"), tracked=False)[-1] == "Next: uv run poe track"
    assert shown("regression", Tracked(), away="no answer", tracked=False)[-1] == "Next: uv run poe track"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "metrics/test.json is not here"),
        ("{", "metrics/test.json cannot be read: "),
        ("[1]", "metrics/test.json is not a JSON object"),
    ],
)
def test_a_missing_or_damaged_file_costs_one_sentence(make, capsys, content, reason):
    file = make("regression") / "metrics" / "test.json"
    file.unlink() if content is None else file.write_text(content, encoding="utf-8")
    outcome.show("no answer")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"train: no figures to compare: {reason}")


def test_a_damaged_baseline_costs_one_sentence_too(make, capsys):
    (make("regression") / "metrics" / "baseline.json").write_text("{", encoding="utf-8")
    outcome.show("no answer")
    assert "baseline.json cannot be read" in capsys.readouterr().out


def test_a_metric_of_the_teams_gets_no_verdict(make, capsys):
    file = make("regression") / "metrics" / "test.json"
    file.write_text(json.dumps({"candidate": "x", "rmse": 1.0, "own": 2.0}), encoding="utf-8")
    outcome.show("no answer")
    assert row(capsys.readouterr().out.splitlines(), "own")[-1] == "-"
    assert load_settings().model_name
