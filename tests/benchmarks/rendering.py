"""Benchmark `render`: what one render costs in the tests, which render every value and every pair of answers."""

import sys
from pathlib import Path

from . import measure

GOAL = 1 / 8
ROW = "one render"


def compare(workspace: Path, runs: int) -> measure.Comparison:
    """Render all rows of the tests, as the tests do, in a process of its own whose start counts as well."""
    from tests.render.answers import CASES

    found = []
    for turn in range(1, runs + 1):
        measure.note(f"render: {len(CASES)} rows of answers, run {turn} of {runs}")
        target = workspace / f"renders-{turn}"
        target.mkdir()
        cpu, _ = measure.cost(sys.executable, "-m", f"{__package__}.rendering", target, cwd=measure.ROOT)
        found.append({ROW: cpu / len(CASES)})

    ours = measure.Side("this template", found)
    rate = 1 / ours.values[ROW]
    return measure.Comparison(
        name="render",
        about=f"CPU, {len(CASES)} rows that hold every pair of answers, median of {runs}: {rate:.1f} a second",
        unit="s",
        ours=ours,
        peers=[],
        goals=[measure.Goal("CPU seconds of a render, 8 a second", GOAL, ours.values[ROW])],
    )


def main(workspace: Path) -> None:
    """Render every row once."""
    from tests.project import copy_project, copy_template
    from tests.render.answers import CASES

    template = copy_template(workspace / "template")
    for number, answers in enumerate(CASES.values()):
        copy_project(template, workspace / f"render-{number}", **answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
