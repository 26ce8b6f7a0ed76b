"""The settings that `poe host-setup` keeps on Azure DevOps: pipelines, approvals and policies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from copier_mlops.hosts.api import Document
from copier_mlops.hosts.base import asks_several, matches
from copier_mlops.hosts.gates import gates
from copier_mlops.hosts.interface import HostError, Plan, Setting
from copier_mlops.project import root

if TYPE_CHECKING:
    from copier_mlops.hosts.azure_devops import AzureDevOps

VERSION: Document = {"api-version": "7.1"}
PREVIEW: Document = {"api-version": "7.1-preview.1"}
# The ids of types of checks and policies are the same for every organisation.
APPROVAL = "8c6f20a7-a545-4486-9777-f762fafe0d4d"
TASK_CHECK = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7"
BRANCH_CONTROL = {
    "id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b",
    "name": "evaluatebranchProtection",
    "version": "0.0.1",
}
REVIEWERS = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
BUILD = "0609b952-1397-4640-95ec-e00a01b2c241"
THIRTY_DAYS = 43_200
FOLDER = "azure_pipelines"
READ = "read pipelines and environments"
MANAGE = "administer environments, pipelines and branch policies"


def settings(host: AzureDevOps) -> list[Setting]:
    """Return one setting for each flow, each gate and each policy of the main branch."""
    flows = sorted(file.stem for file in (root() / FOLDER).glob("*.yml"))
    return [
        *[Setting(f"pipeline {flow}", partial(pipeline, host, flow)) for flow in flows],
        *[Setting(f"environment {gate}", partial(environment, host, gate)) for gate in gates()],
        *[Setting(f"branch of environment {gate}", partial(branch_control, host, gate)) for gate in gates()],
        Setting(f"approvals on branch {host.wanted.branch.name}", lambda: reviewers(host)),
        Setting(f"check on branch {host.wanted.branch.name}", lambda: build(host)),
        Setting("labels", lambda: Plan("ok", "Azure DevOps makes tags when they are used")),
    ]


def definition(host: AzureDevOps, flow: str) -> Document | None:
    """Find a pipeline by the file that describes it (Build / Definitions: list)."""
    names = {each.casefold() for each in (f"{FOLDER}/{flow}.yml", f"/{FOLDER}/{flow}.yml")}
    query = {"repositoryId": repository(host)["id"], "repositoryType": "TfsGit", "includeAllProperties": "true"}
    for each in host.api.pages(host.path("build", "definitions"), READ, **query, **VERSION):
        if (each.get("process") or {}).get("yamlFilename", "").casefold() in names:
            return dict(each)
    return None


def repository(host: AzureDevOps) -> Document:
    """Return the repository (Git / Repositories: get)."""
    return dict(host.api.get(host.git(), "read code", **VERSION))


def pipeline(host: AzureDevOps, flow: str) -> Plan:
    """Create the pipeline of a flow (Pipelines / Pipelines: create)."""
    text = f"runs {FOLDER}/{flow}.yml"
    if definition(host, flow):
        return Plan("ok", text)
    found = repository(host)
    source = {"id": found["id"], "name": found["name"], "type": "azureReposGit"}
    body = {
        "name": f"{found['name']} {flow}",
        "folder": "\\",
        "configuration": {"type": "yaml", "path": f"/{FOLDER}/{flow}.yml", "repository": source},
    }
    return Plan("create", text, lambda: host.api.send("POST", host.path("pipelines"), MANAGE, body, **VERSION))


def environment_of(host: AzureDevOps, name: str) -> Document | None:
    """Find an environment by its name (Distributed Task / Environments: list)."""
    listed = host.api.pages(host.path("distributedtask", "environments"), READ, name=name, **PREVIEW)
    return next((each for each in listed if each["name"] == name), None)


def checks(host: AzureDevOps, number: int) -> list[Document]:
    """Return the checks of an environment (Approvals and checks / Check Configurations: list)."""
    query: Document = {"resourceType": "environment", "resourceId": number, "$expand": "settings"}
    return list(host.api.pages(host.path("pipelines", "checks", "configurations"), READ, **query, **PREVIEW))


def approval_check(listed: list[Document]) -> Document | None:
    """Find the check of type Approval."""
    return next((each for each in listed if each["type"]["id"].casefold() == APPROVAL), None)


def branch_check(listed: list[Document]) -> Document | None:
    """Find the enabled check of the branch, whichever branches it allows: that is the team's decision."""
    for each in listed:
        check = (each.get("settings") or {}).get("definitionRef") or {}
        if check.get("id", "").casefold() == BRANCH_CONTROL["id"] and not each.get("isDisabled"):
            return each
    return None


def gaps(gate: str, listed: list[Document]) -> tuple[str, ...]:
    """Return the ways around the approval of an environment."""
    texts = [] if branch_check(listed) else [f"each branch may use the environment {gate}: run poe host-setup"]
    asked = (approval_check(listed) or {}).get("settings", {})
    if len(asked.get("approvers") or []) > 1 and not asked.get("requesterCannotBeApprover"):
        texts.append(f"whoever starts a run may approve it in the environment {gate}: run poe host-setup")
    return tuple(texts)


