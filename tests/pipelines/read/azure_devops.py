"""Azure's pipelines, read back without the help of what wrote them.

Templates are expanded, and parameters are held to their types.
"""

import re
from dataclasses import replace
from pathlib import Path

from tests.pipelines.flows import Flow, Job, Step, UnreadableError, must_tell, skipped_together
from tests.pipelines.read import login
from tests.pipelines.read.text import load, same, take

FOLDER = "azure_pipelines"
OWN_BRANCH = (
    "and(succeeded(), eq(variables['Build.Reason'], 'PullRequest'), ne(variables['System.PullRequest.IsFork'], 'True'))"
)
TOKEN = {"HOST_TOKEN": "$(System.AccessToken)"}
TEMPLATE = {"TEMPLATE_TOKEN": "$(TEMPLATE_TOKEN)"}
IDENTITY = {"SYSTEM_OIDCREQUESTURI": "$(System.OidcRequestUri)"}
SOURCES = "$(Build.SourcesDirectory)/"
# Variables that only this host has.
OWN = {"UV_VERSION", "UV_CACHE_DIR", "HEAVY_POOL"}
# A stage has one job of its name, and a step has the name of its task.
TOLD = re.compile(r"and\(succeeded\(\), eq\(dependencies\.(\w+)\.outputs\['\1\.(\w+)\.(\w+)'\], 'true'\)\)")
EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")


def read(project: Path) -> dict[str, Flow]:
    folder = project / FOLDER
    paths = [path for path in sorted(folder.glob("*.yml")) if path.name != "variables.yml"]
    return {path.stem: pipeline(folder, load(path)) for path in paths}


def pipeline(folder: Path, document: dict) -> Flow:
    keys = ["trigger", "pr", "schedules", "lockBehavior", "parameters", "variables", "pool", "stages", "jobs"]
    trigger, request, schedules, lock, parameters, variables, pool, stages, jobs = take(document, *keys)
    same(pool, {"vmImage": "ubuntu-24.04"})
    inputs = {each["name"]: asked(each) for each in parameters or []}
    values = variables_of(folder, variables)
    for key, text in values.items():
        if text.startswith("${{ parameters."):
            name = EXPRESSION.fullmatch(text).group(1).removeprefix("parameters.")
            if name not in inputs:
                raise UnreadableError(f"there is no parameter {name}")
            inputs[name]["variable"] = key
            values[key] = f"input {name}"
    push, batch = pushed(trigger)
    replaces = request != "none" and replaced(request)
    same((batch, lock), ("true" if push is not None and not replaces else None, None if replaces else "sequential"))
    return Flow(
        jobs=staged(folder, stages, values) if stages else ungated(folder, jobs, values),
        push=push,
        change_request=request != "none",
        schedule=cron(schedules),
        manual=True,
        inputs=inputs,
        replaces=replaces,
    )


def staged(folder: Path, stages: list, values: dict[str, str]) -> dict[str, Job]:
    """Stages of one job each: all approvals of a stage are asked for before it starts."""
    found = {}
    for stage in stages:
        id_, name, needs, condition, (one,) = take(stage, "stage", "displayName", "dependsOn", "condition", "jobs")
        key, read = job(folder, one, values)
        same((key.replace("-", "_"), read.name, read.needs), (id_, name, set()))
        found[key] = replace(read, needs={each.replace("_", "-") for each in needs or []})
        if condition:
            found[key].only_if = told(found, found[key], condition)
    if unread := [name for job in found.values() for name in job.tells if name.endswith(".")]:
        raise UnreadableError(f"no condition reads what {unread} tell")
    skipped_together(found)
    return found


def told(found: dict[str, Job], job: Job, condition: str) -> str:
    """What a condition reads; a file does not say what a step tells, only by which name it is asked."""
    match = TOLD.fullmatch(condition)
    if not match:
        raise UnreadableError(f"nobody knows when `{condition}` holds")
    by, step, name = match.groups()
    must_tell(found, job, f"{step}.", by.replace("_", "-"))
    found[by.replace("_", "-")].tells = {name}
    return name


