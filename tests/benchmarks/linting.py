"""Benchmark `lint`: what the lint costs on a fresh project of level 4, beside starting Python."""

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from . import measure

GOAL = 1.0
CPU, HOOK, DRIFT = "CPU", "wall clock: what a hook waits for", "CPU with --drift"


def compare(workspace: Path, runs: int) -> measure.Comparison:
    """Lint in turn with starting a Python that does nothing, which no check in Python can be faster than."""
    history = measure.clean_template(workspace)
    project = workspace / "linted"
    measure.note("lint: render a project of level 4 and commit it, as its template is")
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "Template"],
        ["tag", "1.0.0"],
    ):
        measure.run("git", *command, cwd=history)
    level = ("--data", "maturity_level=4")
    measure.run(sys.executable, "-m", "copier", "copy", "--defaults", *level, history, project, cwd=workspace)
    count = len(measure.files_of(project))
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Project"]):
        measure.run("git", *command, cwd=project)

    lint = [sys.executable, "-m", "copier_mlops_lint", "--project", str(project)]
    found: dict[str, list[dict[str, float]]] = {"the lint": [], "python -c pass": []}
    for turn in range(runs + 1):
        measure.note("lint: " + (f"run {turn} of {runs}" if turn else "warm-up"))
        cpu, wall = seconds(lint)
        floor, floor_wall = seconds([sys.executable, "-c", "pass"])
        drift, _ = seconds([*lint, "--drift"])
        if turn:
            found["the lint"].append({CPU: cpu, HOOK: wall, DRIFT: drift})
            found["python -c pass"].append({CPU: floor, HOOK: floor_wall})

    ours, peer = (measure.Side(name, measure.medians(each)) for name, each in found.items())
    return measure.Comparison(
        name="lint",
        about=f"{count} files of a fresh project of level 4, median of {runs}",
        unit="s",
        ours=ours,
        peers=[peer],
        goal=measure.Goal("CPU seconds without --drift", GOAL, ours.values[CPU]),
    )


def seconds(command: list[str]) -> tuple[float, float]:
    """CPU and wall clock of a command and of what it starts; findings are no failure.

    Raises:
        BenchmarkError: It ended with an error of its own.
    """
    before, start = os.times(), perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    wall, after = perf_counter() - start, os.times()
    if done.returncode not in (0, 1):
        raise measure.BenchmarkError(f"lint: {' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, wall
