"""The template: how far the project is from it. Only `--drift` and `--updates` import copier, which is slow."""

import itertools
import json
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

from copier_mlops.command import CommandError, run
from copier_mlops.lint.check import WARNING, Check, Example
from copier_mlops.lint.finding import Finding, LintError
from copier_mlops.lint.project import ANSWERS, Project
from copier_mlops.lint.reading import parse
from copier_mlops.lint.retired import retired, uses
from copier_mlops.registry import team_files

# Managed files to which a team adds lines: the template's lines must still be there.
SHARED = {".gitignore", ".pre-commit-config.yaml", "poe_tasks.toml", "pyproject.toml", "ruff.toml"}
SECONDS = 120


def is_managed(names: list[str]) -> list[str]:
    """Return those files that updates change."""
    from pathspec import GitIgnoreSpec

    yours = GitIgnoreSpec.from_lines(itertools.chain.from_iterable(team_files()))
    return sorted(set(names) - set(yours.match_files(names)))


def is_address(text: object) -> TypeGuard[str]:
    """Return whether git can safely get this: it is not an option, and not a transport that runs a command."""
    return isinstance(text, str) and bool(text.strip()) and not text.startswith("-") and "::" not in text


@cache
def rendered(project: Project) -> dict[str, bytes] | str:
    """Return the managed files as the template renders them from the answers, or why it cannot render."""
    source, commit = project.answers.get("_src_path"), project.answers.get("_commit")
    if not is_address(source) or not is_address(commit):
        return "the answers file does not name a template and its version"
    answers = {name: value for name, value in project.answers.items() if not name.startswith("_")}
    try:
        import copier
    except ImportError:
        raise LintError("--drift needs copier: `uv run poe drift` has it, or install copier-mlops[lint]") from None
    with tempfile.TemporaryDirectory(prefix="copier-mlops-lint-", ignore_cleanup_errors=True) as folder:
        target = Path(folder, project.root.name or "project")
        options: dict[str, Any] = {"defaults": True, "quiet": True, "unsafe": False, "settings": copier.Settings()}
        try:
            with warnings.catch_warnings(action="ignore"):
                copier.run_copy(source, target, data=answers, vcs_ref=commit, **options)
        except Exception as error:  # of copier, git or the file system: each is a reason
            return (str(error).strip().splitlines() or [type(error).__name__])[0]
        found = (each for each in target.rglob("*") if each.is_file() and not each.is_symlink())
        contents = {each.relative_to(target).as_posix(): each.read_bytes() for each in found}
    return {name: contents[name] for name in is_managed(list(contents))}


def diffstat(before: bytes, after: bytes) -> tuple[int, int]:
    """Return how many lines were added and deleted; lines that moved count as neither."""
    one, two = Counter(before.splitlines()), Counter(after.splitlines())
    return (two - one).total(), (one - two).total()


def differences(project: Project) -> Iterator[tuple[str, str]]:
    """Yield the managed files that somebody edited, except the answers file, and how many lines differ."""
    found = rendered(project)
    for path, content in found.items() if isinstance(found, dict) else ():
        now = project.read(path)
        if now is None or path == ANSWERS:
            continue
        added, deleted = diffstat(content, now)
        is_moved = path not in SHARED and content.splitlines() != now.splitlines()
        if deleted or is_moved:
            yield path, f"+{added} -{deleted} lines"


