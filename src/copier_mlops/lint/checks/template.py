"""How far the project is from its template. Copier is imported here, and only where it is asked for."""

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
from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding, LintError
from copier_mlops.lint.project import ANSWERS, Project
from copier_mlops.lint.reading import parse
from copier_mlops.lint.retired import retired, uses
from copier_mlops.registry import team_files

# Managed files that a team adds to: what the template wrote must still be there, more may.
SHARED = {".gitignore", ".pre-commit-config.yaml", "poe_tasks.toml", "pyproject.toml", "ruff.toml"}
SECONDS = 120


def is_managed(names: list[str]) -> list[str]:
    """Those files that flow with updates."""
    from pathspec import GitIgnoreSpec

    yours = GitIgnoreSpec.from_lines(itertools.chain.from_iterable(team_files()))
    return sorted(set(names) - set(yours.match_files(names)))


def is_address(text: object) -> TypeGuard[str]:
    """Whether git can be given this: no option of a command, and no transport that runs one."""
    return isinstance(text, str) and bool(text.strip()) and not text.startswith("-") and "::" not in text


@cache
def rendered(project: Project) -> dict[str, bytes] | str:
    """The managed files as the template renders them now from the answers, or why it cannot."""
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
        except Exception as error:  # copier's, git's and the file system's: each is a reason
            return (str(error).strip().splitlines() or [type(error).__name__])[0]
        found = (each for each in target.rglob("*") if each.is_file() and not each.is_symlink())
        contents = {each.relative_to(target).as_posix(): each.read_bytes() for each in found}
    return {name: contents[name] for name in is_managed(list(contents))}


def diffstat(before: bytes, after: bytes) -> tuple[int, int]:
    """How many lines came and how many went; lines that moved did neither."""
    one, two = Counter(before.splitlines()), Counter(after.splitlines())
    return (two - one).total(), (one - two).total()


@check("MLO801")
def drift(project: Project) -> Iterator[Finding]:
    """A managed file that differs; one that the package replaced is MLO805."""
    found = rendered(project)
    if isinstance(found, dict) and ANSWERS in found and ANSWERS in project.files:
        yield from edited(project, found[ANSWERS])
    for path, changed in differences(project):
        if path not in retired():
            yield Finding(path, 0, "MLO801", f"differs from the template: {changed}")


def differences(project: Project) -> Iterator[tuple[str, str]]:
    """Yield the managed files, without that of the answers, which somebody edited, and by how many lines."""
    found = rendered(project)
    for path, content in found.items() if isinstance(found, dict) else ():
        now = project.read(path)
        if now is None or path == ANSWERS:
            continue
        came, went = diffstat(content, now)
        is_moved = path not in SHARED and content.splitlines() != now.splitlines()
        if went or is_moved:
            yield path, f"+{came} -{went} lines"


def edited(project: Project, content: bytes) -> Iterator[Finding]:
    """Answers that copier would not have written: of no question, or not what they lead to."""
    written = parse(content)
    for name in sorted(project.answers.keys() | written.keys()):
        if not name.startswith("_") and project.answers.get(name) != written.get(name):
            said = f"{name} is not what copier writes from the answers: the file was edited by hand"
            yield Finding(ANSWERS, project.line_of(ANSWERS, f"^{re.escape(name)}:"), "MLO801", said)


@check("MLO802")
def missing(project: Project) -> Iterator[Finding]:
    """A managed file that is not there."""
    found = rendered(project)
    for path in found if isinstance(found, dict) else ():
        if path not in project.files and not (project.root / path).is_file():
            yield Finding("", 0, "MLO802", f"{path}, which the template has, is not there")


@check("MLO803")
def unrenderable(project: Project) -> Iterator[Finding]:
    """A template that cannot be rendered with these answers."""
    found = rendered(project)
    if isinstance(found, str):
        yield Finding(ANSWERS, 0, "MLO803", f"the template cannot be rendered with these answers: {found}")


@check("MLO804")
def update(project: Project) -> Iterator[Finding]:
    """A newer version of the template."""
    if not is_address(project.answers.get("_src_path")):
        return
    # -P: without it, Python would import a copier.py of the project.
    command = (sys.executable, "-P", "-m", "copier", "check-update", "--output-format", "json", str(project.root))
    try:
        said = json.loads(run(*command, cwd=project.root, timeout=SECONDS))
    except (CommandError, OSError, ValueError):
        yield Finding(ANSWERS, 0, "MLO804", "the template could not be asked for a newer version")
        return
    if said.get("update_available"):
        versions = f"{said.get('current_version')} to {said.get('latest_version')}"
        yield Finding(ANSWERS, project.line_of(ANSWERS, "^_commit:"), "MLO804", f"a newer template waits: {versions}")


@check("MLO805")
def machinery_edited(project: Project) -> Iterator[Finding]:
    """A file that somebody edited and that the next version deletes."""
    for path, changed in differences(project):
        if path in retired():
            said = f"somebody edited it ({changed}), and the next version deletes it; what replaces it is"
            yield Finding(path, 0, "MLO805", f"{said} {retired()[path]}")


@check("MLO806")
def machinery_needed(project: Project) -> Iterator[Finding]:
    """A line of the team's own that names a file which the next version deletes."""
    found = rendered(project)
    if not isinstance(found, dict) or not found.keys() & retired().keys():
        return
    for use in uses(project):
        text = (project.read(use.path) or b"").splitlines()[use.line - 1]
        if text not in found.get(use.path, b"").splitlines():
            said = f"the next version deletes {use.name}; what replaces it is {use.replacement}"
            yield Finding(use.path, use.line, "MLO806", said)