def environment(host: AzureDevOps, gate: str) -> Plan:
    """Plan an environment and its approval check."""
    names = host.approvers(gate)
    wanted = {identity(host, name) for name in names}
    found = environment_of(host, gate)
    check = (approval_check(checks(host, found["id"])) if found else None) or {}
    asked = {each["id"] for each in check.get("settings", {}).get("approvers") or []}
    prevents = bool(check.get("settings", {}).get("requesterCannotBeApprover"))
    if asked == wanted and not check.get("isDisabled") and (prevents or not asks_several(names)):
        return Plan("ok", f"asks {', '.join(names)}")

    def apply() -> None:
        place = found or host.api.send(
            "POST", host.path("distributedtask", "environments"), MANAGE, {"name": gate, "description": ""}, **PREVIEW
        )
        body = {
            "type": {"id": APPROVAL, "name": "Approval"},
            "settings": {
                "approvers": [{"id": each} for each in sorted(wanted)],
                "executionOrder": "anyOrder",
                "minRequiredApprovers": 1,
                # If one person approves, nobody else could: so this only counts if there are several.
                "requesterCannotBeApprover": prevents or asks_several(names),
                "instructions": "",
                "blockedApprovers": [],
            },
            "resource": {"type": "environment", "id": str(place["id"]), "name": gate},
            "timeout": THIRTY_DAYS,
        }
        path = host.path("pipelines", "checks", "configurations")
        if check:
            host.api.send("PATCH", f"{path}/{check['id']}", MANAGE, {"id": check["id"], **body}, **PREVIEW)
        else:
            host.api.send("POST", path, MANAGE, body, **PREVIEW)

    return Plan("change" if found else "create", f"asks {', '.join(names)}", apply)


def branch_control(host: AzureDevOps, gate: str) -> Plan:
    """Plan the check that only the main branch uses an environment (Check Configurations: add)."""
    main = f"refs/heads/{host.wanted.branch.name}"
    place = environment_of(host, gate)
    if place and branch_check(checks(host, place["id"])):
        return Plan("ok", "is checked")

    def apply() -> None:
        # The same command has created the environment before.
        made = environment_of(host, gate)
        if made is None:
            raise HostError(f"the environment {gate} is missing", "run it again when its approvers are right")
        inputs = {"allowedBranches": main, "ensureProtectionOfBranch": "false", "allowUnknownStatusBranch": "false"}
        body = {
            "type": {"id": TASK_CHECK, "name": "Task Check"},
            "settings": {"displayName": "Branch control", "definitionRef": BRANCH_CONTROL, "inputs": inputs},
            "resource": {"type": "environment", "id": str(made["id"]), "name": gate},
            "timeout": THIRTY_DAYS,
        }
        host.api.send("POST", host.path("pipelines", "checks", "configurations"), MANAGE, body, **PREVIEW)

    return Plan("create", f"only {main}", apply)


def identity(host: AzureDevOps, name: str) -> str:
    """Find a person or a group by name (IMS / Identities: read identities)."""
    query: Document = {"searchFilter": "General", "filterValue": name, "queryMembership": "None"}
    found = host.people.get("_apis/identities", "read identities", **query, **VERSION)["value"]
    if len(found) != 1:
        text = f"Azure DevOps knows {'several' if found else 'nobody'} by the name {name!r}"
        raise HostError(text, "approvers in operation/configuration/host.yaml: an e-mail address, or [PROJECT]\\GROUP")
    return str(found[0]["id"])


def reviewers(host: AzureDevOps) -> Plan:
    """Plan how many people approve a pull request; a policy also closes the branch to direct pushes."""
    count = host.wanted.branch.approvals
    if not count:
        return Plan("ok", "none are wanted")
    wanted = {"minimumApproverCount": count, "creatorVoteCounts": False, "resetOnSourcePush": True}
    return _policy(host, REVIEWERS, wanted, f"needs {count} approvals")


def build(host: AzureDevOps) -> Plan:
    """Plan the pipeline that must pass before a pull request is completed."""
    flow = host.wanted.branch.check.lower()
    found = definition(host, flow)
    if found is None and (root() / FOLDER / f"{flow}.yml").is_file():
        # The same command has created the pipeline before.
        return Plan("create", f"needs {host.wanted.branch.check}", lambda: _do(build(host)))
    if found is None:
        raise HostError(f"there is no {FOLDER}/{flow}.yml that could be the check", "branch.check in host.yaml")
    wanted = {
        "buildDefinitionId": found["id"],
        "displayName": host.wanted.branch.check,
        "queueOnSourceUpdateOnly": False,
        "manualQueueOnly": False,
        "validDuration": 0,
    }
    return _policy(host, BUILD, wanted, f"needs {host.wanted.branch.check}")


def _do(plan: Plan) -> None:
    if plan.apply:
        plan.apply()


def _policy(host: AzureDevOps, kind: str, values: Document, text: str) -> Plan:
    """Plan a policy of the main branch (Policy / Configurations: list, create and update)."""
    place = {"repositoryId": repository(host)["id"], "refName": f"refs/heads/{host.wanted.branch.name}"}
    scope = {**place, "matchKind": "exact"}
    path = host.path("policy", "configurations")
    body = {"isEnabled": True, "isBlocking": True, "type": {"id": kind}, "settings": {**values, "scope": [scope]}}
    listed = host.api.pages(path, READ, policyType=kind, **VERSION)
    here = [each for each in listed if any(matches(place, one) for one in each["settings"].get("scope", []))]
    known = next(iter(here), None)
    if known is None:
        return Plan("create", text, lambda: host.api.send("POST", path, MANAGE, body, **VERSION))
    if matches(body, known):
        return Plan("ok", text)
    return Plan("change", text, lambda: host.api.send("PUT", f"{path}/{known['id']}", MANAGE, body, **VERSION))
