"""The package that does the work of the tasks: its pin in pyproject.toml, and leftovers of the files it replaced."""

import re
from collections.abc import Iterator
from typing import Any

from copier_mlops.address import redacted
from copier_mlops.lint import kustomize
from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import ANSWERS, Project, subtable
from copier_mlops.lint.retired import left, retired, uses

FILE, NAME = "pyproject.toml", "copier-mlops"
REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(.*)", re.DOTALL)
# An upper bound of a version.
BOUND = re.compile(r"<|~=|==")
SHORTHANDS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}


def requirements(project: Project) -> list[str]:
    """Return the text after the name of the package in each requirement of pyproject.toml."""
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
    """Return the sources of the package in `[tool.uv.sources]`; one table for each marker."""
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


def template(project: Project) -> str:
    """Return the address of the template as git takes it; an empty text if the answers file has none."""
    source = str(project.answers.get("_src_path") or "")
    for short, address in SHORTHANDS.items():
        source = source.replace(short, address, 1) if source.startswith(short) else source
    return source.removeprefix("git+")


def place(address: str) -> str:
    """Return what two addresses of one repository share: server and path, without login, scheme and `.git`."""
    url = re.sub(r"^git@([^:/]+):", r"ssh://\1/", address)
    return re.sub(r"^(?:git\+)?[a-z]+://(?:[^/@]*@)?", "", url).rstrip("/").removesuffix(".git").lower()


def pin(project: Project) -> str:
    """Return the line that pins the package to the template of the project, and the command to run after it."""
    source = template(project)
    # `git describe` of a version between two tags ends with the commit.
    commit = re.sub(r"^.*-g(?=[0-9a-f]+$)", "", str(project.answers.get("_commit") or ""))
    if not source:
        return f"restore the line of {NAME} below [tool.uv.sources] from git, then: uv sync"
    line = f'{{ git = "{source}", rev = "{commit}" }}' if is_git(source) else f'{{ path = "{source}" }}'
    return f"write `{NAME} = {line}` below [tool.uv.sources], then: uv sync"


def is_git(address: str) -> bool:
    """Return whether an address is one of a git server, and not a folder."""
    return "://" in address or address.startswith("git@")


