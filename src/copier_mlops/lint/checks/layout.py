"""The folders that every repository of the template has, as far as its level brings them."""

from collections.abc import Iterator

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry, team_files


def not_chosen(serving: object) -> set[str]:
    """Return the patterns of the files that come only with a serving mode that was not chosen."""
    if not isinstance(serving, list):
        return set()
    return {path for name, mode in registry("serving").items() if name not in serving for path in mode["paths"]}


def promised(level: int, serving: object) -> dict[str, int]:
    """Return each folder that a level has, with the level that brings it; levels and serving modes list the files."""
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


class FolderMissing(Check):
    """A folder of the layout that is not there."""

    id = "MLO301"
    name = "folder-missing"
    old_names = ("room-missing",)
    page = "layout"
    finds = "A folder of the layout, as far as your level brings it, that has no file."
    why = "Tasks, pipelines and updates expect things at their place in the layout."
    fix = "Restore it from git, or move its files back."
    example = Example("ls", "analysis  data  docs  operation  src\n", "data  docs  notebooks  operation  src\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Report each folder that no file is in."""
        for folder, number in promised(project.level, project.answers.get("serving")).items():
            if not any(path.startswith(f"{folder}/") for path in project.files):
                name = registry("levels")[number]["name"].lower()
                yield self.found("", 0, f"there is no folder {folder}, which level {number}, {name}, brings")
