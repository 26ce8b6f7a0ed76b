"""The answers file: it is there, as copier wrote it, and agrees with the project."""

from collections.abc import Iterator
from typing import Any

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import ANSWERS, Project
from copier_mlops.registry import questions

TYPES: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
KINDS = {"str": "text", "int": "a whole number", "bool": "true or false", "float": "a number"}


def line_of(project: Project, name: str) -> int:
    """Return the line of an answer; 0 if it is not there."""
    return project.line_of(ANSWERS, rf"^{name}:")


class AnswersMissing(Check):
    """No answers file, or one without answers."""

    id = "MLO111"
    name = "answers-missing"
    page = "answers"
    finds = "There is no `.copier-answers.yml`, or it is empty."
    why = "Without it, `copier update` does not know what you answered, and the lint does not know what to expect."
    fix = "Restore it from git. If your repository never had one, run `copier copy` into it."
    example = Example(
        "git status", "deleted:    .copier-answers.yml\n", "On branch main\nnothing to commit, working tree clean\n"
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Report a file that is not there or is empty; one that cannot be read is MLO001."""
        if ANSWERS not in project.files:
            yield self.found("", 0, f"there is no {ANSWERS}: `copier update` cannot work")
        elif not project.answers and ANSWERS not in project.problems:
            yield self.found(ANSWERS, 0, "has no answers")


class AnswersOrigin(Check):
    """An answers file that does not name its template and version."""

    id = "MLO112"
    name = "answers-origin"
    page = "answers"
    finds = "`_src_path` or `_commit` is missing or empty."
    why = "An update starts from exactly that version of exactly that template."
    fix = "Restore the lines from git."
    example = Example(
        ".copier-answers.yml",
        "_commit: ''\n_src_path: https://git.example.org/ml/copier-mlops\n",
        "_commit: 0.3.0\n_src_path: https://git.example.org/ml/copier-mlops\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Report each of the two answers that is not a text."""
        for name, what in (("_src_path", "the template"), ("_commit", "the version of the template")):
            value = project.answers.get(name)
            if project.answers and (not isinstance(value, str) or not value.strip()):
                said = f"{name} does not name {what}, so `copier update` cannot work"
                yield self.found(ANSWERS, line_of(project, name), said)


class AnswerInvalid(Check):
    """An answer that its question would refuse."""

    id = "MLO113"
    name = "answer-invalid"
    page = "answers"
    finds = "An answer that has the wrong type, or that its question does not allow."
    why = "Somebody edited the file by hand. The next update stops at it, or renders something that nobody asked for."
    fix = "Restore the line, then run `copier update --data NAME=VALUE`."
    example = Example(".copier-answers.yml", "python_version: 3.11\n", "python_version: '3.11'\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare each answer with the type and the choices of its question."""
        for name, question in questions().items():
            if name not in project.answers:
                continue
            line = line_of(project, name)
            value, kind = project.answers[name], question.get("type", "str")
            values = value if question.get("multiselect") and isinstance(value, list) else [value]
            if question.get("multiselect") and not isinstance(value, list):
                yield self.found(ANSWERS, line, f"{name} is a list")
            elif kind in TYPES and not all(_is(each, kind) for each in values):
                yield self.found(ANSWERS, line, f"{name} is {KINDS[kind]}, not {value!r}")
            elif (allowed := _choices(question)) and (wrong := [each for each in values if each not in allowed]):
                listed = ", ".join(map(str, allowed))
                yield self.found(ANSWERS, line, f"{name} cannot be {wrong[0]!r}: allowed are {listed}")


def _is(value: object, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))


def _choices(question: dict[str, Any]) -> list[Any]:
    choices = question.get("choices")
    return list(choices.values()) if isinstance(choices, dict) else choices if isinstance(choices, list) else []


class AnswersDisagree(Check):
    """An answer that the files contradict."""

    id = "MLO114"
    name = "answers-disagree"
    page = "answers"
    finds = (
        "The files contradict an answer. For example, `src` has no package of that name, or `.python-version` has "
        "another version. The others are the address in `.dvc/config`, and a level above the one that was reached."
    )
    why = (
        "If you edit an answer by hand, no file changes. If you move a file by hand, no answer changes. The next "
        "update meets both."
    )
    fix = "Restore the one that is wrong. Change answers with `copier update --data NAME=VALUE`."
    example = Example(
        ".copier-answers.yml",
        "python_version: '3.13'  # .python-version says 3.11\n",
        "python_version: '3.11'\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Compare answers with the files that they decided."""
        answers = project.answers
        package, reached = answers.get("package_name"), answers.get("reached_level")
        if isinstance(package, str) and not any(path.startswith(f"src/{package}/") for path in project.files):
            yield self.found(ANSWERS, line_of(project, "package_name"), f"there is no package src/{package}")
        if isinstance(reached, int) and reached < project.level:
            said = f"reached_level is {reached} and maturity_level {project.level}: the answer was edited by hand"
            yield self.found(ANSWERS, line_of(project, "maturity_level"), said)
        python = (project.read(".python-version") or b"").decode("ascii", "replace").strip()
        asked = answers.get("python_version")
        if python and isinstance(asked, str) and python != asked and not python.startswith(f"{asked}."):
            said = f"python_version is {asked}, but .python-version says {python}"
            yield self.found(ANSWERS, line_of(project, "python_version"), said)
        remote = answers.get("data_remote")
        if isinstance(remote, str) and (url := _storage(project)) and not url.endswith(remote):
            said = "data_remote is not the url of the remote `storage` in .dvc/config"
            yield self.found(ANSWERS, line_of(project, "data_remote"), said)


def _storage(project: Project) -> str:
    """Return the address of the data remote that the template configured; empty if another one is in use."""
    section, found = "", {}
    for line in (project.read(".dvc/config") or b"").decode("utf-8", "replace").splitlines():
        name, has_value, value = line.partition("=")
        if line.strip().startswith("["):
            section = line.strip()
        elif has_value:
            found[section, name.strip()] = value.strip()
    return found.get(("['remote \"storage\"']", "url"), "") if found.get(("[core]", "remote")) == "storage" else ""
