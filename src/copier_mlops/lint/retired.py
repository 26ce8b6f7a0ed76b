"""The files that the package replaced in projects, their replacements, and lines that still name one."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from copier_mlops.lint.project import Project
from copier_mlops.registry import registry

CODE = (".py", ".ipynb")
# Files that start programs or name their files.
SETTINGS = (".toml", ".yaml", ".yml", ".cfg", ".ini", ".sh", "Makefile")
# A line of a notebook begins with the quote of its JSON.
FROM = re.compile(r'\s*(?:"\s*)?from\s+(operation(?:\.\w+)*)\s+import\b(.*)')
IMPORT = re.compile(r'\s*(?:"\s*)?import\s+(operation\..*)')
WORD = re.compile(r"\w+")
# A module after `-m` or before `:`, a path from the root or from a folder beside it.
NAMED = re.compile(r"\boperation([./][\w./-]+)|\.\./(execution/[\w./-]+)")
# The longest line, and the most lines of an import, that are read: nobody writes longer ones.
LONGEST, MOST_LINES = 2000, 200
PATH = re.compile(r"([\w./-]+)/[\w.-]+")


@dataclass(frozen=True)
class Use:
    """A line that names a file that is gone, and the replacement of the file."""

    path: str
    line: int
    name: str
    replacement: str


@functools.cache
def retired() -> dict[str, str]:
    """Return the replacement of each such file by its path; for a folder that only moved, its new place."""
    files = {path.lstrip("/"): str(replacement) for path, replacement in registry("retired").items()}
    places: dict[str, set[str]] = {}
    for path, replacement in files.items():
        found = PATH.fullmatch(replacement)
        places.setdefault(path.rpartition("/")[0], set()).add(found[1] if found else "")
    return files | {folder: min(some) for folder, some in places.items() if len(some) == 1 and all(some)}


@functools.cache
def modules() -> dict[str, str]:
    """Return the paths of those files that Python imports, by their dotted names."""
    return {path.removesuffix(".py").replace("/", "."): path for path in retired() if path.endswith(".py")}


def left(project: Project) -> Iterator[tuple[str, str]]:
    """Yield each of those files that the project still has, and its replacement."""
    yield from ((path, replacement) for path, replacement in retired().items() if path in project.files)


def uses(project: Project) -> Iterator[Use]:
    """Yield each line of the team's own that names one of those files; lines in those files do not count."""
    for path, content in project.texts(*CODE, *SETTINGS):
        if path in retired() or not (b"operation" in content or b"../execution/" in content):
            continue
        lines = content.decode("utf-8-sig", "replace").splitlines()
        for line, name in dict.fromkeys(imported(lines) if path.endswith(CODE) else mentioned(lines)):
            yield Use(path, line, name, retired()[name])


def imported(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield each line of code that imports one of those files, with the file's path."""
    package, first = "", 0  # of an import that goes on over several lines
    for number, line in enumerate(lines, 1):
        names = line[:LONGEST].partition("#")[0]
        if package and number - first > MOST_LINES:
            package = ""
        if not package and (found := IMPORT.match(names)):
            yield from ((number, path) for each in found[1].split(",") if (path := module_of(each.strip())))
            continue
        if not package:
            found = FROM.match(names)
            if not found:
                continue
            package, names, first = found[1], found[2], number
            if name := module_of(package):
                yield number, name
            is_open = "(" in names
        yield from ((number, path) for each in WORD.findall(names) if (path := modules().get(f"{package}.{each}", "")))
        if not is_open or ")" in names:
            package = ""


def module_of(name: str) -> str:
    """Return the path of the file with which a dotted name begins; empty if it is not one of those."""
    found = re.match(r"[\w.]+", name)
    parts = found[0].split(".") if found else []
    names = (".".join(parts[:count]) for count in range(min(len(parts), 6), 1, -1))
    return next((modules()[each] for each in names if each in modules()), "")


def mentioned(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield each line of settings that names one of those files, as a module or as a path, with the file's path."""
    for number, line in enumerate(lines, 1):
        for after, beside in NAMED.findall(uncommented(line[:LONGEST])):
            name = (f"operation{after}" if after else f"operation/{beside}").rstrip("./-")
            if path := name if name in retired() else module_of(name):
                yield number, path


def uncommented(line: str) -> str:
    """Return a line of settings without its comment; if quotes follow the `#`, it may be text, and the line stays."""
    setting, _, comment = f" {line}".partition(" #")
    return line if setting.strip() and set("'\"") & set(comment) else setting[1:]
