"""The picture of a run: live in a terminal, and in the record that the report draws."""

import os
import subprocess
import sys

import pytest

from copier_mlops.pipeline import record
from copier_mlops.pipeline.engines import State
from copier_mlops.pipeline.live import Picture
from copier_mlops.pipeline.record import StageRecord
from tests.package.pipeline.conftest import step
from tests.package.pipeline.test_parallel import fill

LINES, COLUMNS = 60, 120


def on_terminal(pipeline, *options: str) -> list[str]:
    """Run a pipeline in a terminal, and return the lines that are there at the end."""
    import pty

    import pyte

    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    command = [*pipeline.command(2), *options]
    with subprocess.Popen(command, cwd=pipeline.path, env=environment, stdout=follower, stderr=follower) as process:
        os.close(follower)
        screen = pyte.Screen(COLUMNS, LINES)
        stream = pyte.ByteStream(screen)
        while True:
            try:
                printed = os.read(leader, 65536)
            except OSError:  # its end, on Linux
                break
            if not printed:
                break
            stream.feed(printed)
        process.wait(timeout=60)
    os.close(leader)
    return [line.rstrip() for line in screen.display if line.strip()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_a_terminal_shows_each_stage_once_with_its_state_and_time(pipeline):
    lines = on_terminal(fill(pipeline))
    shown = [line.split()[:2] for line in lines if line.split()[0] in "·▶✓✗-"]
    names = ["first", "each@b", "each@a", "last", "measure", "lone", "below"]
    assert sorted(shown) == sorted(["✓", name] for name in names)
    assert any(line.startswith("  ✓ each@a ") and line.endswith(" s") for line in lines)
    assert "each@a | a has read ['first.txt']" in lines
    assert "Running stage 'each@a':" in lines


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_a_terminal_shows_which_stage_failed(pipeline):
    pipeline.write({"bad": {"cmd": 'python -c "raise SystemExit(3)"', "outs": ["bad.txt"]}, "good": step("good")})
    lines = on_terminal(pipeline, "--keep-going")
    assert any(line.startswith("✗ bad ") for line in lines)
    assert any(line.startswith("✓ good ") for line in lines)


def test_a_stage_is_below_those_that_it_needs():
    picture = Picture({"a": (), "b": ("a",), "c": ("a", "b"), "d": ()})
    assert picture.depth == {"a": 0, "b": 1, "c": 2, "d": 0}
    picture.set("b", State.RUNNING, "node7")
    picture.set("data.dvc", State.SUCCEEDED)
    assert picture.states["b"].place == "node7" and "data.dvc" not in picture.states


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_ran_is_recorded_and_what_did_not_keeps_its_record(pipeline, jobs):
    pipeline.write({"slow": step("slow", seconds=0.3), "next": step("next", "slow.txt"), "lone": step("lone")})
    pipeline.run(jobs=jobs)
    first = record.read(pipeline.path)
    assert first.keys() == {"slow", "next", "lone"}
    assert 0.3 <= first["slow"].seconds < 30 and first["slow"].place and not first["slow"].failed
    pipeline.write(
        {"slow": step("slow", seconds=0.3), "next": step("next", "slow.txt"), "lone": step("lone", seconds=0.1)}
    )
    pipeline.run(jobs=jobs)
    second = record.read(pipeline.path)
    assert {name for name in first if first[name] != second[name]} == {"lone"}


def test_a_stage_that_failed_is_recorded(pipeline):
    pipeline.write({"bad": {"cmd": 'python -c "raise SystemExit(3)"', "outs": ["bad.txt"]}})
    pipeline.run(jobs=1, fails=True)
    assert record.read(pipeline.path)["bad"].failed


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": {"hours": 1}}', '{"a": 1}'])
def test_a_record_that_is_damaged_is_as_none(tmp_path, text):
    (tmp_path / "build").mkdir()
    (tmp_path / record.FILE).write_text(text, encoding="utf-8")
    assert record.read(tmp_path) == {}
    record.add(tmp_path, {"a": StageRecord.now(1.5)})
    assert record.read(tmp_path)["a"].seconds == 1.5
