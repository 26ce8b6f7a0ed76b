"""Render the flow `ci` as a workflow of Forgejo Actions and Gitea, whose jobs have no rights on the host."""

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from extensions.hosts import login, work
from extensions.hosts.document import YOURS, after, before, inline, quoted, text_below, text_of
from extensions.hosts.flows import Answers, Flow, Job, flows_of, load
from extensions.hosts.github import CACHED


def files(answers: Answers) -> dict[str, str]:
    """Return the files of a project by their paths."""
    found = {".forgejo/workflows/ci.yml": workflow(flows_of(answers)["ci"], answers)}
    if answers.level >= 3:
        found[".forgejo/pull_request_template.md"] = work.CHANGE_REQUEST
        found |= work.forms(".forgejo/issue_template", about="about")
    return found


def workflow(flow: Flow, answers: Answers) -> str:
    """Return the workflow of a flow."""
    group = "${{ github.workflow }}-${{ github.ref }}"
    head: list[dict[str, Any]] = [
        {"name": flow.name},
        {"on": {"push": {"branches": inline(["main"])}, "pull_request": None}},
        {"permissions": {"contents": "read"}},
        {"concurrency": {"group": group, "cancel-in-progress": flow.replaces}},
    ]
    jobs = [{id: job(each, answers)} for id, each in flow.jobs.items() if not each.may]
    return f"# {flow.title}\n{text_of(*head)}\n{text_below('jobs', *jobs)}"


def job(each: Job, answers: Answers) -> CommentedMap:
    """Return one job."""
    steps = CommentedSeq([use("checkout", "Check out", {"persist-credentials": False})])
    steps.append(use("uv", "Install uv", {"version": load("tested")["uv"]} | CACHED))
    if answers.installs_from_server:
        token = login.variables("${{ secrets.TEMPLATE_TOKEN }}")
        steps.append({"name": "Install", "run": login.install(), "env": token})
        before(steps, len(steps) - 1, login.WHY_INSTALL, 6)
    for step in each.steps:
        steps.append({"name": step.name, "run": f"uv run poe {step.run}"})
        steps += [YOURS] * step.yours
    return CommentedMap(
        {
            "name": each.name,
            "runs-on": "docker",
            "timeout-minutes": each.minutes,
            "env": {"UV_LOCKED": quoted("1")},
            "steps": steps,
        }
    )


def use(action: str, title: str, inputs: dict[str, object]) -> CommentedMap:
    """Return a step that uses an action of hosts.yml by its full URL, pinned to its commit."""
    pin = load("hosts")["forgejo"]["actions"][action]
    found = CommentedMap(name=title, uses=f"https://github.com/{pin['uses']}@{pin['commit']}")
    after(found, "uses", pin["version"])
    found["with"] = inputs
    return found
