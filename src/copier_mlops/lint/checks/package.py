"""The package that does the work of the tasks: its pin in pyproject.toml, and what is left of the files it replaced."""

import re
from collections.abc import Iterator
from typing import Any

from copier_mlops.lint import kustomize
from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project, subtable
from copier_mlops.lint.retired import left, retired, uses

FILE, NAME = "pyproject.toml", "copier-mlops"
REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(.*)", re.DOTALL)
# What bounds a version from above.
BOUND = re.compile(r"<|~=|==")
SHORTHANDS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}


def requirements(project: Project) -> list[str]:
    """Return what pyproject.toml says behind the name of the package, each time that it names it."""
    table = project.toml(FILE)
    of_project, groups = subtable(table, "project"), subtable(table, "dependency-groups")
    lists = [of_project.get("dependencies"), *subtable(of_project, "optional-dependencies").values(), *groups.values()]
    found = []
    for entry in (each for some in lists if isinstance(some, list) for each in some if isinstance(each, str)):
        named = REQUIREMENT.fullmatch(entry)
        if named and _normal(named[1]) == NAME:
            found.append(named[2])
    return found


def sources(project: Project) -> list[dict[str, Any]]:
    """Return where uv takes the package from, as `[tool.uv.sources]` says; one table for each marker."""
    listed = subtable(subtable(subtable(project.toml(FILE), "tool"), "uv"), "sources")
    found: Any = next((value for name, value in listed.items() if _normal(name) == NAME), [])
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def follows(project: Project) -> bool:
    """Return whether the project runs the package, so that it has no machinery of its own."""
    return bool(requirements(project)) or has_tasks(project)


def has_tasks(project: Project) -> bool:
    """Return whether a task of the project is one of the package."""
    return b'"mlops ' in (project.read("poe_tasks.toml") or b"")


def fix(project: Project) -> str:
    """Return the lines that pin the package to where the project came from, and the command that comes after them."""
    source, commit = (str(project.answers.get(name) or "") for name in ("_src_path", "_commit"))
    for short, address in SHORTHANDS.items():
        source = source.replace(short, address, 1) if source.startswith(short) else source
    # `git describe` of a version between two tags ends with the commit.
    commit = re.sub(r"^.*-g(?=[0-9a-f]+$)", "", commit)
    source = source.removeprefix("git+")
    if not source:
        return f"restore the line of {NAME} below [tool.uv.sources] from git, then: uv sync"
    is_git = "://" in source or source.startswith("git@")
    place = f'{{ git = "{source}", rev = "{commit}" }}' if is_git else f'{{ path = "{source}" }}'
    return f"write `{NAME} = {place}` below [tool.uv.sources], then: uv sync"


@check("MLO901")
def unpinned(project: Project) -> Iterator[Finding]:
    """A package that could be another one tomorrow, or that nobody asks for."""
    named, taken = requirements(project), sources(project)
    line = project.line_of(FILE, rf"^[^#\n]*\b{NAME}\b(?!-)")
    if not named:
        if has_tasks(project) and FILE not in project.problems:
            said = f"the tasks run `mlops`, but no dependency is {NAME}; {_restore(project)}"
            yield Finding(FILE if FILE in project.files else "", line, "MLO901", said)
        return
    if project.answers.get("package_index") is True and not taken:
        if not any(BOUND.search(each) for each in named):
            said = f"{NAME} comes from an index without a bound on its version; write one, `>=1.2.0,<1.3` for example"
            yield Finding(FILE, line, "MLO901", f"{said}, then: uv sync")
    elif not taken and not any(each.startswith("@") for each in named):
        said = f"{NAME} has no pin, so that uv asks an index that anybody may publish to"
        yield Finding(FILE, line, "MLO901", f"{said}; {fix(project)}")
    elif any("git" in each and not each.get("rev") and not each.get("tag") for each in taken):
        yield Finding(
            FILE, line, "MLO901", f"{NAME} is pinned to no commit, so that it changes by itself; {fix(project)}"
        )


def _restore(project: Project) -> str:
    return f'write `"{NAME}"` among the dependencies, and {fix(project)}'


@check("MLO902")
def machinery_left(project: Project) -> Iterator[Finding]:
    """A file that the package replaced."""
    if follows(project):
        for path, replacement in left(project):
            yield Finding(path, 0, "MLO902", f"nothing runs this file any more; what replaces it is {replacement}")


@check("MLO903")
def machinery_used(project: Project) -> Iterator[Finding]:
    """A line of the team's own that names such a file."""
    if not follows(project):
        return
    offers: dict[str, kustomize.Offer] = {}
    for use in uses(project):
        said = f"{use.name} is gone; what replaces it is {use.replacement}"
        if use.path not in offers:
            offers[use.path] = kustomize.offer(project, use.path)
        found = offers[use.path]
        why = f"; {found.refusal}" if found.refusal else ""
        yield Finding(use.path, use.line, "MLO903", said + why, found.fix if use.line in found.lines else None)
    for path, line in kustomize.links(project):
        said = f"{kustomize.MOVED} is gone; what replaces it is {retired()[kustomize.MOVED]}"
        yield Finding(path, line, "MLO903", f"{said}; --fix leaves this file alone: it is a link, or lies behind one")
