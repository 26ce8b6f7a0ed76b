"""`poe host-setup`: shows first, changes what is wanted, and the second time nothing."""

import json
import re

import pytest

from copier_mlops.hosts.bitbucket_settings import quartz
from tests.package.hosts.server import Reply
from tests.project import registry


def states(printed: str) -> dict[str, str]:
    document = json.loads(printed)
    return {each["name"]: each["state"] for each in document["settings"]}


def test_what_would_change_is_shown_and_nothing_is_done(place):
    printed = place.run("host-setup", "--plan")
    for gate in registry("gates"):
        assert f" create environment {gate}: " in printed
    assert place.server.writes() == []


def test_the_second_run_finds_everything_there(place):
    place.run("host-setup", "--yes")
    assert place.server.writes()
    place.server.seen.clear()
    after = states(place.run("host-setup", "--yes", "--json"))
    assert set(after.values()) == {"ok"}, after
    assert place.server.writes() == []
    assert place.adapter().protection("prod") is not None


def test_as_a_process_it_ends_with_what_happened(place):
    place.process("host-setup", "--yes")
    assert place.server.writes()
    assert "HOST_TOKEN is not set" in place.process("host-setup", "--plan", code=1, HOST_TOKEN=None)


def test_it_asks_before_it_changes(place):
    for answer in ("", "n\n", "maybe\n"):
        assert "nothing was changed" in place.run("host-setup", given=answer)
    assert place.server.writes() == []
    assert "   done environment prod" in place.run("host-setup", given="y\n")


def test_json_changes_nothing_without_a_yes(place):
    assert "create" in states(place.run("host-setup", "--json")).values()
    assert place.server.writes() == []


def test_a_setting_that_fails_does_not_hide_the_others(place):
    routes = [each for each in place.server.routes if each.method in ("POST", "PUT") and "environments" in each.pattern]
    for route in routes:
        route.answer = lambda _: Reply({"message": "Must have admin rights"}, 403)
    printed = place.run("host-setup", "--yes", code=1)
    assert printed.count(" FAILED environment ") == (4 if place.name == "github" else 3)
    assert "Must have admin rights" in printed
    assert "   done " in printed


def test_without_a_token_it_says_so_for_all(place):
    printed = place.run("host-setup", "--plan", code=1, HOST_TOKEN=None)
    assert "HOST_TOKEN is not set" in printed
    assert place.server.seen == []


def test_what_somebody_changed_is_put_right(place):
    place.run("host-setup", "--yes")
    if place.name == "github":
        place.state.labels["Data"]["color"] = "000000"
        place.state.rulesets[0]["enforcement"] = "disabled"
        place.state.environments["prod"]["protection_rules"] = [{"type": "wait_timer", "wait_timer": 5}]
        expected = {"label Data", "rules of branch main", "environment prod"}
    elif place.name == "azure_devops":
        place.state.checks[1]["isDisabled"] = True
        place.state.policies[0]["settings"]["minimumApproverCount"] = 0
        expected = {"environment prod", "approvals on branch main"}
    elif place.name == "gitlab":
        place.state.labels["Data"]["color"] = "#000000"
        place.state.protected["prod"]["approval_rules"] = []
        place.state.branches["main"]["allow_force_push"] = True
        place.state.schedules[0]["cron"] = "* * * * *"
        expected = {"label Data", "environment prod", "branch main", "schedule template-update"}
    else:
        place.state.environments[1]["restrictions"] = {"admin_only": False}
        place.state.rules[2]["value"] = 0
        place.state.schedules[0]["enabled"] = False
        expected = {"environment prod", "require_approvals_to_merge on branch main", "schedule template-update"}
    found = states(place.run("host-setup", "--json"))
    assert {name for name, state in found.items() if state == "change"} == expected
    place.run("host-setup", "--yes")
    assert set(states(place.run("host-setup", "--json")).values()) == {"ok"}


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_what_others_set_on_an_environment_stays(place):
    policy = {"protected_branches": True, "custom_branch_policies": False}
    rules = [{"type": "wait_timer", "wait_timer": 30}]
    place.state.environments["prod"] = {"name": "prod", "protection_rules": rules, "deployment_branch_policy": policy}
    place.run("host-setup", "--yes")
    sent = next(each.body for each in place.server.writes() if each.path.endswith("/environments/prod"))
    assert (sent["wait_timer"], sent["deployment_branch_policy"]) == (30, policy)
    assert {"type": "Team", "id": 70} in sent["reviewers"]


@pytest.mark.parametrize("host", ["github", "azure_devops"], indirect=True)
def test_only_the_main_branch_uses_a_gate_and_nobody_approves_a_run_of_their_own(place):
    place.run("host-setup", "--yes")
    if place.name == "github":
        names = ("model", "prod", "infrastructure", "template-update")
        assert place.state.allowed == {name: ["main"] for name in names}
        rules = place.state.environments["prod"]["protection_rules"]
        assert rules[0]["prevent_self_review"] is True
        assert [each["type"] for each in place.state.environments["template-update"]["protection_rules"]] == [
            "branch_policy"
        ]
        place.state.allowed["prod"] = []
    else:
        control = [each for each in place.state.checks if "inputs" in each["settings"]]
        assert [each["settings"]["inputs"]["allowedBranches"] for each in control] == ["refs/heads/main"] * 3
        approvals = [each for each in place.state.checks if "approvers" in each["settings"]]
        assert all(each["settings"]["requesterCannotBeApprover"] for each in approvals)
        control[1]["isDisabled"] = True
    found = states(place.run("host-setup", "--json"))
    assert [name for name, state in found.items() if state != "ok" and "prod" in name]
    place.run("host-setup", "--yes")
    assert set(states(place.run("host-setup", "--json")).values()) == {"ok"}


