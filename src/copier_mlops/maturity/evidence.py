"""Find the evidence of a criterion: one function for each key of `looks` in maturity.yml."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from copier_mlops.lint.check import WARNING
from copier_mlops.lint.checks import pipelines
from copier_mlops.lint.listing import git, head
from copier_mlops.lint.project import Project
from copier_mlops.lint.registry import checks
from copier_mlops.lint.run import run
from copier_mlops.maturity import tasks
from copier_mlops.registry import registry


@dataclass(frozen=True)
class Evidence:
    """Whether something holds, and the file, task, run or setting that shows it."""

    met: bool
    text: str


@functools.cache
def _findings(project: Project) -> list[Any]:
    return [each for each in run(project) if checks()[each.check].severity != WARNING]


def by_checks(project: Project, prefixes: list[str]) -> Evidence:
    """Check that the lint finds no error of these kinds, and that no check failed to run."""
    found = [each for each in _findings(project) if each.check.startswith((*prefixes, "MLO003"))]
    kinds = ", ".join(f"{prefix}…" for prefix in prefixes)
    if not found:
        return Evidence(True, f"the lint finds nothing ({kinds})")
    first = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return Evidence(False, f"{first.path or '.'}: {first.check} {first.message}{more}")


def by_files(project: Project, patterns: list[str]) -> Evidence:
    """Check that git tracks a file for each pattern."""
    from pathspec import GitIgnoreSpec

    found = {
        pattern: next(iter(GitIgnoreSpec.from_lines([pattern]).match_files(project.tracked)), "")
        for pattern in patterns
    }
    missing = [pattern.lstrip("/") for pattern, file in found.items() if not file]
    if missing:
        return Evidence(False, f"not in git: {', '.join(missing)}")
    return Evidence(True, ", ".join(map(str, found.values())))


def by_steps(project: Project, wanted: list[str]) -> Evidence:
    """Check that the pipelines of the project's host run these tasks."""
    of_host = set(project.placed(project.host)) if project.host else set()
    found: dict[str, str] = {}
    for step in pipelines.steps(project):
        if step.path in of_host:
            found.setdefault(step.task, f"{step.path}:{step.line}")
    if missing := [task for task in wanted if task not in found]:
        host = registry("hosts")[project.host]["name"] if project.host else "a git host"
        return Evidence(False, f"no pipeline of {host} runs {', '.join(missing)}")
    return Evidence(True, ", ".join(dict.fromkeys(found[task] for task in wanted)))


def by_git(project: Project, state: str) -> Evidence:
    """Check that all work is committed, or that a remote has this commit."""
    try:
        commit = head(project.root)
        if state == "committed":
            waiting = os.fsdecode(git(project.root, "status", "--porcelain", ".")).splitlines()
            if waiting:
                return Evidence(False, f"{len(waiting)} files are not committed, {waiting[0][3:]} for one")
            return Evidence(True, f"commit {commit}")
        branches = git(project.root, "branch", "--remotes", "--contains", "HEAD", "--format=%(refname:short)")
    except OSError as error:
        return Evidence(False, f"git says: {error}")
    found = os.fsdecode(branches).split()
    return Evidence(bool(found), f"commit {commit} is in {found[0]}" if found else f"no remote has commit {commit}")


def by_settings(project: Project, wanted: list[dict[str, Any]]) -> Evidence:
    """Check that values in YAML files are set, and are among the allowed ones."""
    texts, met = [], True
    for each in wanted:
        value = project.yaml(each["file"])
        for name in each["key"].split("."):
            value = value.get(name) if isinstance(value, dict) else None
        holds = value in each["of"] if "of" in each else bool(value)
        met &= holds
        shown = "there is no such file" if each["file"] not in project.files else f"{each['key']} is {value or 'empty'}"
        texts.append(f"{each['file']}: {shown}")
    return Evidence(met, "; ".join(texts))


def by_task(project: Project, task: str) -> Evidence:
    """Check that a task of the project succeeds."""
    if task.split()[0] not in pipelines.tasks(project):
        return Evidence(False, f"there is no task {task.split()[0]}")
    done = tasks.run(project.root, task)
    return Evidence(done.ok, f"`uv run poe {task}`" + ("" if done.ok else f" fails: {done.last}"))


def by_model(project: Project, wanted: dict[str, object]) -> Evidence:
    """Check the tracking server and the registry, by the project's own task `models`."""
    if "models" not in pipelines.tasks(project):
        return Evidence(False, "there is no task models")
    models = tasks.models(project.root)
    if isinstance(models, str):
        return Evidence(False, f"`uv run poe models` fails: {models}")
    ((what, environment),) = wanted.items()
    return MODELS[what](models, environment)


def _run(models: dict[str, Any], _: object) -> Evidence:
    return Evidence(
        bool(models["run"]), f"run {models['run']}" if models["run"] else "no finished run has this dvc.lock"
    )


def _registered(models: dict[str, Any], _: object) -> Evidence:
    used = [
        f"{each['alias']} is version {each['version']}" for each in models["environments"].values() if each["version"]
    ]
    return Evidence(
        bool(used), ", ".join(used) or f"{models['model']} has {len(models['versions'])} versions and no alias"
    )


def _served(models: dict[str, Any], environment: str) -> dict[str, Any]:
    version = models["environments"][environment]["version"]
    return next((each for each in models["versions"] if each["version"] == version), {})


def _deployed(models: dict[str, Any], environment: str) -> Evidence:
    version = _served(models, environment)
    if environment in version.get("deployed", []):
        return Evidence(True, f"{environment} serves version {version['version']}")
    return Evidence(False, f"no version was deployed to {environment}")


def _traced(models: dict[str, Any], environment: str) -> Evidence:
    version = _served(models, environment)
    missing = [name for name in ("run", "commit", "data") if not version.get(name)]
    if not version or missing:
        return Evidence(False, f"no {', '.join(missing)}" if version else f"nothing is in {environment}")
    origin = f"run {version['run']}, commit {version['commit'][:7]}, {len(version['data'])} files of data"
    return Evidence(True, f"version {version['version']}: {origin}")


MODELS: dict[str, Callable[..., Evidence]] = {
    "run": _run,
    "registered": _registered,
    "deployed": _deployed,
    "traced": _traced,
}
LOOKS: dict[str, Callable[..., Evidence]] = {
    "task": by_task,
    "checks": by_checks,
    "files": by_files,
    "steps": by_steps,
    "git": by_git,
    "settings": by_settings,
    "model": by_model,
}
