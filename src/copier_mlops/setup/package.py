"""Check the project's copier-mlops: the pin, the installed version, and the version that rendered the project."""

import json
import re
import shlex
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from copier_mlops.project import answer, check_virtual_environment, root
from copier_mlops.setup.checks import Check, Finding

FILE, NAME = "pyproject.toml", "copier-mlops"
MARKER = re.compile(r"^(?:<{7}|>{7})(?: |$)")
SHORTHANDS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
# The end of `git describe` for a commit after a version: its distance, and its hash.
BEHIND = re.compile(r"^(.+)-\d+-g([0-9a-f]+)$")


def look_package() -> Finding:
    """Check that the installed package is the pinned one, and fits the version that rendered the project."""
    document = read()
    try:
        requirement, source = named(document), source_of(document)
    except (AttributeError, TypeError):  # a list in place of a table, for example
        raise _wrong(
            f"{FILE} does not have the form that uv needs: `uv lock` says where", f"git restore {FILE}"
        ) from None
    check_virtual_environment()
    if not source and not requirement.url and not answer("package_index"):
        text = f"{FILE} does not pin {NAME}, so uv takes it from an index that anybody may publish to"
        raise _wrong(text, pin())
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:
        raise _wrong(f"{NAME} is not installed", "uv sync") from None
    compare(installed, source, requirement)
    fits(Version(installed.version), "path" in source)
    return Finding(True, f"{NAME} {installed.version} is the pinned one")


def _wrong(text: str, advice: str) -> SystemExit:
    return SystemExit(f"{text}\n  fix: {advice}")


def read() -> dict[str, Any]:
    """Return pyproject.toml.

    Raises:
        SystemExit: It is missing, or is not TOML; the text names the line.
    """
    path = root() / FILE
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text)
    except FileNotFoundError:
        raise _wrong(f"{FILE} is not here", f"git restore {FILE}") from None
    except tomllib.TOMLDecodeError as error:
        for number, line in enumerate(text.splitlines(), 1):
            if MARKER.match(line):
                decide = "decide the place, delete the markers, then: uv sync"
                raise _wrong(f"{FILE}, line {number}: an update or a merge left a conflict", decide) from None
        raise _wrong(f"{FILE} cannot be read: {error}", f"correct that line, or: git restore {FILE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"{FILE} cannot be read: {error}", f"git restore {FILE}") from None


def named(document: dict[str, Any]) -> Requirement:
    """Return the project's requirement of the package, with all bounds on its version.

    Raises:
        SystemExit: There is no such requirement.
    """
    project = document.get("project", {})
    groups = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
    groups += document.get("dependency-groups", {}).values()
    found: Requirement | None = None
    for each in (each for group in groups for each in group if isinstance(each, str)):
        try:
            requirement = Requirement(each)
        except InvalidRequirement:
            continue  # uv reports which, and why
        if canonicalize_name(requirement.name) == NAME:
            found, before = requirement, found
            if before:
                found.specifier &= before.specifier
                found.url = found.url or before.url
    if found is None:
        raise _wrong(f"{FILE} does not name {NAME}, which does the work of the tasks", pin())
    return found


def source_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the source of the package in `[tool.uv.sources]`; empty for an index."""
    sources = document.get("tool", {}).get("uv", {}).get("sources", {})
    found: Any = next((value for name, value in sources.items() if canonicalize_name(name) == NAME), {})
    # A list has one source for each platform, and only uv knows which applies here.
    return found if isinstance(found, dict) else {"list": found}


def template_address() -> str:
    """Return the template's address in the form of git and uv, a URL or a folder; empty if the answers have none."""
    source = str(answer("_src_path") or "")
    for short, address in SHORTHANDS.items():
        source = source.replace(short, address, 1) if source.startswith(short) else source
    return re.sub(r"^git@([^:/]+):", r"ssh://git@\1/", source.removeprefix("git+"))


def pin() -> str:
    """Return the command that pins the package to the commit of the template that rendered the project."""
    url, commit = template_address(), str(answer("_commit") or "")
    if not url:
        return f"git restore {FILE}, if an older commit has the pin, then: uv sync"
    if "://" not in url:
        return f"uv add {shlex.quote(url)}"
    behind = BEHIND.match(commit)
    revision = f" --rev {behind[2] if behind else commit}" if commit else ""
    return f"uv add{revision} {shlex.quote(f'{NAME} @ git+{url}')}"


def compare(installed: Distribution, source: dict[str, Any], requirement: Requirement) -> None:
    """Check that the installed package is the pinned one; the package of a folder is not checked.

    Raises:
        SystemExit: It comes from another commit, or its version is outside of the bounds.
    """
    if "git" in source:
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        about = origin.get("vcs_info", {})
        commit, wanted = str(about.get("commit_id", "")), str(source.get("rev") or source.get("tag") or "")
        if wanted and not (commit and commit.startswith(wanted)) and about.get("requested_revision") != wanted:
            what = (
                f"commit {commit[:12]}" if commit else origin.get("url") or f"version {installed.version} of an index"
            )
            raise _wrong(f"the installed {NAME} is {what}, but {FILE} pins {wanted[:12]}", "uv sync")
    elif not source and not requirement.specifier.contains(installed.version, prereleases=True):
        bound = str(requirement.specifier)
        raise _wrong(f"the installed {NAME} is {installed.version}, but {FILE} requires {bound}", "uv sync")


def fits(installed: Version, is_folder: bool = False) -> None:
    """Check that the package is not older than the template that rendered the project, nor of a later minor version.

    From a folder, uv installs the current files, which are newer than copier's choice, the newest tag.

    Raises:
        SystemExit: It does not fit; the text names both versions.
    """
    commit = str(answer("_commit") or "")
    behind = BEHIND.match(commit)
    name = behind[1] if behind else commit
    try:
        rendered = Version(name)
    except InvalidVersion:
        return  # a commit of a template without versions
    if "." not in name:
        return  # the hash of such a commit, if it has only digits
    text = f"{NAME} {installed} is {{}} than the template {rendered} that rendered this project"
    if installed < rendered:
        raise _wrong(text.format("older"), pin())
    # A commit after a version may have the next version already.
    if not (behind or is_folder) and installed.release[:2] > rendered.release[:2]:
        raise _wrong(text.format("newer"), "uvx copier update")


CHECK = Check("package", look_package, lambda: None, "environment")