@pytest.mark.parametrize("host", ["github", "azure_devops", "gitlab"], indirect=True)
def test_the_only_approver_may_approve_a_run_of_their_own(place):
    person = "ada@example.org" if place.name == "azure_devops" else "ada"
    settings = place.tree / "operation" / "configuration" / "host.yaml"
    before = settings.read_text(encoding="utf-8")
    try:
        settings.write_text(re.sub(r"(?m)^  (model|prod|infrastructure): .*$", rf"  \1: [{person}]", before), "utf-8")
        place.run("host-setup", "--yes")
    finally:
        settings.write_text(before, encoding="utf-8")
    if place.name == "github":
        rules = place.state.environments["prod"]["protection_rules"]
        assert rules[0]["prevent_self_review"] is False
    elif place.name == "azure_devops":
        approvals = [each for each in place.state.checks if "approvers" in each["settings"]]
        assert not any(each["settings"]["requesterCannotBeApprover"] for each in approvals)
    else:
        assert place.state.project["allow_pipeline_trigger_approve_deployment"] is True


@pytest.mark.parametrize("host", ["gitlab"], indirect=True)
def test_gitlab_lets_a_flow_be_started_by_its_name_and_keeps_its_token_on_protected_branches(place):
    place.state.role = 30
    with pytest.raises(SystemExit, match="lets nobody start a flow by its name"):
        place.adapter().start("cd", {})
    place.state.role = 40
    place.run("host-setup", "--yes")
    place.state.role = 30
    assert place.adapter().start("cd", {}).startswith("http")
    assert [each["protected"] for each in place.state.variables.values()] == [True, False]
    assert place.state.project["allow_pipeline_trigger_approve_deployment"] is False
    place.state.role = 40
    place.state.variables.clear()
    found = states(place.run("host-setup", "--json"))
    assert (found["variable HOST_TOKEN"], found["variable COMMENT_TOKEN"]) == ("by hand", "by hand")


@pytest.mark.parametrize("host", ["gitlab"], indirect=True)
def test_a_gitlab_that_does_not_know_an_attribute_is_left_alone(place):
    for name in ("ci_pipeline_variables_minimum_override_role", "allow_pipeline_trigger_approve_deployment"):
        del place.state.project[name]
    place.run("host-setup", "--yes")
    assert "ci_pipeline_variables_minimum_override_role" not in place.state.project


@pytest.mark.parametrize("host", ["bitbucket"], indirect=True)
def test_bitbucket_without_premium_is_noticed(place):
    place.state.premium = False
    printed = place.run("host-setup", "--yes", code=1)
    assert "Bitbucket did not restrict the environment prod" in printed
    assert "only allow admins to deploy" in printed


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("23 5 * * 1", "0 23 5 ? * MON *"),
        ("0 */6 * * *", "0 0 */6 * * ? *"),
        ("5 4 1 * *", "0 5 4 1 * ? *"),
        ("5 4 * * 1-5", "0 5 4 ? * MON-FRI *"),
        ("5 4 * * 0,7", "0 5 4 ? * SUN,SUN *"),
        ("5 4 1 * 1", None),
        ("5 4 * *", None),
        ("5 4 * * */2", None),
    ],
)
def test_a_schedule_is_written_as_bitbucket_reads_it(cron, expected):
    if expected:
        assert quartz(cron) == expected
    else:
        with pytest.raises(SystemExit, match="not a schedule that Bitbucket supports"):
            quartz(cron)


def test_an_approver_that_the_host_does_not_know_is_named(place):
    settings = place.tree / "operation" / "configuration" / "host.yaml"
    before = settings.read_text(encoding="utf-8")
    try:
        settings.write_text(before.replace("  prod: [", "  prod: [nobody, "), encoding="utf-8")
        printed = place.run("host-setup", "--plan", code=1)
        settings.write_text(before.replace("  model: ", "  model: [] # "), encoding="utf-8")
        empty = place.run("host-setup", "--plan", code=1)
    finally:
        settings.write_text(before, encoding="utf-8")
    assert "FAILED environment prod" in printed and " create environment model" in printed
    assert "the gate model has no approvers" in empty


@pytest.mark.parametrize("host", ["gitlab", "bitbucket"], indirect=True)
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", "41 6 * * 1"),
        ('schedules: {template-update: "1 2 * * 3"}', "1 2 * * 3"),
        ('schedules: {template-update: ""}', ""),
    ],
)
def test_a_flow_starts_when_the_template_says_unless_the_file_says_otherwise(place, written, expected):
    settings = place.tree / "operation" / "configuration" / "host.yaml"
    before = settings.read_text(encoding="utf-8")
    assert "schedules: {}" in before
    try:
        settings.write_text(before.replace("schedules: {}", written), encoding="utf-8")
        assert place.adapter().wanted.schedules == ({"template-update": expected} if expected else {})
        assert ("schedule template-update" in place.run("host-setup", "--plan")) == bool(expected)
    finally:
        settings.write_text(before, encoding="utf-8")
