"""Forgejo's workflow, read back without the help of what wrote it."""

from pathlib import Path

from tests.pipelines.flows import Flow, Job, Step, UnreadableError
from tests.pipelines.read import login
from tests.pipelines.read.text import load, pinned, same, take
from tests.project import registry

PINS = {f"https://github.com/{pin['uses']}": pin["commit"] for pin in registry("hosts")["forgejo"]["actions"].values()}


def read(project: Path) -> dict[str, Flow]:
    folder = project / ".forgejo" / "workflows"
    return {path.stem: workflow(load(path)) for path in sorted(folder.iterdir())}


def workflow(document: dict) -> Flow:
    _, on, permissions, concurrency, jobs = take(document, "name", "on", "permissions", "concurrency", "jobs")
    same(permissions, {"contents": "read"})
    push, request = take(on, "push", "pull_request")
    same(push, None, {"branches": ["main"]})
    same(request, None, "")
    group, cancel = take(concurrency, "group", "cancel-in-progress")
    same(group, "${{ github.workflow }}-${{ github.ref }}")
    return Flow(
        jobs={name: job(each) for name, each in jobs.items()},
        push=[] if push else None,
        change_request="pull_request" in on,
        replaces=cancel == "true",
    )


def job(document: dict) -> Job:
    name, runner, minutes, variables, steps = take(document, "name", "runs-on", "timeout-minutes", "env", "steps")
    same(runner, "docker")
    if len(steps) < 3:
        raise UnreadableError("a job has fewer steps than the checkout, uv and a task")
    checkout, uv, *others = steps
    _, uses, options = take(checkout, "name", "uses", "with")
    same(pinned(uses, PINS), "https://github.com/actions/checkout")
    same(options, {"persist-credentials": "false"})
    _, uses, options = take(uv, "name", "uses", "with")
    same(pinned(uses, PINS), "https://github.com/astral-sh/setup-uv")
    version, cached, pruned = take(options, "version", "enable-cache", "prune-cache")
    same((cached, pruned), ("true", "true"))
    reads = None
    if others[0]["name"] == "Install":
        _, run, env = take(others.pop(0), "name", "run", "env")
        reads = login.by_variables(run, env, "${{ secrets.TEMPLATE_TOKEN }}")
    found = [take(step, "name", "run") for step in others]
    return Job(
        steps=[Step(run, title) for title, run in found],
        name=name,
        minutes=int(minutes or 0),
        variables=variables or {},
        caches={"uv"},
        uv=version,
        login=reads,
    )
