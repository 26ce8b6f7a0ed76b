"""A run on an engine, followed: what you see, the exit code, and that nothing is lost."""

import pytest

from copier_mlops.pipeline import apart, dag, follow
from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import EngineAwayError, EngineError, StageState, State
from copier_mlops.pipeline.plan import Plan

NODES = tuple(Node(name, dag.slug(name), (), Resources()) for name in ("first", "train@a"))
WAITING, RUNNING, SUCCEEDED = (StageState(state) for state in (State.WAITING, State.RUNNING, State.SUCCEEDED))
FAILED, SKIPPED, CANCELLED = (StageState(state) for state in (State.FAILED, State.SKIPPED, State.CANCELLED))


class Scripted:
    """An engine that answers what a test tells it; the last answer stays."""

    place = "nowhere"

    def __init__(self, *answers: object) -> None:
        self.answers, self.cancelled = list(answers), 0

    def states(self) -> dict[str, StageState]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return dict(zip(("first", "train@a"), answer, strict=True))

    def log(self, name: str) -> str:
        return "\n".join(f"line {number}" for number in range(100))

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def collected(monkeypatch) -> list[object]:
    """What is brought home; and no pause between questions."""
    found: list[object] = []
    monkeypatch.setattr(apart, "collect", lambda folder, run, partly: found.append((run, partly)) or ["first"])
    monkeypatch.setattr(apart, "pull_results", lambda folder, names, also: found.append((names, also)))
    monkeypatch.setattr(follow, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(follow, "LONGEST_PAUSE", 0.001)
    return found


def followed(engine: Scripted, tmp_path, **more: object) -> follow.Followed:
    return follow.Followed("slurm", Plan("credit", tmp_path, "one", "c" * 40, NODES), engine, ("model",), **more)


def test_each_change_is_a_line_and_the_results_come_home(collected, tmp_path, capsys):
    placed = StageState(State.RUNNING, "node7")
    engine = Scripted((WAITING, WAITING), (placed, WAITING), (placed, WAITING), (SUCCEEDED, RUNNING), (SUCCEEDED,) * 2)
    run = followed(engine, tmp_path)
    assert run.wait() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "stage first: runs (node7)"
    assert lines[1].startswith("stage 1 of 2, first: ended after 0.0 s")
    assert lines[2] == "stage train@a: runs"
    assert len(lines) == 4
    assert collected == [("one", True), (["first"], ("model",))]
    assert run.wait() == 0 and len(collected) == 2


def test_the_log_of_a_stage_that_failed_is_shown(collected, tmp_path, capsys):
    assert followed(Scripted((FAILED, SKIPPED)), tmp_path).wait() == 1
    printed = capsys.readouterr().out
    assert "train: first failed, its last 40 lines:\nfirst | line 60\n" in printed
    assert printed.endswith("train: the run one failed in first: nowhere\n")
    assert "train@a: did not start" in printed
    assert collected


def test_a_run_that_was_cancelled_elsewhere_is_no_success(collected, tmp_path, capsys):
    assert followed(Scripted((SUCCEEDED, CANCELLED)), tmp_path).wait() == 1
    assert "the run one failed in train@a" in capsys.readouterr().out


def test_ctrl_c_cancels_once_and_keeps_what_has_ended(collected, tmp_path, capsys):
    engine = Scripted((RUNNING, WAITING), KeyboardInterrupt())
    run = followed(engine, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run.wait()
    run.cancel()
    assert engine.cancelled == 1
    assert run.wait() == 130
    assert "the run one is cancelled" in capsys.readouterr().out
    assert collected


def test_an_engine_may_be_away_for_a_while(collected, tmp_path, capsys):
    away = EngineAwayError("Slurm does not answer: refused\n  fix: scontrol ping")
    assert followed(Scripted(away, away, away, (SUCCEEDED, SUCCEEDED)), tmp_path).wait() == 0
    printed = capsys.readouterr().out
    assert printed.count("does not answer") == 1
    assert "train: slurm answers again" in printed


def test_an_engine_that_stays_away_leaves_the_run_and_the_way_back(collected, tmp_path):
    run = followed(Scripted(EngineAwayError("Slurm does not answer\n  fix: scontrol ping")), tmp_path, patience=0.01)
    with pytest.raises(SystemExit, match="fix: when it is back: uv run poe train --engine slurm --run one"):
        run.wait()
    assert run.wait() == 1
    assert not collected


def test_results_of_other_code_are_an_error_in_a_sentence(collected, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise EngineError("the results are of other code\n  fix: check out the commit")

    monkeypatch.setattr(apart, "collect", refuse)
    with pytest.raises(SystemExit, match="train: the results are of other code\n  fix: check out"):
        followed(Scripted((SUCCEEDED, SUCCEEDED)), tmp_path).wait()