class TemplateDrift(Check):
    """A managed file that differs; one that the package replaced is MLO805."""

    id = "MLO801"
    name = "template-drift"
    severity = WARNING
    page = "template"
    needs = "--drift"
    finds = (
        "A managed file that differs from what the template renders from the answers. In files to which teams add "
        "lines, only lost lines count. In the answers file, what copier would not have written counts."
    )
    why = (
        "An update must merge each difference. If nobody remembers one, it becomes a conflict that nobody understands."
    )
    fix = "If you want the difference, keep it. Otherwise, restore the template's file with `copier recopy`."
    example = Example("ruff.toml", "line-length = 100\n", "line-length = 120\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare each managed file with its render."""
        found = rendered(project)
        if isinstance(found, dict) and ANSWERS in found and ANSWERS in project.files:
            yield from self.edited_answers(project, found[ANSWERS])
        for path, changed in differences(project):
            if path not in retired():
                yield self.found(path, 0, f"differs from the template: {changed}")

    def edited_answers(self, project: Project, content: bytes) -> Iterator[Finding]:
        """Yield answers that copier would not have written: without a question, or not what other answers lead to."""
        written = parse(content)
        for name in sorted(project.answers.keys() | written.keys()):
            if not name.startswith("_") and project.answers.get(name) != written.get(name):
                said = f"{name} is not what copier writes from the answers: the file was edited by hand"
                yield self.found(ANSWERS, project.line_of(ANSWERS, f"^{re.escape(name)}:"), said)


class ManagedFileMissing(Check):
    """A managed file that is not there."""

    id = "MLO802"
    name = "managed-file-missing"
    severity = WARNING
    page = "template"
    needs = "--drift"
    finds = "A managed file that the template renders from the answers and that the project does not have."
    why = "Updates do not bring back what you deleted."
    fix = "If you want it so, leave it. Otherwise, run `copier recopy`."
    example = Example("git status", "deleted:    .pre-commit-config.yaml\n", "nothing to commit, working tree clean\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Look for each rendered file."""
        found = rendered(project)
        for path in found if isinstance(found, dict) else ():
            if path not in project.files and not (project.root / path).is_file():
                yield self.found("", 0, f"{path}, which the template has, is not there")


class TemplateUnrenderable(Check):
    """A template that cannot be rendered with these answers."""

    id = "MLO803"
    name = "template-unrenderable"
    page = "template"
    needs = "--drift"
    finds = "The template cannot be reached, or it does not render at the recorded version with the recorded answers."
    why = "The next update stops there, too."
    fix = "Read the message: often somebody edited an answer, or the template moved to another address."
    example = Example(
        ".copier-answers.yml",
        "_src_path: /home/ada/copier-mlops\n",
        "_src_path: https://git.example.org/ml/copier-mlops\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Render, and report why it failed."""
        found = rendered(project)
        if isinstance(found, str):
            yield self.found(ANSWERS, 0, f"the template cannot be rendered with these answers: {found}")


class UpdateWaiting(Check):
    """A newer version of the template."""

    id = "MLO804"
    name = "update-waiting"
    severity = WARNING
    page = "template"
    needs = "--updates"
    finds = "The template has a newer version, or could not be asked."
    why = "Small updates merge; large ones conflict."
    fix = "`copier update`, then `uv run poe setup`. From level 3 on, the task `template-update` proposes it."
    example = Example(".copier-answers.yml", "_commit: 0.2.0  # the template has 0.3.0\n", "_commit: 0.3.0\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Ask copier, which asks the template's git."""
        if not is_address(project.answers.get("_src_path")):
            return
        # -P: without it, Python would import a copier.py of the project.
        command = (sys.executable, "-P", "-m", "copier", "check-update", "--output-format", "json", str(project.root))
        try:
            said = json.loads(run(*command, cwd=project.root, timeout=SECONDS))
        except (CommandError, OSError, ValueError):
            yield self.found(ANSWERS, 0, "the template could not be asked for a newer version")
            return
        if said.get("update_available"):
            versions = f"{said.get('current_version')} to {said.get('latest_version')}"
            yield self.found(ANSWERS, project.line_of(ANSWERS, "^_commit:"), f"a newer template waits: {versions}")


class MachineryEdited(Check):
    """A file that somebody edited and that the next version deletes."""

    id = "MLO805"
    name = "machinery-edited"
    severity = WARNING
    page = "template"
    needs = "--drift"
    finds = (
        "A file of a project of 0.1.0 or 0.2.0, for example `operation/execution/track.py`, that somebody edited. The "
        "next version deletes it, since the package does its work."
    )
    why = (
        "`copier update` deletes such a file even if you edited it. Git still has it, but nobody tells you what was "
        "lost."
    )
    fix = (
        "Before `copier update`, move your changes into a file of your own, or to the replacement that the finding "
        "names."
    )
    example = Example(
        "operation/execution/track.py",
        'mlflow.set_tag("team", "ours")  # your line\n',
        "# as version 0.2.0 wrote it; your line is in src/my_package/tags.py\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Report the differences in files that the package replaced."""
        for path, changed in differences(project):
            if path in retired():
                said = f"somebody edited it ({changed}), and the next version deletes it; what replaces it is"
                yield self.found(path, 0, f"{said} {retired()[path]}")


class MachineryNeeded(Check):
    """A line of the team's own that names a file which the next version deletes."""

    id = "MLO806"
    name = "machinery-needed"
    severity = WARNING
    page = "template"
    needs = "--drift"
    finds = (
        "A line of your own code, tasks or settings that names a file which the next version deletes, for example "
        "`from operation.execution import charts`."
    )
    why = "After the update, the import fails or the path leads nowhere."
    fix = "Right after `copier update`, use the replacement. Until then, the lint calls the line MLO903."
    example = Example(
        "notebooks/look.py",
        "from operation.execution import charts\n",
        "from copier_mlops.reporting import charts\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Search for those names in lines that the template did not write."""
        found = rendered(project)
        if not isinstance(found, dict) or not found.keys() & retired().keys():
            return
        for use in uses(project):
            text = (project.read(use.path) or b"").splitlines()[use.line - 1]
            if text not in found.get(use.path, b"").splitlines():
                said = f"the next version deletes {use.name}; what replaces it is {use.replacement}"
                yield self.found(use.path, use.line, said)