def ungated(folder: Path, jobs: list, values: dict[str, str]) -> dict[str, Job]:
    """Jobs of one stage, none of which waits for an approval."""
    found = dict(job(folder, each, values) for each in jobs)
    same([each.environment for each in found.values()], [""] * len(found))
    return found


def asked(each: dict) -> dict:
    _, text, kind, default, values = take(each, "name", "displayName", "type", "default", "values")
    same(kind, "string")
    return {"help": text, "choices": values, "default": default}


def variables_of(folder: Path, entries: list) -> dict[str, str]:
    found = {}
    for entry in entries:
        template, name, value = take(entry, "template", "name", "value")
        found |= take(load(folder / template), "variables")[0] if template else {name: value}
    return found


def pushed(trigger: object) -> tuple[list[str] | None, str | None]:
    if trigger is None:
        raise UnreadableError("without `trigger: none` every push starts it")
    if trigger == "none":
        return None, None
    batch, branches, paths = take(trigger, "batch", "branches", "paths")
    same(branches, {"include": ["main"]})
    return take(paths or {"include": []}, "include")[0], batch


def replaced(request: dict | None) -> bool:
    if request is None:
        raise UnreadableError("without `pr: none` every pull request starts it")
    cancel, branches = take(request, "autoCancel", "branches")
    same(branches, {"include": ["*"]})
    return cancel == "true"


def cron(schedules: list | None) -> str:
    if not schedules:
        return ""
    (one,) = schedules
    found, _, branches, always = take(one, "cron", "displayName", "branches", "always")
    same((branches, always), ({"include": ["main"]}, "true"))
    return found


def job(folder: Path, document: dict, values: dict[str, str]) -> tuple[str, Job]:
    keys = ["displayName", "dependsOn", "condition", "timeoutInMinutes", "pool"]
    if "deployment" in document:
        id_, *rest, environment, strategy = take(document, "deployment", *keys, "environment", "strategy")
        steps = take(take(take(strategy, "runOnce")[0], "deploy")[0], "steps")[0]
    else:
        id_, *rest, steps = take(document, "job", *keys, "steps")
        environment = ""
    name, needs, condition, minutes, pool = rest
    same(condition, None, OWN_BRANCH)
    found = Job(
        steps=[],
        name=name,
        minutes=int(minutes or 0),
        needs={each.replace("_", "-") for each in needs or []},
        environment=environment,
        only="change_request" if condition else "",
        runner=filled(pool, {"variables": values}) if pool else "",
        variables={key: text for key, text in values.items() if key not in OWN},
    )
    id_ = id_.replace("_", "-")
    steps = expanded(folder, steps)
    same(steps[0].get("checkout"), "self")
    for step in steps:
        understand(step, id_, found, values)
    return id_, found


def expanded(folder: Path, steps: list) -> list[dict]:
    """Steps with those of their templates in place, each parameter held to its type."""
    found = []
    for step in steps:
        if "template" not in step:
            found.append(step)
            continue
        path, given = take(step, "template", "parameters")
        parameters, body = take(load(folder / path), "parameters", "steps")
        values = {each["name"]: typed(each, dict(given or {})) for each in parameters or []}
        if unknown := (given or {}).keys() - values.keys():
            raise UnreadableError(f"{path} has no parameter {unknown}")
        found += replayed(body, {"parameters": values})
    return found


def typed(parameter: dict, given: dict) -> object:
    name, _, kind, default = take(parameter, "name", "displayName", "type", "default")
    value = given.get(name, default)
    fits = {
        "number": lambda: value.isdecimal(),
        "object": lambda: isinstance(value, list),
        "boolean": lambda: value in ("true", "false"),
    }
    if kind not in fits or value is None or not fits[kind]():
        raise UnreadableError(f"parameter {name} is {value!r}, no {kind}")
    return value


