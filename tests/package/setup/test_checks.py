"""Setup and doctor: what runs side by side, what is fixed, and in which order."""

import json
import threading
import time

import pytest

from copier_mlops import command
from copier_mlops.lint.cli import main
from copier_mlops.settings import environment_folder
from copier_mlops.setup import checks, prepare
from copier_mlops.setup.checks import Check, Finding
from tests.package.shared import at_level


def finding(ok: bool) -> Finding:
    return Finding(ok, "it is so" if ok else "it is not so", "fix it")


def never() -> None:
    pytest.fail("nothing was to be fixed")


def test_what_is_right_is_left_alone():
    assert checks.prepare(Check("thing", lambda: finding(True), never, "files")) == ("ok", finding(True))


def test_what_is_wrong_is_mended_and_looked_at_again():
    looks, state = [], {"ok": False}
    check = Check("thing", lambda: looks.append(1) or finding(state["ok"]), lambda: state.update(ok=True), "files")
    assert checks.prepare(check) == ("done", finding(True))
    assert len(looks) == 2


def test_what_is_wrong_is_looked_at_once_if_nothing_may_be_mended():
    looks = []
    check = Check("thing", lambda: looks.append(1) or finding(False), never, "files")
    assert checks.prepare(check, fixes=False) == ("FAILED", finding(False))
    assert len(looks) == 1


def test_a_check_that_fails_is_a_finding_with_the_command_that_it_names():
    def fail() -> Finding:
        raise SystemExit("mlops: it is broken\n  fix: uv sync")

    found = Check("thing", fail, never, "files").look()
    assert found == Finding(False, "it is broken", "uv sync")
    assert Finding.of(OSError()).text == "OSError"


def use(monkeypatch, *found: Check) -> None:
    monkeypatch.setattr(prepare, "all_checks", lambda: list(found))


def test_a_step_that_fails_says_why_and_stops_no_other(inside, monkeypatch, capsys):
    def fail() -> None:
        raise OSError("disk full")

    broken = Check("broken", lambda: finding(False), fail, "git")
    use(monkeypatch, broken, Check("good", lambda: finding(True), never, "git"))
    with pytest.raises(SystemExit, match="1 of 2 steps"):
        prepare.setup([])
    printed = capsys.readouterr().out
    assert "FAILED broken: it is not so; disk full" in printed
    assert "-> fix it" in printed
    assert "ok good" in printed


@pytest.mark.parametrize("ok", [True, False])
def test_doctor_changes_nothing_and_ends_with_1_if_something_is_wrong(monkeypatch, capsys, ok):
    use(monkeypatch, Check("thing", lambda: finding(ok), never, "files"))
    with pytest.raises(SystemExit) as end:
        prepare.doctor(["--json"])
    assert end.value.code == (0 if ok else 1)
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is ok
    assert document["checks"] == [{"name": "thing", **vars(finding(ok))}]


def test_places_are_looked_at_side_by_side_and_told_in_order():
    """Each waits for the other: one after the other, they would wait for ever."""
    meet = threading.Barrier(2, timeout=20)

    def see() -> Finding:
        meet.wait()
        return finding(True)

    found = [Check("first", see, never, "files"), Check("second", see, never, "environment")]
    states = [(check.name, state) for check, state, _ in prepare.run_checks(found, True)]
    assert states == [("first", "ok"), ("second", "ok")]


def test_what_is_mended_in_one_place_is_mended_in_order_and_after_what_it_needs():
    log, fixed = [], set()

    def check(name: str, place: str) -> Check:
        def fix() -> None:
            log.append(f"{name} begins")
            time.sleep(0.05)
            log.append(f"{name} ends")
            fixed.add(name)

        return Check(name, lambda: finding(name in fixed), fix, place)

    found = [check("data", "data"), check("git", "git"), check("hooks", "git"), check("environment", "environment")]
    states = [(check.name, state) for check, state, _ in prepare.run_checks(found, fixes=True)]
    assert states == [(name, "done") for name in ("data", "git", "hooks", "environment")]
    assert log == [f"{name} {what}" for name in ("environment", "git", "hooks", "data") for what in ("begins", "ends")]


