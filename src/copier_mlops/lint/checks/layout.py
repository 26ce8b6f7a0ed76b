"""The rooms that every repository of the template has, as far as its level promises them."""

from collections.abc import Iterator

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry


def closed(serving: object) -> set[str]:
    """Return the patterns of the files that come only with a door that nobody asked for."""
    if not isinstance(serving, list):
        return set()
    return {path for name, door in registry("doors").items() if name not in serving for path in door["paths"]}


def rooms(level: int, serving: object) -> dict[str, int]:
    """Return the folders that are there from a level on, derived from the files that levels and doors bring."""
    found: dict[str, int] = {}
    left_out = closed(serving)
    for number, entry in enumerate(registry("levels")[: level + 1]):
        for pattern in entry["managed"] + entry["yours"]:
            if pattern in left_out:
                continue
            *folders, last = pattern.strip("/").split("/")
            is_folder = "." not in last and not last.isupper()
            room = [*folders, last] if is_folder else folders
            if room and not room[0].startswith("."):
                found.setdefault("/".join(room[: 2 if room[0] == "operation" else 1]), number)
    return found


@check("MLO301")
def missing_room(project: Project) -> Iterator[Finding]:
    """A folder of the layout that is not there."""
    for room, number in rooms(project.level, project.answers.get("serving")).items():
        if not any(path.startswith(f"{room}/") for path in project.files):
            name = registry("levels")[number]["name"].lower()
            yield Finding("", 0, "MLO301", f"there is no folder {room}, which level {number}, {name}, brings")
