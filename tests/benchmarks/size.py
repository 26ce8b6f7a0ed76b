"""Benchmark `size`: how much a team gets to read after `copier copy --defaults`."""

from pathlib import Path

import yaml

from . import measure

GOAL = 60
NOT_MEASURED = {
    "cookiecutter-data-science": "the package of `ccds` holds no template: it clones one from a git host at each run",
}


def compare(workspace: Path) -> measure.Comparison:
    """Count files, and the lines of those that people read: data that DVC tracks counts as a file alone."""
    template = measure.clean_template(workspace)
    levels = yaml.safe_load((template / "extensions" / "levels.yml").read_text(encoding="utf-8"))
    found = {}
    for number in range(len(levels)):
        project = workspace / f"sized-{number}"
        measure.note(f"size: render level {number}")
        measure.copy(template, project, "--data", f"maturity_level={number}")
        found |= {f"{name}, level {number}": count for name, count in counted(project).items()}
    default = workspace / "sized"
    measure.copy(template, default)
    ours = measure.Side("this template", [counted(default) | found])
    return measure.Comparison(
        name="size",
        about="the default project, and that of each level; lines without those of data files",
        unit="count",
        ours=ours,
        peers=[measure.Side(name, not_measured=reason) for name, reason in NOT_MEASURED.items()],
        goal=measure.Goal("files", GOAL, ours.values["files"]),
    )


def counted(project: Path) -> dict[str, int]:
    """Files of a project, and the lines that people read."""
    files = measure.files_of(project)
    read = [path for path in files if not path.with_name(f"{path.name}.dvc").is_file()]
    return {"files": len(files), "lines": sum(len(path.read_bytes().splitlines()) for path in read)}
