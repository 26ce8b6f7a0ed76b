"""Setup and doctor: what they see and mend. Managed by the template."""

import json

import pytest
from operation.execution import checks, setup


def finding(ok: bool) -> checks.Finding:
    return checks.Finding(ok, "it is so" if ok else "it is not so", "mend it")


def test_what_is_right_is_left_alone():
    check = checks.Check("thing", lambda: finding(True), lambda: pytest.fail("nothing was to be mended"))
    assert setup.prepare(check) == ("ok", finding(True))


def test_what_is_wrong_is_mended_and_looked_at_again():
    state = {"ok": False}
    check = checks.Check("thing", lambda: finding(state["ok"]), lambda: state.update(ok=True))
    assert setup.prepare(check) == ("done", finding(True))


def test_a_step_that_fails_says_why_and_stops_no_other(monkeypatch, capsys):
    def fail() -> None:
        raise OSError("disk full")

    broken = checks.Check("broken", lambda: finding(False), fail)
    monkeypatch.setattr(setup, "CHECKS", [broken, checks.Check("good", lambda: finding(True), lambda: None)])
    with pytest.raises(SystemExit, match="1 of 2 steps"):
        setup.setup([])
    printed = capsys.readouterr().out
    assert "FAILED broken: it is not so; disk full" in printed
    assert "-> mend it" in printed
    assert "ok good" in printed


@pytest.mark.parametrize("ok", [True, False])
def test_doctor_changes_nothing_and_ends_with_1_where_something_is_wrong(monkeypatch, capsys, ok):
    check = checks.Check("thing", lambda: finding(ok), lambda: pytest.fail("doctor may not mend"))
    monkeypatch.setattr(setup, "CHECKS", [check])
    with pytest.raises(SystemExit) as end:
        setup.doctor(["--json"])
    assert end.value.code == (0 if ok else 1)
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is ok
    assert document["checks"][0]["name"] == "thing"


def test_a_command_that_fails_says_what_it_said():
    with pytest.raises(checks.CommandError, match="not a git command"):
        checks.run("git", "no-such-command")
    with pytest.raises(checks.CommandError, match="not installed"):
        checks.run("no-such-program")