def replayed(body: object, scope: dict) -> object:
    """A part of a template with its expressions worked out."""
    if isinstance(body, str):
        return filled(body, scope)
    if isinstance(body, dict):
        return {key: replayed(value, scope) for key, value in body.items()}
    found = []
    for item in body:
        first = next(iter(item)) if isinstance(item, dict) else ""
        loop = re.fullmatch(r"\$\{\{ each (\w+) in (.+) \}\}", first)
        condition = re.fullmatch(r"\$\{\{ if (.+) \}\}", first)
        if condition:
            found += replayed(item[first], scope) if looked_up(condition.group(1), scope) == "true" else []
        elif loop:
            for one in looked_up(loop.group(2), scope):
                found += replayed(item[loop.group(0)], scope | {loop.group(1): one})
        else:
            found.append(replayed(item, scope))
    return found


def filled(text: str, scope: dict) -> str:
    return EXPRESSION.sub(lambda match: str(looked_up(match.group(1), scope)), text)


def looked_up(expression: str, scope: dict) -> object:
    value = scope
    for part in expression.split("."):
        if not isinstance(value, dict) or part not in value:
            raise UnreadableError(f"nothing is called {expression}")
        value = value[part]
    return value


def understand(step: dict, id_: str, found: Job, values: dict[str, str]) -> None:
    if "checkout" in step:
        _, depth, kept = take(step, "checkout", "fetchDepth", "persistCredentials")
        same((kept, depth in ("0", "1")), ("false", True))
        found.history = depth == "0"
    elif "download" in step:
        same(step, {"download": "none"})
    elif "publish" in step:
        path, artifact, _ = take(step, "publish", "artifact", "displayName")
        same((path, artifact), (f"{SOURCES}build/{id_}", id_))
        found.keeps = True
    elif "script" in step:
        run, name, called, env = take(step, "script", "displayName", "name", "env")
        if name == "Install uv":
            same((run, env), ("python -m pip install uv==$(UV_VERSION)", None))
            found.uv = values["UV_VERSION"]
        elif name == "Install":
            same((bool(found.uv), found.caches, found.steps), (True, {"uv"}, []))
            same(run, login.INSTALL)
            found.login = login.by_variables(run, env, TEMPLATE["TEMPLATE_TOKEN"]) if env else None
        elif name.startswith("Prune"):
            same((run, env, found.steps), ("uv cache prune --ci", None, []))
        else:
            env, tracks = login.without(login.TRACKERS, env, "$(NAME)")
            env, data = login.without(login.REMOTES, env, "$(NAME)")
            logs_in = run.startswith("uv run poe login")
            same(env, *([TOKEN | IDENTITY] if logs_in else [None, TOKEN, TOKEN | TEMPLATE]))
            if called:
                same(run.replace("-", "_").split()[:4], ["uv", "run", "poe", called])
                found.tells.add(f"{called}.")
            found.steps.append(Step(run, name, bool(env), TEMPLATE.items() <= (env or {}).items(), tracks, data))
            found.may |= {"cloud"} if logs_in else set()
    else:
        understand_task(step, found, values)


def understand_task(step: dict, found: Job, values: dict[str, str]) -> None:
    task, _, condition, inputs = take(step, "task", "displayName", "condition", "inputs")
    same(condition, "succeededOrFailed()" if task.startswith("Publish") else None)
    if task == "UsePythonVersion@0":
        take(inputs, "versionSpec")
    elif task == "Cache@2":
        key, _, path = take(inputs, "key", "restoreKeys", "path")
        same((key.split(" | ")[0], path), ("uv", "$(UV_CACHE_DIR)"))
        same(values["UV_CACHE_DIR"], "$(Pipeline.Workspace)/.uv-cache")
        found.caches.add("uv")
    elif task == "DownloadPipelineArtifact@2":
        other, path = take(inputs, "artifactName", "targetPath")
        same((path, bool(found.steps)), (f"{SOURCES}build/{other}", False))
        found.takes.add(other)
    elif task == "PublishTestResults@2":
        same(inputs, {"testResultsFormat": "JUnit", "testResultsFiles": "build/test-reports/*.xml"})
        same(bool(found.steps), True)
    elif task == "PublishCodeCoverageResults@2":
        same(inputs, {"summaryFileLocation": f"{SOURCES}build/coverage.xml"})
        found.reports = True
    else:
        raise UnreadableError(f"{task} where nothing of the kind stands in a render")
