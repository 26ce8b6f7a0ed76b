"""Render the flows as Bitbucket Pipelines: one file, in which each job is a step, in the order of the jobs."""

import re
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.mergevalue import MergeValue

from extensions.hosts import login, work
from extensions.hosts.document import YOURS, before, inline, quoted, text_of
from extensions.hosts.flows import Answers, Flow, Input, Job, flows_of, load
from extensions.hosts.variants import answer, image

Flows = dict[str, Flow]
# Bitbucket reuses a step by a YAML anchor, so a job of a flow that can start in several ways is an anchor.
Steps = dict[str, CommentedMap]
# A group has no variable in its name, so all jobs that change an environment share one.
ENVIRONMENTS = "environments"
SECTION = re.compile("^(?=definitions:|pipelines:)", re.MULTILINE)


def files(answers: Answers) -> dict[str, str]:
    """Return the files of a project by their paths."""
    owners = {".bitbucket/CODEOWNERS": work.owners("team@example.org")} if answers.level >= 3 else {}
    return {"bitbucket-pipelines.yml": root(flows_of(answers), answers)} | owners


def root(flows: Flows, answers: Answers) -> str:
    """Return the file: the steps of flows that a push starts, and the triggers of all flows."""
    log_in = login.command()
    log_in.yaml_set_anchor("template-login", always_dump=True)
    shared = {
        id: anchored(id, step(job, flow, answers, log_in))
        for flow in flows.values()
        if flow.push is not None
        for id, job in flow.jobs.items()
    }
    pipelines: dict[str, Any] = {
        "pull-requests": {quoted("**"): on_change(flows, shared)},
        "branches": {"main": on_main(flows, shared)},
    }
    if answers.level >= 3:
        pipelines["custom"] = by_hand(flows, shared, answers, log_in)
    document = {
        "image": image("bitbucket"),
        "definitions": {"caches": caches(), "steps": [{"step": each} for each in shared.values()]},
        "pipelines": pipelines,
    }
    releases = ", and the releases to production" if answers.level >= 3 else ""
    about = f"# The checks of every push and pull request{releases}. Managed by the template.\n"
    return about + SECTION.sub("\n", text_of(document))


def anchored(name: str, found: CommentedMap) -> CommentedMap:
    """Return a mapping that is written out once, as an anchor, and referred to afterwards."""
    found.yaml_set_anchor(name, always_dump=True)
    return found


def merged(base: CommentedMap, found: CommentedMap) -> CommentedMap:
    """Return a mapping that inherits from an anchored one, by `<<`."""
    bases = MergeValue()
    bases.append(base)
    bases.merge_pos = 0
    found.add_yaml_merge(bases)
    return found


def caches() -> dict[str, Any]:
    """Return uv's cache."""
    return {"uv": {"key": {"files": inline(["uv.lock"])}, "path": "~/.cache/uv"}}


def step(job: Job, flow: Flow, answers: Answers, log_in: Any) -> CommentedMap:
    """Return the step of one job; every line of its script is one task of poe_tasks.toml."""
    found = CommentedMap(name=job.name)
    if job.gate:
        found["trigger"] = "manual"
    if job.environment:
        found["deployment"] = job.environment
    if condition := flow.condition(job.id):
        found["condition"] = {"state": f"{condition} == true"}
    if not flow.replaces:
        found["concurrency-group"] = ENVIRONMENTS if job.stage else flow.id
    if job.heavy and answers.heavy:
        found["runs-on"] = inline(["self.hosted", "linux", quoted(answer("heavy_runner"))])
    found["max-time"] = job.minutes
    if "cloud" in job.may:
        found["oidc"] = True
    if job.history:
        found["clone"] = {"depth": "full"}
    if job.builds:
        found["services"] = inline(["docker"])
    found["caches"] = inline(["uv"])
    found["script"] = CommentedSeq([log_in] if answers.installs_from_server else [])
    if answers.installs_from_server and job.id == "ci":
        before(found["script"], 0, login.WHY_COMMAND, 10)
    for each in job.steps:
        found["script"] += [f"uv run poe {each.run}", *([YOURS] * each.yours)]
    found["after-script"] = inline([load("commands")["prune"]])
    if said := [each.says for each in job.steps if each.says]:
        found["output-variables"] = inline(said)
    if kept := artifacts(job, flow):
        found["artifacts"] = kept
    return found


def artifacts(job: Job, flow: Flow) -> dict[str, Any]:
    """Return the artifacts that a step downloads and uploads; by default, Bitbucket downloads all earlier ones."""
    found: dict[str, Any] = {}
    if job.needs and any(each.keeps for each in flow.jobs.values()):
        found["download"] = inline(job.takes) if job.takes else False
    if job.keeps:
        found["upload"] = [{"name": job.id, "paths": inline([f"build/{job.id}/**"])}]
    return found


def on_change(flows: Flows, shared: Steps) -> list[dict[str, Any]]:
    """Return the steps of a pull request."""
    return [{"step": shared[id]} for flow in flows.values() if flow.change_request for id in flow.jobs]


def on_main(flows: Flows, shared: Steps) -> CommentedSeq:
    """Return the steps of a push to main; a flow may start only if one of its paths has changed."""
    found = CommentedSeq()
    for flow in flows.values():
        if flow.push == []:
            found += [{"step": shared[id]} for id, job in flow.jobs.items() if job.only != "change_request"]
        elif flow.push:
            changed = anchored(f"{flow.id}-paths", CommentedMap(changesets={"includePaths": flow.push}))
            start = len(found)
            for id in flow.jobs:
                # Without the paths nothing says that a later job may run, so its own condition is enough.
                bare = shared[id] if flow.condition(id) else merged(shared[id], CommentedMap(condition=changed))
                found.append({"step": bare})
            before(found, start, f"{flow.name}, only if one of its paths has changed.", 6)
    return found


def by_hand(flows: Flows, shared: Steps, answers: Answers, log_in: Any) -> CommentedMap:
    """Return the flows that a person or a schedule starts."""
    found = CommentedMap()
    for id, flow in flows.items():
        if not (flow.manual or flow.schedule):
            continue
        steps = [
            shared[name] if flow.push is not None else step(job, flow, answers, log_in)
            for name, job in flow.jobs.items()
        ]
        asked = [{"variables": [variable(each) for each in flow.inputs]}] if flow.inputs else []
        found[id] = [*asked, *({"step": each} for each in steps)]
        if flow.schedule:
            before(found, id, f"Its schedule is a setting of the repository: {flow.schedule} (UTC).", 4)
    return found


def variable(each: Input) -> dict[str, Any]:
    """Return the inputs of a flow that is started by hand."""
    return {
        "name": each.variable,
        "description": each.help,
        "default": each.default,
        "allowed-values": inline(each.choices),
    }
