"""The settings that `poe host-setup` keeps on GitHub: environments, rules of the main branch and labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from copier_mlops.hosts.api import Document
from copier_mlops.hosts.base import asks_several, matches, part
from copier_mlops.hosts.gates import gates
from copier_mlops.hosts.interface import HostError, Plan, Setting

if TYPE_CHECKING:
    from copier_mlops.hosts.github import GitHub

ADMIN = "administer the repository (administration: write)"
READ = "read environments (actions: read)"
LABELS = "write labels (issues: write)"
RULES = "Main branch"
MOST_REVIEWERS = 6
# The environment of the token that may push workflows.
OF_UPDATES = "template-update"


def settings(host: GitHub) -> list[Setting]:
    """Return one setting for each environment, for the main branch and for each label."""
    return [
        *[Setting(f"environment {name}", partial(environment, host, name)) for name in (*gates(), OF_UPDATES)],
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


def environment(host: GitHub, name: str) -> Plan:
    """Plan the reviewers of an environment, and that only the main branch uses it (Environments: get, update)."""
    names = host.approvers(name) if name in gates() else []
    if len(names) > MOST_REVIEWERS:
        raise HostError(f"GitHub asks at most {MOST_REVIEWERS} reviewers, {name} has {len(names)}", "name a team")
    wanted = {_identity(host, each): each for each in names}
    path, main = host.path("environments", name), host.wanted.branch.name
    found = host.api.get(path, ADMIN, optional=True)
    asked, rules, policy = reviewers(found or {}), rules_of(found or {}), (found or {}).get("deployment_branch_policy")
    prevents = rules.get("required_reviewers", {}).get("prevent_self_review", False)
    text = f"asks {', '.join(names)}, only on {main}" if names else f"only on {main}"
    # A policy of protected branches is the team's own, and counts; it does not know rulesets, so we do not set it.
    is_listed = policy is not None and (policy["protected_branches"] or main in branches(host, name))
    if found and asked.keys() == wanted.keys() and is_listed and (prevents or not asks_several(names)):
        return Plan("ok", text)
    body = {
        # A PUT replaces everything, so settings of others are sent again.
        "wait_timer": rules.get("wait_timer", {}).get("wait_timer", 0),
        # If one person approves, nobody else could: so this only counts if there are several.
        "prevent_self_review": prevents or asks_several(names),
        "deployment_branch_policy": policy or {"protected_branches": False, "custom_branch_policies": True},
        "reviewers": [{"type": kind, "id": number} for kind, number in wanted],
    }

    def apply() -> None:
        host.api.send("PUT", path, ADMIN, body)
        if not is_listed:
            branch = {"name": main, "type": "branch"}
            host.api.send("POST", f"{path}/deployment-branch-policies", ADMIN, branch)

    return Plan("change" if found else "create", text, apply)


def rules_of(found: Document) -> dict[str, Document]:
    """Return the protection rules of an environment by their types."""
    return {rule["type"]: rule for rule in found.get("protection_rules") or []}


def branches(host: GitHub, name: str) -> list[str]:
    """Return the branches that may use an environment (Deployments / Branch policies: list)."""
    path = host.path("environments", name, "deployment-branch-policies")
    return [each["name"] for each in host.api.pages(path, READ, "branch_policies", per_page=100)]


def gaps(found: Document) -> tuple[str, ...]:
    """Return the ways around the approval of an environment."""
    name, texts = found["name"], []
    if not found.get("deployment_branch_policy"):
        texts.append(f"each branch may use the environment {name}, with workflows of its own: run poe host-setup")
    prevents = rules_of(found).get("required_reviewers", {}).get("prevent_self_review", False)
    if asks_several([*reviewers(found).values()]) and not prevents:
        texts.append(f"whoever starts a run may approve it in the environment {name}: run poe host-setup")
    return tuple(texts)


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
