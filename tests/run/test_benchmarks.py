"""The benchmarks run; what they measure is nobody's test."""

import json
import subprocess
import sys

from tests.project import TEMPLATE
from tests.run.project import clean_environment


def bench(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    return subprocess.run(
        command, cwd=TEMPLATE, env=clean_environment(), capture_output=True, text=True, timeout=600, check=False
    )


def test_size_and_copy_are_measured():
    done = bench("size", "copy", "--runs", "1", "--json")
    assert done.returncode == 0, done.stderr
    copy, size = json.loads(done.stdout)["benchmarks"]
    assert copy["ratios"]["plain files"]
    rendered = (TEMPLATE / "tests" / "render" / "default_files.txt").read_text().split()
    assert size["ours"]["values"]["files, level 2"] == len(rendered)
    states = {goal["what"]: goal["state"] for goal in size["goals"]}
    assert states["stops from git_host to a host's file"] == states["characters of the longest path"] == "met"
    assert states["minutes of .ci/run, by hand with `time .ci/run`"] == "not measured"


def test_the_lint_is_measured():
    done = bench("lint", "--runs", "1")
    assert done.returncode == 0, done.stderr
    assert "goal: CPU seconds without --drift <= 1" in done.stdout


def test_updates_and_renders_are_measured():
    done = bench("update", "render", "--runs", "1", "--json")
    assert done.returncode == 0, done.stderr
    update, render = json.loads(done.stdout)["benchmarks"]
    assert update["ratios"]["plain files"].keys() == {"nothing to do", "a new version"}
    assert update["goals"][0]["value"] == max(update["ratios"]["plain files"].values())
    assert 0 < render["goals"][0]["value"] == render["ours"]["values"]["one render"]


def test_an_unknown_benchmark_is_refused_with_those_that_exist():
    done = bench("speed")
    assert done.returncode == 2
    assert "project" in done.stderr
