"""Forgejo has no gates: a release there is refused on the host, and asked for on a laptop."""

import json

import pytest

from tests.package.hosts.conftest import HOSTS


@pytest.fixture
def forgejo(place, trees):
    """A project on Forgejo, whose API nothing asks."""
    place.tree, place.variables = trees("forgejo"), {}
    return place


pytestmark = pytest.mark.parametrize("host", [HOSTS[0]], indirect=True)


def test_on_the_host_every_gate_is_closed(forgejo):
    printed = forgejo.process("gate-check", "prod", given="y\n", code=1, CI="true", FORGEJO_ACTIONS="true")
    assert "Forgejo requests no approval before a job of the gate prod runs" in printed


def test_on_a_laptop_a_person_is_asked(forgejo):
    folder = forgejo.tree / "build" / "release"
    folder.mkdir(parents=True)
    (folder / "release.json").write_text(json.dumps({"released": True}), encoding="utf-8")
    forgejo.process("gate-check", "prod", given="y\n")
    assert (forgejo.tree / "build" / "deploy-prod" / "approval.json").is_file()


def test_what_is_left_to_do_by_hand_is_said(forgejo):
    assert "by hand branch and gates" in forgejo.process("host-setup", "--plan")
