"""`poe gate-check`: a gate that nobody keeps is closed."""

import json
import os
import subprocess
import sys

import pytest

from tests.platforms import on_posix

VERDICT = {"promoted": True, "reason": "better by 0.02", "metric": "roc_auc", "new": 0.8, "champion": 0.78}
RELEASE = {"released": True, "model": "kredit", "version": "3"}


def write(place, job: str, name: str, document: object) -> None:
    folder = place.tree / "build" / job
    folder.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def approval(place, job: str) -> dict | None:
    file = place.tree / "build" / job / "approval.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def approve_release(place) -> str:
    """Put a release before the protected gate prod, approve it, and return the name of the approver."""
    place.fake.protect(place.state, "prod")
    write(place, "release", "release", RELEASE)
    return place.fake.approve(place.state, "prod")


def laptop(place) -> dict[str, None]:
    return {name: None for name in place.variables if name != "HOST_TOKEN"}


def test_on_the_host_an_approval_passes_and_is_written_down(place):
    by = approve_release(place)
    place.process("gate-check", "prod")
    found = approval(place, "deploy-prod")
    assert found.keys() == {"gate", "by", "how", "at", "subject"}
    assert (found["gate"], found["by"]) == ("prod", by)
    assert found["at"].startswith("20")


@pytest.mark.parametrize("state", ["absent", "weak", "not approved", "away"])
def test_on_the_host_everything_else_is_refused(place, state):
    if state == "weak":
        place.fake.weaken(place.state, "prod")
        place.fake.approve(place.state, "prod")
    if state == "not approved":
        place.fake.protect(place.state, "prod")
    if state == "away":
        place.server.routes.clear()
    if state == "weak":
        place.process("gate-check", "prod", given="y\n", code=1)
    if state == "not approved" and place.name == "bitbucket":
        printed = place.run("gate-check", "prod", code=1, BITBUCKET_STEP_TRIGGERER_UUID=None)
    else:
        printed = place.run("gate-check", "prod", given="y\n", code=1)
    assert printed.startswith("host: ") and "Approve" not in printed
    assert approval(place, "deploy-prod") is None
    place.server.problems.clear() if state == "away" else None


def test_an_answer_of_another_form_is_refused(place):
    for route in place.server.routes:
        if "environments" in route.pattern and route.method == "GET":
            route.answer = lambda _: [1] if place.name == "gitlab" else {"values": [7], "protection_rules": [3]}
    assert "host: " in place.run("gate-check", "prod", code=1)


def test_on_a_laptop_a_person_is_asked(place):
    write(place, "release", "release", {**RELEASE, "version": "3\x1b[2J"})
    printed = place.run("gate-check", "prod", given="y\n", **laptop(place))
    assert "Approve prod? [y/N]" in printed and "version            3 [2J" in printed and "\x1b" not in printed
    assert approval(place, "deploy-prod")["how"] == "asked at the keyboard"
    assert place.server.seen == []


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n", "Yes please\n", "1\n"])
@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_anything_but_yes_is_no(place, answer):
    write(place, "judge", "verdict", VERDICT)
    assert "model was not approved" in place.run("gate-check", "model", given=answer, code=1, **laptop(place))
    assert approval(place, "release") is None


@pytest.mark.parametrize("host", ["github"], indirect=True)
@on_posix
def test_at_a_real_keyboard_the_question_is_answered(place):
    import pty  # not on Windows

    write(place, "judge", "verdict", VERDICT)
    ours, theirs = pty.openpty()
    shell = {**place.shell, "HOST_TOKEN": "x"}
    command = [sys.executable, "-m", "copier_mlops.cli", "gate-check", "model"]
    gate = subprocess.Popen(command, cwd=place.tree, env=shell, stdin=theirs, stdout=subprocess.PIPE, text=True)
    os.write(ours, b"yes\n")
    printed, _ = gate.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert gate.returncode == 0, printed
    assert approval(place, "release")["gate"] == "model"


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("name", ["CI", "GITLAB_CI", "JENKINS_URL", "TF_BUILD"])
def test_a_machine_that_is_not_the_host_is_not_asked(place, name):
    write(place, "judge", "verdict", VERDICT)
    variables = {**laptop(place), name: "true"}
    printed = place.run("gate-check", "model", given="y\n", code=1, **variables)
    assert f"{name} is set, so no person is here to ask" in printed
    assert approval(place, "release") is None


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_what_is_not_released_needs_no_approval(place):
    write(place, "judge", "verdict", {**VERDICT, "promoted": False, "reason": "worse by 0.01"})
    printed = place.run("gate-check", "model", code=0, **laptop(place))
    assert "nothing to approve: worse by 0.01" in printed
    assert "nothing to approve" in place.run("gate-check", "prod", **laptop(place))
    assert approval(place, "release") is None and place.server.seen == []


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_an_old_verdict_does_not_open_the_gate_of_a_package(place):
    write(place, "judge", "verdict", {**VERDICT, "promoted": False})
    write(place, "package", "package", {"released": True, "version": "3"})
    write(place, "release", "release", RELEASE)
    assert "prod was not approved" in place.run("gate-check", "prod", given="", code=1, **laptop(place))
    write(place, "package", "package", {"released": False, "reason": "worse"})
    assert "nothing to approve: worse" in place.run("gate-check", "prod", **laptop(place))


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("document", ["", "[]", "{", '{"promoted": null}', '{"promoted": "false"}', "{}"])
def test_a_broken_verdict_does_not_open_a_gate(place, document):
    write(place, "judge", "verdict", document)
    place.run("gate-check", "model", given="", code=1, **laptop(place))
    assert approval(place, "release") is None


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_nobody_approves_what_is_not_there(place):
    for gate, missing in {
        "model": "build/judge/verdict.json",
        "prod": "build/release/release.json",
        "infrastructure": "build/plan/plan.json",
    }.items():
        printed = place.run("gate-check", gate, given="y\n", code=1, **laptop(place))
        assert f"{missing} is not here" in printed
    write(place, "plan", "plan", {"action": "create", "resources": ["Größe"] * 100})
    printed = place.run("gate-check", "infrastructure", given="y\n", **laptop(place))
    assert "build/plan/plan.json" in printed
    assert approval(place, "apply")["gate"] == "infrastructure"


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_an_unknown_gate_is_refused(place):
    assert "invalid choice" in place.run("gate-check", "moon", code=2)


def test_a_token_that_only_reads_opens_no_gate_but_passes_an_approved_one(place):
    if place.name == "gitlab":
        place.state.role = 30  # Developer: as GitLab's own code has it, not enough to read protected environments
    if place.name == "bitbucket":
        place.state.admin = False
    assert "so the gate is closed" in place.run("gate-check", "prod", code=1) or place.name == "gitlab"
    approve_release(place)
    printed = place.run("gate-check", "prod")
    assert "HOST_TOKEN" not in printed and approval(place, "deploy-prod")


@pytest.mark.parametrize("host", ["gitlab", "bitbucket"], indirect=True)
def test_a_token_that_could_open_the_gate_itself_is_told(place):
    approve_release(place)
    assert "warning: HOST_TOKEN has " in place.run("gate-check", "prod")


@pytest.mark.parametrize("host", ["github", "azure_devops"], indirect=True)
def test_a_gate_that_each_branch_may_walk_through_is_told(place):
    approve_release(place)
    assert "warning: each branch may use the environment prod" in place.run("gate-check", "prod")
    place.state.environments.clear()
    place.run("host-setup", "--yes")
    assert "warning" not in place.run("gate-check", "prod")
