"""Bitbucket's file, read back without the help of what wrote it.

Aliases are resolved, and each step needs the one before.
"""

import re
from pathlib import Path

from tests.pipelines.flows import Flow, Job, Step, UnreadableError
from tests.pipelines.read import login
from tests.pipelines.read.text import load, same, take

IMAGE = re.compile(r"ghcr\.io/astral-sh/uv:(\d+\.\d+\.\d+)-python3\.1[123]-trixie")
CACHES = {"uv": {"key": {"files": ["uv.lock"]}, "path": "~/.cache/uv"}}
PRUNE = ["uv cache prune --ci"]


def read(project: Path) -> dict[str, Flow]:
    image, definitions, pipelines = take(load(project / "bitbucket-pipelines.yml"), "image", "definitions", "pipelines")
    version = IMAGE.fullmatch(image)
    if not version:
        raise UnreadableError(f"the image {image} is not pinned")
    caches, named = take(definitions, "caches", "steps")
    same(caches, CACHES)
    ids = {take(each, "step")[0]["name"]: None for each in named}
    requests, branches, custom = take(pipelines, "pull-requests", "branches", "custom")
    flows = {name: by_hand(each, version.group(1)) for name, each in (custom or {}).items()}
    flows["ci"] = Flow(jobs(take(requests, "**")[0], version.group(1)), change_request=True)
    pushed(take(branches, "main")[0], flows, version.group(1))
    if unused := ids.keys() - {job.name for flow in flows.values() for job in flow.jobs.values()}:
        raise UnreadableError(f"no pipeline runs {sorted(unused)}")
    return flows


def by_hand(items: list, version: str) -> Flow:
    inputs = {}
    if "variables" in items[0]:
        for each in take(items[0], "variables")[0]:
            name, text, default, choices = take(each, "name", "description", "default", "allowed-values")
            inputs[name.removeprefix("OPERATION_").lower()] = {
                "help": text,
                "choices": choices,
                "default": default,
                "variable": name,
            }
        items = items[1:]
    flow = Flow(jobs(items, version), manual=True, inputs=inputs)
    for job in flow.jobs.values():
        job.variables = {each["variable"]: f"input {name}" for name, each in inputs.items()}
    return flow


def pushed(items: list, flows: dict[str, Flow], version: str) -> None:
    """What a push to main runs: one pipeline with the steps of several flows, some where their paths have changed."""
    homes = {job.name: name for name, flow in flows.items() for job in flow.jobs.values() if name in ("ci", "cd")}
    parts: dict[str, list] = {}
    for item in items:
        step = take(item, "step")[0]
        if step.get("name") not in homes:
            raise UnreadableError(f"nobody knows the step {step.get('name')}")
        parts.setdefault(homes[step["name"]], []).append(step)
    for name, steps in parts.items():
        # A step that waits for what an earlier one tells needs no paths: without the earlier one, nothing is told.
        conditions = [step.get("condition") for step in steps if "state" not in (step.get("condition") or {})]
        if conditions.count(conditions[0]) < len(conditions):
            raise UnreadableError(f"the steps of {name} have different conditions on a push")
        paths = take(take(conditions[0], "changesets")[0], "includePaths")[0] if conditions[0] else []
        bare = [{"step": {key: value for key, value in step.items() if value != conditions[0]}} for step in steps]
        flow = flows[name]
        here = jobs(bare, version)
        alone = {id_: job for id_, job in flow.jobs.items() if id_ not in here}
        if here != {id_: flow.jobs[id_] for id_ in flow.jobs if id_ in here}:
            raise UnreadableError(f"a push runs {name} otherwise than by hand: {list(here)}, not {list(flow.jobs)}")
        for job in alone.values():
            same(name, "ci")
            job.only = "change_request"
        flow.push = paths


def told(condition: dict | None) -> str:
    """What an earlier step must have told."""
    state = take(condition, "state")[0] if condition else " == true"
    name, _, value = state.partition(" == ")
    same(value, "true")
    return name


def jobs(items: list, version: str) -> dict[str, Job]:
    """The steps of a pipeline, each of which waits for the one before."""
    found: dict[str, Job] = {}
    kept: set[str] = set()
    for position, item in enumerate(items):
        id_, job = understand(take(item, "step")[0], kept, version)
        job.needs = set(list(found)[-1:])
        if job.only_if and not any(job.only_if in other.tells for other in found.values()):
            raise UnreadableError(f"{job.name} waits for {job.only_if}, which no step before it tells")
        if job.manual and not position:
            raise UnreadableError("the first step of a pipeline cannot wait for a person")
        found[id_] = job
        kept |= {id_} if job.keeps else set()
    return found


def understand(step: dict, kept: set[str], version: str) -> tuple[str, Job]:
    keys = "name trigger deployment condition concurrency-group runs-on max-time oidc clone services caches script"
    name, trigger, deployment, condition, group, runner, minutes, oidc, clone, services, caches, script, *ends = take(
        step, *keys.split(), "after-script", "output-variables", "artifacts"
    )
    after, tells, artifacts = ends
    same(trigger, None, "manual")
    same(clone, None, {"depth": "full"})
    same(oidc, None, "true")
    same(after, PRUNE)
    same(services, None, ["docker"])
    if runner:
        same(runner[:2], ["self.hosted", "linux"])
    download, upload = take(artifacts or {}, "download", "upload")
    id_ = ""
    if upload:
        (entry,) = upload
        id_, paths = take(entry, "name", "paths")
        same(paths, [f"build/{id_}/**"])
    first, *lines = script
    reads = login.by_command(first) if first.startswith("git ") else None
    script = lines if reads else script
    job = Job(
        steps=[Step(line) for line in script],
        name=name,
        minutes=int(minutes or 0),
        takes=set(download) if isinstance(download, list) else set() if download == "false" else set(kept),
        keeps=bool(upload),
        builds=bool(services),
        environment=deployment or "",
        manual=trigger == "manual",
        lock=group or "",
        only_if=told(condition),
        tells=set(tells or []),
        runner=runner[2] if runner else "",
        history=bool(clone),
        may={"cloud"} if oidc else set(),
        caches=set(caches or []),
        uv=version,
        login=reads,
    )
    return id_ or name.lower(), job