def test_every_project_is_asked_for_its_package_and_tracking_from_level_2_on(inside, team_project):
    names = [check.name for check in prepare.all_checks()]
    assert names[:6] == ["update", "tasks", "environment", "package", "git", "CI"]
    assert names[-2:] == ["tracking server", "experiment"]
    with at_level(team_project, 1):
        assert [check.name for check in prepare.all_checks()] == names[:-2]
    with at_level(team_project, 0):
        assert [check.name for check in prepare.all_checks()] == [name for name in names[:-2] if name != "CI"]


def test_a_task_in_the_place_of_one_of_the_templates_is_named(inside, team_project):
    file = team_project / "pyproject.toml"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(before + '\n[tool.poe.tasks.deploy]\ncmd = "echo ours"\n', encoding="utf-8")
        found = prepare.look_tasks()
        assert (found.ok, found.text) == (False, "the task `deploy` takes the place of the template's (level 3)")
        ignored = '\n[tool.copier-mlops-lint]\nignore = ["task-replaced"]\n'
        file.write_text(f"{file.read_text(encoding='utf-8')}{ignored}", encoding="utf-8")
        assert prepare.look_tasks().ok
    finally:
        file.write_text(before, encoding="utf-8")


def test_a_command_that_fails_says_what_it_said(inside):
    with pytest.raises(command.CommandError, match="not a git command"):
        command.run("git", "no-such-command")
    with pytest.raises(command.CommandError, match="not installed"):
        command.run("no-such-program")


HEAD = "error: Failed to download and build `copier-mlops @ {0}`\n  cause: Git operation failed\n  --- stderr\n  "


@pytest.mark.parametrize(
    ("address", "said", "advice"),
    [
        (
            "git+https://git.example.org/t.git@1",
            "fatal: unable to access: Could not resolve host",
            "check network and address",
        ),
        (
            "git+https://git.example.org/t.git@1",
            "fatal: could not read Username for 'https://git.example.org'",
            "a private",
        ),
        ("git+ssh://git@git.example.org/t.git@1", "git@git.example.org: Permission denied (publickey).", "a private"),
        (
            "git+file:///srv/template@1",
            "fatal: '/srv/template' does not appear to be a git repository",
            "restore the template",
        ),
    ],
)
def test_a_pin_that_cannot_be_reached_is_named_with_what_to_do(address, said, advice):
    found = checks._unreachable(HEAD.format(address) + said)
    assert address in found.text
    assert said.removeprefix("fatal: ") in found.text
    assert len(found.text.splitlines()) == 1
    assert found.advice.startswith(advice)


def test_an_index_without_the_package_is_named():
    found = checks._unreachable(
        "error: Failed to fetch: `https://index.example.org/simple/copier-mlops/`\n  cause: no route"
    )
    assert "cannot be fetched from https://index.example.org/simple/copier-mlops/" in found.text
    assert checks._unreachable("error: Failed to fetch: `https://index.example.org/simple/pandas/`") is None


def test_a_path_that_an_update_moved_is_named_with_the_command_and_left_to_the_team(inside):
    files = [environment_folder(name) / "kustomization.yaml" for name in ("dev", "prod")]
    before = {file: file.read_bytes() for file in files}
    try:
        for file, content in before.items():
            file.write_bytes(content.replace(b"../../execution/kubernetes", b"../../execution/release/kubernetes"))
        state, found = checks.prepare(prepare.all_checks()[0])
        assert state == "FAILED" and found.advice == "uv run poe lint-template --fix"
        assert found.text.startswith("operation/execution/release/kubernetes is operation/execution/kubernetes now")
        assert found.text.endswith(
            "environment_dev/kustomization.yaml, operation/configuration/environment_prod/kustomization.yaml"
        )
        assert b"release/kubernetes" in files[0].read_bytes()
        assert main(["--fix", "--select", "MLO903"]) == 0
        assert prepare.look_update().ok
        assert {file: file.read_bytes() for file in files} == before
    finally:
        for file, content in before.items():
            file.write_bytes(content)
