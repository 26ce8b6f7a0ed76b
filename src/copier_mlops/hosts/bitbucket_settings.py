"""The settings that `poe host-setup` keeps on Bitbucket: pipelines, environments, branch and schedules."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from copier_mlops.hosts.api import Document
from copier_mlops.hosts.base import matches, part
from copier_mlops.hosts.gates import gates
from copier_mlops.hosts.interface import HostError, Plan, Setting

if TYPE_CHECKING:
    from copier_mlops.hosts.bitbucket import Bitbucket

ADMIN = "administer the repository (scopes repository:admin, pipeline:write)"
RESTRICTED = {"type": "deployment_restrictions_configuration", "admin_only": True}
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def settings(host: Bitbucket) -> list[Setting]:
    """Return one setting for each gate, rule of the main branch and schedule."""
    rules = {
        "force": {},
        "delete": {},
        "require_approvals_to_merge": {"value": host.wanted.branch.approvals},
        "require_passing_builds_to_merge": {"value": 1},
    }
    branch = host.wanted.branch.name
    return [
        Setting("pipelines", lambda: pipelines(host)),
        *[Setting(f"environment {gate}", partial(environment, host, gate)) for gate in gates()],
        *[Setting(f"{kind} on branch {branch}", partial(rule, host, kind, rules[kind])) for kind in rules],
        *[Setting(f"schedule {flow}", partial(schedule, host, flow)) for flow in host.wanted.schedules],
        Setting("labels", lambda: Plan("ok", "Bitbucket has none for pull requests")),
    ]


def pipelines(host: Bitbucket) -> Plan:
    """Plan that pipelines are on (Pipelines: get and update the configuration of a repository)."""
    path = host.path("pipelines_config")
    found = host.api.get(path, ADMIN, optional=True)
    if found and found.get("enabled"):
        return Plan("ok", "are on")
    return Plan("change", "are switched on", lambda: host.api.send("PUT", path, ADMIN, {"enabled": True}))


def environment_of(host: Bitbucket, name: str) -> Document | None:
    """Find an environment by its name (Deployments: list environments)."""
    listed = host.api.pages(host.path("environments"), "read environments (scope pipeline)", pagelen=100)
    return next((each for each in listed if each["name"] == name), None)


def environment(host: Bitbucket, gate: str) -> Plan:
    """Plan an environment to which only administrators deploy, a part of Premium (Deployments: create and change)."""
    if host.approvers(gate) != ["administrators"]:
        raise HostError(f"Bitbucket can ask only administrators at {gate}", f"approvers.{gate}: [administrators]")
    found = environment_of(host, gate)
    text = "only administrators deploy"
    if found and (found.get("restrictions") or {}).get("admin_only") is True:
        return Plan("ok", text)

    def apply() -> None:
        if found:
            place = host.path("environments", found["uuid"], "changes")
            host.api.send("POST", place, ADMIN, {"change": {"restrictions": RESTRICTED}})
        else:
            kind = {"type": "deployment_environment_type", "name": gates()[gate].bitbucket}
            new = {"type": "deployment_environment", "name": gate, "environment_type": kind}
            host.api.send("POST", host.path("environments"), ADMIN, {**new, "restrictions": RESTRICTED})
        # The host may accept the change and ignore it, for example without Premium.
        if not host.protection(gate):
            fix = f"Repository settings, Deployments, {gate}: only allow admins to deploy (Bitbucket Premium)"
            raise HostError(f"Bitbucket did not restrict the environment {gate}", fix)

    return Plan("change" if found else "create", text, apply)


def rule(host: Bitbucket, kind: str, values: dict[str, int]) -> Plan:
    """Plan a rule of the main branch (Branch restrictions: list, create and update)."""
    body = {"kind": kind, "branch_match_kind": "glob", "pattern": host.wanted.branch.name, **values}
    text = f"value {values['value']}" if values else "nobody may"
    path = host.path("branch-restrictions")
    listed = host.api.pages(path, ADMIN, kind=kind, pattern=host.wanted.branch.name, pagelen=100)
    # Bitbucket may answer with more rules than requested.
    known = next((each for each in listed if (each["kind"], each["pattern"]) == (kind, body["pattern"])), None)
    if known is None and values.get("value") == 0:
        return Plan("ok", text)
    if known is None:
        return Plan("create", text, lambda: host.api.send("POST", path, ADMIN, body))
    if matches(values, known):
        return Plan("ok", text)
    return Plan("change", text, lambda: host.api.send("PUT", f"{path}/{part(known['id'])}", ADMIN, body))


def schedule(host: Bitbucket, flow: str) -> Plan:
    """Plan a schedule: a change of its time needs a new one (Pipelines: list, create and delete schedules)."""
    cron = quartz(host.wanted.schedules[flow])
    target = {
        "type": "pipeline_ref_target",
        "ref_type": "branch",
        "ref_name": host.wanted.branch.name,
        "selector": {"type": "custom", "pattern": flow},
    }
    body = {"type": "pipeline_schedule", "target": target, "cron_pattern": cron, "enabled": True}
    path = host.path("pipelines_config", "schedules")
    listed = list(host.api.pages(path, ADMIN, pagelen=100))
    known = [each for each in listed if matches(target["selector"], (each.get("target") or {}).get("selector"))]
    text = host.wanted.schedules[flow]
    if len(known) == 1 and matches({"cron_pattern": cron, "enabled": True}, known[0]):
        return Plan("ok", text)

    def apply() -> None:
        for each in known:
            host.api.send("DELETE", f"{path}/{part(each['uuid'])}", ADMIN, None)
        host.api.send("POST", path, ADMIN, body)

    return Plan("change" if known else "create", text, apply)


def quartz(cron: str) -> str:
    """Convert a cron schedule of five fields to the seven of Bitbucket: it adds seconds and years, and one day is open.

    Raises:
        HostError: It does not have five fields, or has both a day of the month and a day of the week.
    """
    fields = cron.split()
    good = len(fields) == 5 and re.fullmatch(r"\*|[0-7]([-,][0-7])*", fields[4])
    if not good or "*" not in (fields[2], fields[4]):
        fix = "schedules in operation/configuration/host.yaml: minute hour day month weekday, one of the days *"
        raise HostError(f"{cron!r} is not a schedule that Bitbucket supports", fix)
    minute, hour, day, month, weekday = fields
    if weekday == "*":
        return f"0 {minute} {hour} {day} {month} ? *"
    # Quartz counts the days of the week from 1, cron from 0, but both know their names.
    named = "".join(DAYS[int(letter)] if letter.isdigit() else letter for letter in weekday)
    return f"0 {minute} {hour} ? {month} {named} *"
