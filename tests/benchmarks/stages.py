"""Benchmark `stages`: `poe train`, which runs stages side by side, beside `dvc repro` in the same project."""

import sys
from collections.abc import Callable
from pathlib import Path

from . import measure

STAGES = 8
EIGHT = f"{STAGES} equal stages, on two cores"
TRAINED = "the default project"
NOTHING = "nothing to do"
# On two cores: 1.8 times as fast as one after the other, and faster for two candidates.
EIGHT_GOAL, TRAINED_GOAL = 1 / 1.8, 1.0
# Seconds that `poe train` may add if nothing has changed.
MORE_GOAL = 0.3
# Seconds of one core, and a file as the result.
WORK = "import sys; sum(number * number for number in range(20_000_000)); open(sys.argv[1], 'w').write('done')"
PIPELINE = f"""\
stages:
  each:
    matrix: {{number: {list(range(STAGES))}}}
    cmd: {Path(sys.executable).as_posix()} work.py ${{item.number}}.txt
    deps: [work.py]
    outs: ["${{item.number}}.txt"]
"""


def compare(workspace: Path, runs: int) -> measure.Comparison:
    """Run both pipelines anew on each side in turn, then with nothing to do."""
    project = workspace / "trained"
    measure.copy(measure.clean_template(workspace, with_package=True), project)
    measure.run("uv", "run", "poe", "setup", cwd=project)
    eight = workspace / "eight"
    eight.mkdir()
    dvc = (measure.script(project / ".venv", "python"), "-m", "dvc")
    measure.run(*dvc, "init", "--no-scm", cwd=eight)
    (eight / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (eight / "work.py").write_text(WORK, encoding="utf-8")

    beside = (dvc[0], "-m", "copier_mlops.pipeline.dvc_cli", "--side-by-side=2", "repro")
    task = ("uv", "run", "poe", "train", "--no-track", "--jobs", "2")

    def ours() -> dict[str, float]:
        return _timed(lambda *more: measure.run(*beside, *more, cwd=eight), project, task)

    def theirs() -> dict[str, float]:
        repro = ("uv", "run", "dvc", "repro")
        return _timed(lambda *more: measure.run(*dvc, "repro", *more, cwd=eight), project, repro)

    template, peer = measure.in_turn("stages", {"poe train": ours, "dvc repro": theirs}, runs)
    return measure.Comparison(
        name="stages",
        about=f"poe train beside dvc repro, all stages anew and then with nothing to do, median of {runs}",
        unit="s",
        ours=template,
        peers=[peer],
        goals=[
            measure.Goal(f"ratio, {EIGHT}", round(EIGHT_GOAL, 2), measure.ratio(template, peer, EIGHT)),
            measure.Goal(f"ratio, {TRAINED}", TRAINED_GOAL, measure.ratio(template, peer, TRAINED)),
            measure.Goal(f"seconds more, {NOTHING}", MORE_GOAL, template.values[NOTHING] - peer.values[NOTHING]),
        ],
    )


def _timed(eight: Callable[..., float], project: Path, task: tuple[str, ...]) -> dict[str, float]:
    """Seconds of each row."""
    return {
        EIGHT: eight("--force"),
        TRAINED: measure.run(*task, "--force", cwd=project),
        NOTHING: measure.run(*task, cwd=project),
    }