class PackageUnpinned(Check):
    """A package that could be another one tomorrow, or that pyproject.toml does not name."""

    id = "MLO901"
    name = "package-unpinned"
    page = "package"
    finds = (
        "The tasks run `mlops`, but `pyproject.toml` does not name copier-mlops. Or it names it, but neither "
        "`[tool.uv.sources]` nor, with the answer `package_index`, a bound on its version tells which one."
    )
    why = (
        "`[tool.uv.sources]` has the place of the package and its commit. Without it, uv asks an index to which "
        "anybody can publish a package of that name, or takes another version tomorrow."
    )
    fix = "Write the line that the finding shows, then `uv sync`; or restore it with `git restore pyproject.toml`."
    example = Example(
        "pyproject.toml",
        '[tool.uv.sources]\ncopier-mlops = { git = "https://git.example.org/ml/copier-mlops" }\n',
        '[tool.uv.sources]\ncopier-mlops = { git = "https://git.example.org/ml/copier-mlops", rev = "0.3.0" }\n',
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Read the requirements and the sources of pyproject.toml."""
        asked, taken = requirements(project), sources(project)
        line = project.line_of(FILE, rf"^[^#\n]*\b{NAME}\b(?!-)")
        if not asked:
            if has_tasks(project) and FILE not in project.problems:
                said = f"the tasks run `mlops`, but no dependency is {NAME}"
                way_out = f'write `"{NAME}"` among the dependencies, and {pin(project)}'
                yield self.found(FILE if FILE in project.files else "", line, f"{said}; {way_out}")
        elif project.answers.get("package_index") is True and not taken:
            if not any(BOUND.search(each) for each in asked):
                said = f"{NAME} comes from an index, but its version has no bound"
                yield self.found(FILE, line, f"{said}; write one, for example `>=1.2.0,<1.3`, then: uv sync")
        elif not taken and not any(each.startswith("@") for each in asked):
            said = f"{NAME} has no pin, so that uv asks an index to which anybody can publish"
            yield self.found(FILE, line, f"{said}; {pin(project)}")
        elif any("git" in each and not each.get("rev") and not each.get("tag") for each in taken):
            said = f"{NAME} is not pinned to a commit, so that it changes by itself"
            yield self.found(FILE, line, f"{said}; {pin(project)}")


class MachineryLeft(Check):
    """A file that the package replaced."""

    id = "MLO902"
    name = "machinery-left"
    page = "package"
    finds = (
        "A file of an older version of the template that the package replaced, for example "
        "`operation/execution/track.py`."
    )
    why = "Nothing runs it any more, so a change in it has no effect."
    fix = "Move your changes to its replacement, or into a file of another name, then `git rm FILE`."
    example = Example(
        "git ls-files operation/execution",
        "operation/execution/serve.py\noperation/execution/track.py\n",
        "operation/execution/serve.py\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Look for each of those files."""
        if follows(project):
            for path, replacement in left(project):
                yield self.found(path, 0, f"nothing runs this file any more; what replaces it is {replacement}")


class MachineryUsed(Check):
    """A line of the team's own that names such a file."""

    id = "MLO903"
    name = "machinery-used"
    page = "package"
    finds = (
        "A line of your own code, tasks or settings that names a file which the package replaced, for example `from "
        'operation.execution import charts` or `cmd = "python -m operation.execution.report"`.'
    )
    why = "The import fails, or the path leads nowhere."
    fix = (
        "Use the replacement that the finding names. In a `kustomization.yaml`, `--fix` does this for you below "
        "`resources`, `components` and `bases`, and changes no other byte. For example, it writes "
        "`../../execution/kubernetes` for `../../execution/release/kubernetes`. It leaves a file with anchors, a key "
        "twice, several documents or more than 30 kB, and tells you why. The same goes for a file that is read-only, a "
        "link, or not YAML in UTF-8."
    )
    fixes_itself = True
    example = Example(
        "notebooks/look.py",
        "from operation.execution import charts\n",
        "from copier_mlops.reporting import charts\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Search code and settings for the names of those files."""
        if not follows(project):
            return
        offers: dict[str, kustomize.Offer] = {}
        for use in uses(project):
            said = f"{use.name} is gone; what replaces it is {use.replacement}"
            if use.path not in offers:
                offers[use.path] = kustomize.offer(project, use.path)
            offer = offers[use.path]
            why = f"; {offer.refusal}" if offer.refusal else ""
            yield self.found(use.path, use.line, said + why, offer.fix if use.line in offer.lines else None)
        for path, line in kustomize.links(project):
            said = f"{kustomize.MOVED} is gone; what replaces it is {retired()[kustomize.MOVED]}"
            yield self.found(path, line, f"{said}; --fix leaves this file alone: it is a link, or lies behind one")


class TemplateElsewhere(Check):
    """A template whose address was changed in one file and not in the other."""

    id = "MLO904"
    name = "template-elsewhere"
    page = "package"
    finds = (
        "The answers file names another repository as the template (`_src_path`) than the one from which "
        "`pyproject.toml` takes the package."
    )
    why = "The next update ends in conflicts in `pyproject.toml` and `poe_tasks.toml`, at which `uv` and `poe` stop."
    fix = (
        "If the template moved, replace the address in each file that git names, and commit before you update. For "
        "example: `git grep -lF OLD_ADDRESS` lists them. The page on updates has the commands."
    )
    example = Example(
        ".copier-answers.yml",
        "_src_path: https://new.example.org/ml/copier-mlops\n",
        "_src_path: https://git.example.org/ml/copier-mlops\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare the address in the answers with that of the package's source."""
        source = template(project)
        for each in sources(project):
            address = str(each.get("git") or "")
            if address and is_git(source) and place(address) != place(source):
                said = f"{FILE} takes {NAME} from {redacted(address)}, and the template is {redacted(source)}"
                way_out = "give both files one address, commit, then update: docs/how-to/updates.md"
                yield self.found(ANSWERS, project.line_of(ANSWERS, "^_src_path:"), f"{said}; {way_out}")
