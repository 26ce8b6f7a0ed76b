"""Benchmark `copy`: what the interview and the Jinja tags cost, beside copying the same files as they are."""

import shutil
from functools import partial
from pathlib import Path

from . import measure

GOAL = 1.15
ROW = "copier copy"
# No rendered file ends like this, so copier renders none of them.
VERBATIM = "_subdirectory: files\n_templates_suffix: .rendered-by-nobody\n"


def compare(workspace: Path, runs: int) -> measure.Comparison:
    """Copy the template and its own rendered files in turn; both sources are plain folders, without git."""
    template = measure.clean_template(workspace)
    rendered = workspace / "rendered"
    measure.note("copy: render once, for the files of the other side")
    measure.copy(template, rendered)
    plain = workspace / "plain"
    shutil.copytree(rendered, plain / "files")
    (plain / "copier.yml").write_text(VERBATIM, encoding="utf-8")

    expected = _sizes(rendered)
    sources = {"this template": template, "plain files": plain}
    sides = {name: partial(copied, source, workspace / "copied", expected) for name, source in sources.items()}
    ours, peer = measure.in_turn("copy", sides, runs)
    return measure.Comparison(
        name="copy",
        about=f"{len(expected)} files into an empty folder, whole process, median of {runs}; both from plain folders",
        unit="s",
        ours=ours,
        peers=[peer],
        goals=[measure.Goal("ratio to plain files", GOAL, measure.ratio(ours, peer, ROW))],
    )


def copied(source: Path, target: Path, expected: dict[str, int]) -> dict[str, float]:
    """Seconds of one copy, which is then deleted.

    Raises:
        BenchmarkError: It did not give the files that it should.
    """
    target.mkdir()
    seconds = measure.copy(source, target)
    if differing := expected.items() ^ _sizes(target).items():
        paths = ", ".join(sorted({path for path, _ in differing}))
        raise measure.BenchmarkError(f"copy: {source.name} did not give the same files: {paths}")
    shutil.rmtree(target)
    return {ROW: seconds}


def _sizes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in measure.files_of(folder)}
