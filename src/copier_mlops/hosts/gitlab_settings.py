"""The settings that `poe host-setup` keeps on GitLab: environments, main branch, labels and schedules."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from copier_mlops.hosts.api import Document
from copier_mlops.hosts.base import asks_several, matches, part
from copier_mlops.hosts.gates import gates
from copier_mlops.hosts.interface import HostError, Plan, Setting

if TYPE_CHECKING:
    from copier_mlops.hosts.gitlab import GitLab

MAINTAIN = "maintain the project (role Maintainer, scope api)"
NOBODY, DEVELOPERS, MAINTAINERS = 0, 30, 40
# A start by hand, a schedule and `monitor` name their flow by the pipeline variable FLOW, and projects of new groups on
# GitLab.com allow it to nobody. Developer is the least role that lets HOST_TOKEN do it. Inputs (`spec: inputs`) would
# need no such right, but a newer GitLab, and no test here could show that GitLab takes them from the API and schedules.
VARIABLES = {"ci_pipeline_variables_minimum_override_role": "developer"}
# The variables of CI, and whether only runs of protected branches get them.
TOKENS = {"HOST_TOKEN": True, "COMMENT_TOKEN": False}
APPROVALS = "Approvals of the template"


def settings(host: GitLab) -> list[Setting]:
    """Return one setting for each gate, label and schedule, three for the main branch and four for pipelines."""
    branch = host.wanted.branch.name
    return [
        *[Setting(f"environment {gate}", partial(environment, host, gate)) for gate in gates()],
        Setting(f"branch {branch}", lambda: branch_rules(host)),
        Setting(f"approvals on branch {branch}", lambda: approvals(host)),
        Setting(f"check on branch {branch}", lambda: check(host)),
        Setting("pipeline variables", lambda: project(host, VARIABLES, "Developers may start a flow by its name")),
        Setting("self-approval", lambda: self_approval(host)),
        *[Setting(f"variable {name}", partial(variable, host, name)) for name in TOKENS],
        *[Setting(f"label {name}", partial(label, host, name)) for name in host.wanted.labels],
        *[Setting(f"schedule {flow}", partial(schedule, host, flow)) for flow in host.wanted.schedules],
    ]


def environment(host: GitLab, gate: str) -> Plan:
    """Plan a protected environment, a part of Premium (Protected environments: get, protect, update)."""
    names = host.approvers(gate)
    wanted = [identity(host, name) for name in names]
    path = host.path("protected_environments")
    found = host.api.get(f"{path}/{part(gate)}", MAINTAIN, optional=True)
    text = f"asks {', '.join(names)}"
    rules = (found or {}).get("approval_rules") or []
    asked = [{**each, "required_approvals": 1} for each in wanted]
    if found and matches(asked, rules):
        return Plan("ok", text)
    if found:
        # GitLab removes a rule that is named by its number, and adds one that has no number.
        old_rules = [{"id": each["id"], "_destroy": True} for each in rules]
        old_levels = [{"id": each["id"], "_destroy": True} for each in found.get("deploy_access_levels") or []]
        body = {"deploy_access_levels": [*old_levels, *wanted], "approval_rules": [*old_rules, *asked]}
        return Plan("change", text, lambda: host.api.send("PUT", f"{path}/{part(gate)}", MAINTAIN, body))

    def apply() -> None:
        listed = host.api.get(host.path("environments"), MAINTAIN, name=gate)
        if not listed:
            host.api.send("POST", host.path("environments"), MAINTAIN, {"name": gate})
        body = {"name": gate, "deploy_access_levels": wanted, "approval_rules": asked}
        host.api.send("POST", path, MAINTAIN, body)

    return Plan("create", text, apply)


def identity(host: GitLab, name: str) -> dict[str, int]:
    """Find a person or a group (Users: list, by user name; Groups: get one, by its path)."""
    if name.startswith("team:"):
        group = host.api.get(f"groups/{part(name.removeprefix('team:'))}", "read groups", optional=True)
        found = [group] if group else []
        key = "group_id"
    else:
        found = host.api.get("users", "read users", username=name)
        key = "user_id"
    if not found:
        raise HostError(f"GitLab knows no {name!r}", "approvers in operation/configuration/host.yaml")
    return {key: found[0]["id"]}


def branch_rules(host: GitLab) -> Plan:
    """Plan the rules of the main branch (Protected branches: get, protect and update)."""
    name = host.wanted.branch.name
    path = host.path("protected_branches")
    text = "merge requests only, no force push"
    found = host.api.get(f"{path}/{part(name)}", MAINTAIN, optional=True)
    body = {
        "name": name,
        "push_access_level": NOBODY,
        "merge_access_level": DEVELOPERS,
        "allow_force_push": False,
    }
    if found is None:
        return Plan("create", text, lambda: host.api.send("POST", path, MAINTAIN, body))
    pushes = [each.get("access_level") for each in found.get("push_access_levels") or []]
    if pushes == [NOBODY] and not found.get("allow_force_push"):
        return Plan("ok", text)
    old = [{"id": each["id"], "_destroy": True} for each in found.get("push_access_levels") or []]
    better = {"allowed_to_push": [*old, {"access_level": NOBODY}], "allow_force_push": False}
    return Plan("change", text, lambda: host.api.send("PATCH", f"{path}/{part(name)}", MAINTAIN, better))


def approvals(host: GitLab) -> Plan:
    """Plan the number of approvals, a part of Premium (Merge request approvals: list, create, update project rules)."""
    count = host.wanted.branch.approvals
    text = f"needs {count} approvals"
    path = host.path("approval_rules")
    body = {"name": APPROVALS, "approvals_required": count}
    known = next((each for each in host.api.pages(path, MAINTAIN) if each["name"] == APPROVALS), None)
    if known is None:
        return Plan("create", text, lambda: host.api.send("POST", path, MAINTAIN, body)) if count else Plan("ok", text)
    if known["approvals_required"] == count:
        return Plan("ok", text)
    return Plan("change", text, lambda: host.api.send("PUT", f"{path}/{known['id']}", MAINTAIN, body))


def check(host: GitLab) -> Plan:
    """Plan that a pipeline must pass before a merge (Projects: get and edit one)."""
    return project(host, {"only_allow_merge_if_pipeline_succeeds": True}, "a pipeline must pass before a merge")


def self_approval(host: GitLab) -> Plan:
    """Plan that nobody approves a pipeline of their own, if every gate has a second person to ask."""
    if not all(asks_several(getattr(host.wanted.approvers, gate)) for gate in gates()):
        return Plan("ok", "a gate has only one approver, so that it is not prevented")
    return project(host, {"allow_pipeline_trigger_approve_deployment": False}, "is prevented")


def project(host: GitLab, wanted: Document, text: str) -> Plan:
    """Plan attributes of the project, but only those that this GitLab knows (Projects: get and edit one)."""
    found = host.api.get(host.path(), MAINTAIN)
    if matches({key: value for key, value in wanted.items() if key in found}, found):
        return Plan("ok", text)
    return Plan("change", text, lambda: host.api.send("PUT", host.path(), MAINTAIN, wanted))


def variable(host: GitLab, name: str) -> Plan:
    """Plan who gets a token of CI (Project-level CI/CD variables: get and update one)."""
    path = host.path("variables", name)
    found = host.api.get(path, MAINTAIN, optional=True)
    runs = "protected: only runs of protected branches get it" if TOKENS[name] else "for the comments of merge requests"
    if found is None:
        return Plan("by hand", f"add it in Settings, CI/CD, Variables, masked and {runs}")
    if found["protected"] or not TOKENS[name]:
        return Plan("ok", runs)
    return Plan("change", runs, lambda: host.api.send("PUT", path, MAINTAIN, {"protected": True}))


def label(host: GitLab, name: str) -> Plan:
    """Plan a label (Labels: get, create and edit one of a project)."""
    wanted = host.wanted.labels[name]
    body = {"color": f"#{wanted.color}", "description": wanted.description}
    path = host.path("labels")
    found = host.api.get(f"{path}/{part(name)}", MAINTAIN, optional=True)
    if found is None:
        new = {"name": name, **body}
        return Plan("create", wanted.description, lambda: host.api.send("POST", path, MAINTAIN, new))
    if found["color"].lower() == body["color"] and found["description"] == body["description"]:
        return Plan("ok", wanted.description)
    return Plan("change", wanted.description, lambda: host.api.send("PUT", f"{path}/{part(name)}", MAINTAIN, body))


def schedule(host: GitLab, flow: str) -> Plan:
    """Plan a schedule and its variable FLOW (Pipeline schedules: list, get, create and edit one)."""
    cron = host.wanted.schedules[flow]
    body = {
        "description": flow,
        "ref": f"refs/heads/{host.wanted.branch.name}",
        "cron": cron,
        "cron_timezone": "UTC",
        "active": True,
    }
    path = host.path("pipeline_schedules")
    known = next((each for each in host.api.pages(path, MAINTAIN) if each["description"] == flow), None)
    variable = {"key": "FLOW", "value": flow}

    def create() -> None:
        made = host.api.send("POST", path, MAINTAIN, body)
        host.api.send("POST", f"{path}/{made['id']}/variables", MAINTAIN, variable)

    if known is None:
        return Plan("create", cron, create)
    place = f"{path}/{known['id']}"
    known_variables = host.api.get(place, MAINTAIN).get("variables") or []
    has_flow = any(matches(variable, each) for each in known_variables)
    same = known["ref"].removeprefix("refs/heads/") == host.wanted.branch.name
    if same and has_flow and matches({"cron": cron, "cron_timezone": "UTC", "active": True}, known):
        return Plan("ok", cron)

    def change() -> None:
        host.api.send("PUT", place, MAINTAIN, body)
        if has_flow:
            return
        if any(each["key"] == "FLOW" for each in known_variables):
            host.api.send("PUT", f"{place}/variables/FLOW", MAINTAIN, variable)
        else:
            host.api.send("POST", f"{place}/variables", MAINTAIN, variable)

    return Plan("change", cron, change)
