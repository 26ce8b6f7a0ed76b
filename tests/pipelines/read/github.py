"""GitHub's workflows, read back without the help of what wrote them."""

import re
from pathlib import Path

from tests.pipelines.flows import Flow, Job, Step, UnreadableError, must_tell, skipped_together
from tests.pipelines.read import login
from tests.pipelines.read.text import load, pinned, same, take
from tests.project import registry

PINS = {pin["uses"]: pin["commit"] for pin in registry("hosts")["github"]["actions"].values()}
OWN_BRANCH = "github.event.pull_request.head.repo.full_name == github.repository"
TOLD = re.compile(r"needs\.(?P<by>[\w-]+)\.outputs\.(?P<told>\w+) == 'true'")
TOKEN = {"HOST_TOKEN": "${{ github.token }}"}
# GitHub's own token may not push a change of workflows.
PUSHING = {"HOST_TOKEN": "${{ secrets.TEMPLATE_UPDATE_TOKEN || github.token }}"}
TEMPLATE = {"TEMPLATE_TOKEN": "${{ secrets.TEMPLATE_TOKEN }}"}


def read(project: Path) -> dict[str, Flow]:
    folder = project / ".github" / "workflows"
    return {path.stem: workflow(project, load(path)) for path in sorted(folder.iterdir())}


def workflow(project: Path, document: dict) -> Flow:
    _, on, permissions, concurrency, jobs = take(document, "name", "on", "permissions", "concurrency", "jobs")
    same(permissions, {})
    push, request, queue, schedule, manual = take(
        on, "push", "pull_request", "merge_group", "schedule", "workflow_dispatch"
    )
    same(request, None, "")
    # A merge queue waits for the checks of a change request.
    same(("merge_group" in on, queue), ("pull_request" in on, request))
    inputs, paths = {}, None
    if push is not None:
        branches, paths = take(push, "branches", "paths")
        same(branches, ["main"])
    if manual:
        inputs = {name: asked(each) for name, each in take(manual, "inputs")[0].items()}
    group, cancel = take(concurrency, "group", "cancel-in-progress")
    same(group, "-".join(["${{ github.workflow }}", "${{ github.ref }}", *("${{ inputs." + n + " }}" for n in inputs)]))
    same(cancel, "true", "false")
    found = {name: job(project, name, each) for name, each in jobs.items()}
    for name, each in found.items():
        if told := TOLD.fullmatch(jobs[name].get("if", "")):
            must_tell(found, each, told["told"], told["by"])
            each.only_if = told["told"]
    skipped_together(found)
    for name in inputs:
        variables = {key for each in found.values() for key, text in each.variables.items() if text == f"input {name}"}
        inputs[name]["variable"] = ", ".join(variables)
    return Flow(
        jobs=found,
        push=None if push is None else paths or [],
        change_request="pull_request" in on,
        schedule=only_cron(schedule),
        manual="workflow_dispatch" in on,
        inputs=inputs,
        replaces=cancel == "true",
    )


def only_cron(schedule: list | None) -> str:
    if not schedule:
        return ""
    (one,) = schedule
    return take(one, "cron")[0]


def asked(each: dict) -> dict:
    text, kind, options, default, required = take(each, "description", "type", "options", "default", "required")
    same((kind, required), ("choice", "true"))
    return {"help": text, "choices": options, "default": default}


def job(project: Path, name: str, document: dict) -> Job:
    keys = "name needs if runs-on timeout-minutes environment concurrency permissions outputs env steps"
    title, needs, condition, runner, minutes, environment, lock, permissions, outputs, variables, steps = take(
        document, *keys.split()
    )
    environment, address = take(environment, "name", "url") if isinstance(environment, dict) else (environment, None)
    shows = False
    if not TOLD.fullmatch(condition or ""):
        same(condition, None, OWN_BRANCH)
    found = Job(
        steps=[],
        name=title,
        minutes=int(minutes or 0),
        needs=set(needs or []),
        environment=environment or "",
        lock=(lock or "").replace("${{ inputs.", "input ").replace(" }}", ""),
        only="change_request" if condition == OWN_BRANCH else "",
        runner="" if runner == "ubuntu-24.04" else runner,
        variables={key: text.replace("${{ inputs.", "input ").replace(" }}", "") for key, text in variables.items()},
    )
    (first, *others) = steps
    checkout(first, found)
    for each in others:
        if each.get("name") == "Install":
            install(each, found, TEMPLATE["TEMPLATE_TOKEN"])
        elif "run" in each:
            title, id_, run, env = take(each, "name", "id", "run", "env")
            env, tracks = login.without(login.TRACKERS, env, "${{ secrets.NAME }}")
            env, data = login.without(login.REMOTES, env, "${{ secrets.NAME }}")
            found.tells |= told_by(id_, run, outputs or {})
            own = PUSHING if permissions.get("contents") == "write" else TOKEN
            same(env, None, own, own | TEMPLATE)
            found.steps.append(Step(run, title, bool(env), TEMPLATE.items() <= (env or {}).items(), tracks, data))
            shows |= address == f"${{{{ steps.{id_}.outputs.url }}}}"
        else:
            use(project, each, found, name)
    same(shows, address is not None)
    found.address = shows
    same(permissions.get("packages"), None, "write")
    found.builds = permissions.pop("packages", "") == "write"
    same(found.tells, set(outputs or {}))
    found.may = rights(permissions, any("gate-check" in step.run for step in found.steps))
    return found


