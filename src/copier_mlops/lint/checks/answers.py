"""The answers file is there, as copier wrote it, and says what the project is."""

from collections.abc import Iterator
from typing import Any

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import ANSWERS, Project
from copier_mlops.registry import questions

TYPES: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
KINDS = {"str": "text", "int": "a whole number", "bool": "true or false", "float": "a number"}


def at(project: Project, name: str, check_id: str, message: str) -> Finding:
    """A finding on the line of an answer."""
    return Finding(ANSWERS, project.line_of(ANSWERS, rf"^{name}:"), check_id, message)


@check("MLO111")
def missing(project: Project) -> Iterator[Finding]:
    """No answers file, or one without answers."""
    if ANSWERS not in project.files:
        yield Finding("", 0, "MLO111", f"there is no {ANSWERS}: `copier update` cannot work")
    elif not project.answers and ANSWERS not in project.problems:
        yield Finding(ANSWERS, 0, "MLO111", "holds no answers")


@check("MLO112")
def origin(project: Project) -> Iterator[Finding]:
    """Where the project comes from is not said."""
    for name, what in (("_src_path", "the template"), ("_commit", "the version of the template")):
        value = project.answers.get(name)
        if project.answers and (not isinstance(value, str) or not value.strip()):
            yield at(project, name, "MLO112", f"{name} does not name {what}, so `copier update` cannot work")


@check("MLO113")
def invalid(project: Project) -> Iterator[Finding]:
    """An answer that its question would refuse."""
    for name, question in questions().items():
        if name not in project.answers:
            continue
        value, kind = project.answers[name], question.get("type", "str")
        values = value if question.get("multiselect") and isinstance(value, list) else [value]
        if question.get("multiselect") and not isinstance(value, list):
            yield at(project, name, "MLO113", f"{name} is a list")
        elif kind in TYPES and not all(_is(each, kind) for each in values):
            yield at(project, name, "MLO113", f"{name} is {KINDS[kind]}, not {value!r}")
        elif (allowed := _choices(question)) and (wrong := [each for each in values if each not in allowed]):
            listed = ", ".join(map(str, allowed))
            yield at(project, name, "MLO113", f"{name} cannot be {wrong[0]!r}: allowed are {listed}")


def _is(value: object, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))


def _choices(question: dict[str, Any]) -> list[Any]:
    choices = question.get("choices")
    return list(choices.values()) if isinstance(choices, dict) else choices if isinstance(choices, list) else []


@check("MLO114")
def disagree(project: Project) -> Iterator[Finding]:
    """An answer that the files contradict."""
    answers = project.answers
    package, reached = answers.get("package_name"), answers.get("reached_level")
    if isinstance(package, str) and not any(path.startswith(f"src/{package}/") for path in project.files):
        yield at(project, "package_name", "MLO114", f"there is no package src/{package}")
    if isinstance(reached, int) and reached < project.level:
        said = f"reached_level is {reached} and maturity_level {project.level}: the answer was edited by hand"
        yield at(project, "maturity_level", "MLO114", said)
    python = (project.read(".python-version") or b"").decode("ascii", "replace").strip()
    asked = answers.get("python_version")
    if python and isinstance(asked, str) and python != asked and not python.startswith(f"{asked}."):
        yield at(project, "python_version", "MLO114", f"python_version is {asked}, but .python-version says {python}")
    remote = answers.get("data_remote")
    if isinstance(remote, str) and (url := _storage(project)) and not url.endswith(remote):
        yield at(project, "data_remote", "MLO114", "data_remote is not the url of the remote `storage` in .dvc/config")


def _storage(project: Project) -> str:
    """The address of the data remote that the template configured, where it is still the one in use."""
    section, found = "", {}
    for line in (project.read(".dvc/config") or b"").decode("utf-8", "replace").splitlines():
        name, has_value, value = line.partition("=")
        if line.strip().startswith("["):
            section = line.strip()
        elif has_value:
            found[section, name.strip()] = value.strip()
    return found.get(("['remote \"storage\"']", "url"), "") if found.get(("[core]", "remote")) == "storage" else ""
