"""Leftovers of an update."""

import re
from collections.abc import Iterator

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.fixes import drop_reject, is_merged
from copier_mlops.lint.project import Project

# Files without which no task runs, and the command to run after you decided.
STOPS = {
    "pyproject.toml": ", at which `uv run` stops; decide, then: git add pyproject.toml && uv sync",
    "uv.lock": ", at which `uv run` stops; then: git checkout HEAD -- uv.lock && uv lock",
    "poe_tasks.toml": ", at which `poe` stops; decide, then: git add poe_tasks.toml",
}
# Seven equal signs do not count: in reStructuredText, such a line is the underline of a heading.
MARKER = re.compile(rb"^(<{7}|>{7}|\|{7}) \S", re.MULTILINE)


class ConflictMarker(Check):
    """Markers of a conflict in a text, and files that git lists as unmerged."""

    id = "MLO101"
    name = "conflict-marker"
    page = "leftovers"
    finds = "A line that begins with seven `<`, `>` or `|` and a space, or a file that is in conflict according to git."
    why = (
        "`copier update` ends with 0 even if it leaves conflicts. If you commit them, every tool that reads the file "
        "breaks."
    )
    fix = "Choose one side or combine both, delete the markers, then `git add FILE`."
    example = Example(
        "params.yaml",
        f"{'<' * 7} before updating\nseed: 7\n{'=' * 7}\nseed: 42\n{'>' * 7} after updating\n",
        "seed: 7\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Search all texts for markers, and ask git."""
        for path, content in project.texts():
            if (b"<<<<<<< " in content or b">>>>>>> " in content) and (found := MARKER.search(content)):
                line = content[: found.start()].count(b"\n") + 1
                yield self.found(path, line, f"conflict marker of a merge or an update{STOPS.get(path, '')}")
        for path in sorted(project.listing.unmerged):
            yield self.found(path, 0, "this file is in conflict according to git")


class RejectFile(Check):
    """Files with changes that an update could not apply."""

    id = "MLO102"
    name = "reject-file"
    page = "leftovers"
    finds = "A `.rej` file: it has changes that an update could not apply."
    why = "Until you apply them by hand, a change of yours or of the template is lost."
    fix = (
        "Apply its lines to the file and delete it. `--fix` deletes it if each of its lines, added or kept, is in the "
        "file at least as often as in it. Otherwise `--fix` leaves it."
    )
    fixes_itself = True
    example = Example("git ls-files --others", "README.md.rej\n", "")

    def look(self, project: Project) -> Iterator[Finding]:
        """Report each `.rej` file, and whether it may be deleted."""
        for path in project.files:
            if path.endswith(".rej"):
                fix = drop_reject(project, path) if is_merged(project, path) else None
                said = "all its lines are in the file" if fix else "it may have lines that the file does not have"
                yield self.found(path, 0, f"changes that an update could not apply; {said}", fix)