def told_by(id_: str | None, run: str, outputs: dict[str, str]) -> set[str]:
    """The outputs of a job that one of its steps writes; a step is called as its task."""
    if id_:
        same(run.split()[:4], ["uv", "run", "poe", id_])
    return {name for name, value in outputs.items() if id_ and value == f"${{{{ steps.{id_}.outputs.{name} }}}}"}


def rights(permissions: dict, is_gated: bool) -> set[str]:
    """What a job may do; a right that has no name in the description is its own."""
    given = dict(permissions)
    found = set()
    if given.get("actions") == "write":
        found.add("start")
    else:
        same(given.get("actions"), "read" if is_gated else None)
    if given.get("pull-requests") == "write":
        found.add("propose" if given.get("contents") == "write" else "comment")
    else:
        same(given.get("pull-requests"), None)
        same(given.get("contents"), "read")
    if given.get("id-token") == "write":
        found.add("cloud")
    return found | (given.keys() - {"actions", "pull-requests", "contents", "id-token"})


def checkout(step: dict, found: Job) -> None:
    _, uses, options = take(step, "name", "uses", "with")
    same(pinned(uses, PINS), "actions/checkout")
    depth, kept = take(options, "fetch-depth", "persist-credentials")
    same(kept, "false")
    same(depth, None, "0")
    found.history = depth == "0"


def use(project: Path, step: dict, found: Job, name: str) -> None:
    """An action: the project's own, uv, or something that is taken or kept."""
    _, always, uses, options = take(step, "name", "if", "uses", "with")
    if uses.startswith("./"):
        prepare(project / uses[2:] / "action.yml", found)
        return same(options, {"template-token": TEMPLATE["TEMPLATE_TOKEN"]} if found.login else None)
    action = pinned(uses, PINS)
    if action == "astral-sh/setup-uv":
        found.uv, cached, pruned = take(options, "version", "enable-cache", "prune-cache")
        same((cached, pruned), ("true", "true"))
        found.caches.add("uv")
    elif action == "actions/download-artifact":
        other, path = take(options, "name", "path")
        same((path, bool(found.steps)), (f"build/{other}", False))
        found.takes.add(other)
    elif action == "actions/upload-artifact":
        other, path, missing, days = take(options, "name", "path", "if-no-files-found", "retention-days")
        same(days, "30")
        found.reports = other == "tests"
        if found.reports:
            same((path, missing, always), ("build/test-reports\nbuild/coverage.xml\n", None, "${{ !cancelled() }}"))
        else:
            same((other, path, missing, always), (name, f"build/{name}", "error", None))
            found.keeps = True
    else:
        raise UnreadableError(f"{uses} where nothing of the kind stands in a render")
    return None


def prepare(path: Path, found: Job) -> None:
    _, _, inputs, runs = take(load(path), "name", "description", "inputs", "runs")
    using, steps = take(runs, "using", "steps")
    same(using, "composite")
    for step in steps:
        if step["name"] == "Install":
            same(step.pop("shell"), "bash")
            install(step, found, "${{ inputs.template-token }}")
        else:
            use(path, step, found, "")
    same(set(inputs or {}), {"template-token"} if found.login else set())


def install(step: dict, found: Job, token: str) -> None:
    """The step between uv and the first task that may read a private template."""
    _, run, env = take(step, "name", "run", "env")
    same((bool(found.uv), found.steps), (True, []))
    found.login = login.by_variables(run, env, token)
