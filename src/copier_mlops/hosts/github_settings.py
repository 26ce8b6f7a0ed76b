"""The settings that `poe host-setup` keeps on GitHub: environments, rules of the main branch and labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from copier_mlops.hosts.api import Document
from copier_mlops.hosts.base import matches, part
from copier_mlops.hosts.gates import gates
from copier_mlops.hosts.interface import HostError, Plan, Setting

if TYPE_CHECKING:
    from copier_mlops.hosts.github import GitHub

ADMIN = "administer the repository (administration: write)"
LABELS = "write labels (issues: write)"
RULES = "Main branch"
MOST_REVIEWERS = 6


def settings(host: GitHub) -> list[Setting]:
    """Return one setting for each gate, for the main branch and for each label."""
    return [
        *[Setting(f"environment {gate}", partial(environment, host, gate)) for gate in gates()],
        Setting(f"rules of branch {host.wanted.branch.name}", lambda: ruleset(host)),
        *[Setting(f"label {name}", partial(label, host, name)) for name in host.wanted.labels],
    ]


def reviewers(found: Document) -> dict[tuple[str, int], str]:
    """Return the reviewers of an environment: the name of each by kind and number."""
    rules = [rule for rule in found.get("protection_rules") or [] if rule.get("type") == "required_reviewers"]
    asked = [each for rule in rules for each in rule.get("reviewers") or []]
    return {
        (each["type"], each["reviewer"]["id"]): each["reviewer"].get("login") or f"team:{each['reviewer']['slug']}"
        for each in asked
    }


def environment(host: GitHub, gate: str) -> Plan:
    """Plan an environment with its reviewers (Deployments / Environments: get, create or update)."""
    names = host.approvers(gate)
    if len(names) > MOST_REVIEWERS:
        raise HostError(f"GitHub asks at most {MOST_REVIEWERS} reviewers, {gate} has {len(names)}", "name a team")
    wanted = {_identity(host, name): name for name in names}
    path = host.path("environments", gate)
    found = host.api.get(path, ADMIN, optional=True)
    asked = reviewers(found or {})
    if asked.keys() == wanted.keys():
        return Plan("ok", f"asks {', '.join(asked.values())}")
    rules = {rule["type"]: rule for rule in (found or {}).get("protection_rules") or []}
    body = {
        # A PUT replaces everything, so settings of others are sent again.
        "wait_timer": rules.get("wait_timer", {}).get("wait_timer", 0),
        "prevent_self_review": rules.get("required_reviewers", {}).get("prevent_self_review", False),
        "deployment_branch_policy": (found or {}).get("deployment_branch_policy"),
        "reviewers": [{"type": kind, "id": number} for kind, number in wanted],
    }
    return Plan(
        "change" if found else "create",
        f"asks {', '.join(names)}",
        lambda: host.api.send("PUT", path, ADMIN, body),
    )


def _identity(host: GitHub, name: str) -> tuple[str, int]:
    """Find a person or a team (Users: get a user, Teams: get a team by name)."""
    owner = host.repository.partition("/")[0]
    team = name.removeprefix("team:")
    path = f"users/{part(name)}" if team == name else f"orgs/{part(owner)}/teams/{part(team)}"
    found = host.api.get(path, "read members (members: read)", optional=True)
    if not found:
        raise HostError(f"GitHub knows no {name!r}", "approvers in operation/configuration/host.yaml")
    return ("User" if team == name else "Team", found["id"])


def ruleset(host: GitHub) -> Plan:
    """Plan the rules of the main branch (Repos / Rules: list, get, create and update repository rulesets)."""
    branch = host.wanted.branch
    wanted = {
        "name": RULES,
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": [f"refs/heads/{branch.name}"], "exclude": []}},
        "rules": [
            {"type": "deletion"},
            {"type": "non_fast_forward"},
            {
                "type": "pull_request",
                "parameters": {
                    "required_approving_review_count": branch.approvals,
                    "dismiss_stale_reviews_on_push": True,
                    "require_code_owner_review": False,
                    "require_last_push_approval": False,
                    "required_review_thread_resolution": False,
                },
            },
            {
                "type": "required_status_checks",
                "parameters": {
                    "strict_required_status_checks_policy": False,
                    "required_status_checks": [{"context": branch.check}],
                },
            },
        ],
    }
    listed = host.api.pages(host.path("rulesets"), ADMIN, includes_parents="false", per_page=100)
    known = next((each for each in listed if each["name"] == RULES), None)
    text = f"needs {branch.check} and {branch.approvals} approvals, no force push, no deletion"
    if known is None:
        return Plan("create", text, lambda: host.api.send("POST", host.path("rulesets"), ADMIN, wanted))
    path = host.path("rulesets", known["id"])
    if matches(wanted, host.api.get(path, ADMIN)):
        return Plan("ok", text)
    return Plan("change", text, lambda: host.api.send("PUT", path, ADMIN, wanted))


def label(host: GitHub, name: str) -> Plan:
    """Plan a label (Issues / Labels: get, create and update)."""
    wanted = host.wanted.labels[name]
    body = {"color": wanted.color, "description": wanted.description}
    path = host.path("labels", name)
    found = host.api.get(path, LABELS, optional=True)
    if found is None:
        new = {"name": name, **body}
        return Plan("create", wanted.description, lambda: host.api.send("POST", host.path("labels"), LABELS, new))
    if matches({"name": name, **body}, found):
        return Plan("ok", wanted.description)
    better = {"new_name": name, **body}
    return Plan("change", wanted.description, lambda: host.api.send("PATCH", path, LABELS, better))
