"""The folders that every repository of the template has, as far as its level promises them."""

from collections.abc import Iterator

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry, team_files


def not_chosen(serving: object) -> set[str]:
    """Return the patterns of the files that come only with a serving mode that was not chosen."""
    if not isinstance(serving, list):
        return set()
    return {path for name, mode in registry("serving").items() if name not in serving for path in mode["paths"]}


def promised(level: int, serving: object) -> dict[str, int]:
    """Return the folders that are there from a level on, derived from the files that levels and serving modes bring."""
    found: dict[str, int] = {}
    left_out = not_chosen(serving)
    for number, entry in enumerate(registry("levels")[: level + 1]):
        for pattern in entry["managed"] + team_files()[number]:
            if pattern in left_out:
                continue
            *parents, last = pattern.strip("/").split("/")
            is_folder = "." not in last and not last.isupper()
            folder = [*parents, last] if is_folder else parents
            if folder and not folder[0].startswith("."):
                found.setdefault("/".join(folder[: 2 if folder[0] == "operation" else 1]), number)
    return found


@check("MLO301")
def missing_folder(project: Project) -> Iterator[Finding]:
    """A folder of the layout that is not there."""
    for folder, number in promised(project.level, project.answers.get("serving")).items():
        if not any(path.startswith(f"{folder}/") for path in project.files):
            name = registry("levels")[number]["name"].lower()
            yield Finding("", 0, "MLO301", f"there is no folder {folder}, which level {number}, {name}, brings")
