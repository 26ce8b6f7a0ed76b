"""What an update left behind."""

import re
from collections.abc import Iterator

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.fixes import drop_reject, is_merged
from copier_mlops.lint.project import Project

# A line of equal signs alone is a heading of reStructuredText: it counts between the other two only.
# What runs nothing any more, and the command that follows the decision.
STOPS = {
    "pyproject.toml": ", at which `uv run` stops; decide, then: git add pyproject.toml && uv sync",
    "uv.lock": ", at which `uv run` stops; then: git checkout HEAD -- uv.lock && uv lock",
    "poe_tasks.toml": ", at which `poe` stops; decide, then: git add poe_tasks.toml",
}
MARKER = re.compile(rb"^(<{7}|>{7}|\|{7}) \S", re.MULTILINE)


@check("MLO101")
def conflict_markers(project: Project) -> Iterator[Finding]:
    """Markers in a text, and files that git itself holds to be in conflict."""
    for path, content in project.texts():
        if (b"<<<<<<< " in content or b">>>>>>> " in content) and (found := MARKER.search(content)):
            line = content[: found.start()].count(b"\n") + 1
            yield Finding(path, line, "MLO101", f"conflict marker of a merge or an update{STOPS.get(path, '')}")
    for path in sorted(project.listing.unmerged):
        yield Finding(path, 0, "MLO101", "git holds this file to be in conflict")


@check("MLO102")
def reject_files(project: Project) -> Iterator[Finding]:
    """Files with changes that an update could not apply."""
    for path in project.files:
        if path.endswith(".rej"):
            fix = drop_reject(project, path) if is_merged(project, path) else None
            said = "all its lines are in the file" if fix else "it may hold lines that the file has not"
            yield Finding(path, 0, "MLO102", f"changes that an update could not apply; {said}", fix)
