"""Benchmark `lint`: what the lint costs on a fresh project of level 4, beside starting Python."""

import sys
from functools import partial
from pathlib import Path

from . import measure

GOAL = 1.0
# Findings are no failure.
FOUND = (0, 1)
CPU, WALL, DRIFT = "CPU", "wall clock", "CPU with --drift"
HOOK = "wall clock through uv, from outside"


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

    sides = {"the lint": partial(linted, project), "python -c pass": partial(idle, project)}
    ours, peer = measure.in_turn("lint", sides, runs)
    return measure.Comparison(
        name="lint",
        about=f"{count} files of a fresh project of level 4, median of {runs}",
        unit="s",
        ours=ours,
        peers=[peer],
        goals=[measure.Goal("CPU seconds without --drift", GOAL, ours.values[CPU])],
    )


def linted(project: Path) -> dict[str, float]:
    """Seconds of the lint: by itself, from outside the project, and with the drift check."""
    lint = [sys.executable, "-m", "copier_mlops", "lint", "--project", str(project)]
    cpu, wall = measure.cost(*lint, cwd=project, ends=FOUND)
    _, hook = measure.cost("uv", "tool", "run", "--from", measure.ROOT, "mlops", "lint", cwd=project, ends=FOUND)
    drift, _ = measure.cost(*lint, "--drift", cwd=project, ends=FOUND)
    return {CPU: cpu, WALL: wall, HOOK: hook, DRIFT: drift}


def idle(project: Path) -> dict[str, float]:
    """Seconds of a Python that does nothing."""
    cpu, wall = measure.cost(sys.executable, "-c", "pass", cwd=project)
    return {CPU: cpu, WALL: wall}
