"""The environment files say what the classes of operation/configuration ask for."""

import re
from collections.abc import Iterator

from copier_mlops.lint.checks import check
from copier_mlops.lint.classes import read_schema
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import YAML, Project
from copier_mlops.lint.schema import Schema

FOLDER = "operation/configuration"
BASE = f"{FOLDER}/settings.py"
NAMES = re.compile(rb"^Environment = Literal\[([^\]]*)\]", re.MULTILINE)


def schema_of(project: Project, name: str) -> Schema | None:
    """What the file `name`.yaml must hold; None where no class says it."""
    path = f"{FOLDER}/{name}.py"
    module = project.read(path)
    if module is None:
        return None
    base = project.read(BASE)
    try:
        return read_schema([base] if base and path != BASE else [], module)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        project.problem(path, "is no Python")
        return None


def environments(project: Project) -> list[str]:
    """The environments that the project knows."""
    found = NAMES.search(project.read(BASE) or b"")
    return re.findall(r"[\"'](\w+)[\"']", found[1].decode("utf-8", "replace")) if found else []


@check("MLO701")
def missing(project: Project) -> Iterator[Finding]:
    """An environment without its settings."""
    for name in environments(project):
        path = f"{FOLDER}/environment_{name}/settings.yaml"
        if path not in project.files:
            yield Finding("", 0, "MLO701", f"there is no {path}, so the environment {name} has no settings")


@check("MLO702")
def invalid(project: Project) -> Iterator[Finding]:
    """A setting that is unknown, missing or of the wrong type."""
    for path in project.files:
        folder, _, file = path.rpartition("/")
        is_environment = folder.startswith(f"{FOLDER}/environment_") and folder.count("/") == 2
        if not path.endswith(YAML) or not (is_environment or folder == FOLDER):
            continue
        schema = schema_of(project, file.rpartition(".")[0])
        value = project.yaml(path) if schema else None
        if schema is None or path in project.problems:
            continue
        for place, reason in schema.errors(value):
            line = project.line_of(path, rf"^[ \t]*{re.escape(place.rpartition('.')[2])}:") if place else 0
            yield Finding(path, line, "MLO702", f"{place or 'the file'} {reason}")
