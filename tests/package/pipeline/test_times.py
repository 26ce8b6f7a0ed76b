"""The times of stages: what a pipeline says while DVC runs it, with a real DVC."""

import subprocess
import sys

import pytest
import yaml

from copier_mlops.pipeline import times

PIPELINE = """\
stages:
  first:
    cmd: python -c "open('first.txt', 'w').write('1')"
    params: [depth]
    outs: [first.txt]
  each:
    matrix: {letter: [a, b]}
    cmd: python -c "open('${item.letter}.txt', 'w').write('2')"
    deps: [first.txt]
    outs: ["${item.letter}.txt"]
"""


@pytest.fixture
def repro(tmp_path):
    """Run DVC in a repository with a small pipeline, and return its exit code and the lines that it prints."""
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], cwd=tmp_path, check=True)
    (tmp_path / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (tmp_path / "params.yaml").write_text("depth: 1\n", encoding="utf-8")

    def run(*options: str) -> tuple[int, list[str]]:
        command = [sys.executable, "-m", "copier_mlops.pipeline.dvc_cli", "repro", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()

    return run


def said(lines: list[str]) -> list[str]:
    """The lines about time, without the numbers."""
    found = [line for line in lines if line.endswith(" s")]
    return [line.rpartition(" ")[0].rpartition(" ")[0] for line in found]


def test_each_stage_says_its_time_once_and_the_end_the_sum(repro, tmp_path):
    code, lines = repro()
    assert code == 0
    first = ["stage 1 of 3, first:", "stage 2 of 3, each@a:", "stage 3 of 3, each@b:", "3 of 3 stages ran, in"]
    assert said(lines) == first
    assert lines.index("Running stage 'first':") < lines.index(next(line for line in lines if "1 of 3" in line))
    assert said(repro()[1]) == []
    (tmp_path / "params.yaml").write_text("depth: 2\n", encoding="utf-8")
    _, lines = repro()
    assert "Stage 'each@a' didn't change, skipping" in lines
    assert said(lines) == ["stage 1 of 3, first:", "1 of 3 stages ran, in"]


def test_a_part_of_the_pipeline_has_no_total_and_a_quiet_or_dry_one_no_times(repro):
    assert said(repro("first")[1]) == ["stage first:", "1 stage ran, in"]
    assert said(repro("--force", "--dry")[1]) == []
    assert said(repro("--force", "--quiet")[1]) == []


def test_a_stage_that_fails_ends_with_the_code_of_dvc_and_no_sum(repro, tmp_path):
    broken = PIPELINE.replace("open('${item.letter}.txt', 'w').write('2')", "raise SystemExit(3)")
    (tmp_path / "dvc.yaml").write_text(broken, encoding="utf-8")
    code, lines = repro()
    assert code == 255
    assert said(lines) == ["stage 1 of 3, first:"]


@pytest.mark.parametrize(
    ("stages", "number"),
    [
        ("{a: {cmd: x}, b: {foreach: [1, 2, 3], do: {cmd: x}}}", 4),
        ("{a: {foreach: {x: 1, y: 2}, do: {cmd: x}}}", 2),
        ("{a: {matrix: {x: [1, 2], y: [1, 2, 3]}}}", 6),
        ("{a: {matrix: {x: '${letters}'}}}", 0),
        ("{a: {foreach: '${letters}'}}", 0),
        ("{a: {matrix: 1}}", 0),
        ("{a: 1}", 0),
        ("[]", 0),
    ],
)
def test_stages_are_counted_as_dvc_does(stages, number):
    assert times.count({"stages": yaml.safe_load(stages)}) == number


def test_a_time_is_spoken():
    spoken = [times.spoken(each) for each in (0, 59.94, 59.96, 125.4, 3600 * 2 + 62)]
    assert spoken == ["0.0 s", "59.9 s", "1 min 0 s", "2 min 5 s", "2 h 1 min"]
