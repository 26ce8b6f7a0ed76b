"""Benchmark `size`: how much a team gets to read after `copier copy --defaults`."""

from pathlib import Path

from . import measure

GOAL = 60
NOT_MEASURED = {
    "cookiecutter-data-science": "the package of `ccds` holds no template: it clones one from a git host at each run",
}


def compare(workspace: Path) -> measure.Comparison:
    """Count files, and the lines of those that people read: data that DVC tracks counts as a file alone."""
    project = workspace / "sized"
    measure.note("size: render the default project")
    measure.copy(measure.clean_template(workspace), project)
    files = measure.files_of(project)
    read = [path for path in files if not path.with_name(f"{path.name}.dvc").is_file()]
    ours = measure.Side(
        "this template", {"files": len(files), "lines": sum(len(path.read_bytes().splitlines()) for path in read)}
    )
    return measure.Comparison(
        name="size",
        about="the default project; lines without those of data files",
        unit="count",
        ours=ours,
        peers=[measure.Side(name, not_measured=reason) for name, reason in NOT_MEASURED.items()],
        goal=measure.Goal("files", GOAL, ours.values["files"]),
    )
