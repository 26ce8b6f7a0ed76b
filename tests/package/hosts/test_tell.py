"""What a task tells later jobs of its run, in the way in which its host reads conditions."""

import pytest

from copier_mlops import hosts
from copier_mlops.hosts.interface import HostError
from tests.package.hosts.conftest import HOSTS
from tests.package.hosts.test_gate_check import laptop


def heard(place, printed: str, folder) -> str:
    """The line with which a host's conditions are told."""
    return printed if place.name == "azure_devops" else (folder / "outputs").read_text(encoding="utf-8")


LINES = {
    "github": "promoted=true\nchanges=false\n",
    "bitbucket": "promoted=true\nchanges=false\n",
    "azure_devops": "##vso[task.setvariable variable=promoted;isOutput=true]true\n"
    "##vso[task.setvariable variable=changes;isOutput=true]false\n",
}


@pytest.mark.parametrize("host", LINES, indirect=True)
def test_conditions_are_told_where_the_host_reads_them(place, tmp_path, capsys):
    place.adapter().tell("promoted", True)
    place.adapter().tell("changes", False)
    assert heard(place, capsys.readouterr().out, tmp_path) == LINES[place.name]
    assert place.server.seen == []


@pytest.mark.parametrize("host", ["gitlab"], indirect=True)
def test_gitlab_cancels_only_the_job_that_waits_for_it(place):
    place.adapter().tell("promoted", True)
    assert place.server.seen == []
    place.adapter().tell("promoted", False)
    assert place.state.canceled == ["release"]


@pytest.mark.parametrize("host", ["gitlab"], indirect=True)
def test_a_job_that_has_ended_is_left_alone(place):
    place.state.waiting = {50: "train", 52: "package"}
    place.adapter().tell("promoted", False)
    assert place.state.canceled == []


def set_run(place, monkeypatch, **variables: str | None) -> None:
    for name, value in (place.variables | variables).items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)


@pytest.mark.parametrize("host", ["gitlab"], indirect=True)
def test_a_token_that_may_not_cancel_fails_no_job(place, monkeypatch, capsys):
    set_run(place, monkeypatch, CI_PIPELINE_ID="9", HOST_TOKEN=None)
    with pytest.raises(HostError):
        hosts.connect().tell("promoted", False)
    hosts.tell("promoted", False)
    printed = capsys.readouterr().out
    assert "HOST_TOKEN is not set" in printed and "wait for an approval, even if there is nothing to do" in printed


@pytest.mark.parametrize("host", HOSTS, indirect=True)
def test_the_address_of_a_service_is_told_where_the_host_reads_it(place, monkeypatch, tmp_path):
    set_run(place, monkeypatch)
    hosts.show_service("http://bob:secret@127.0.0.1:8000", tmp_path)
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir() if path.is_file()}
    if place.name in ("github", "gitlab"):
        name, text = {"github": ("outputs", "url"), "gitlab": ("service.env", "SERVICE_URL")}[place.name]
        assert written[name] == f"{text}=http://127.0.0.1:8000\n"
    else:
        assert "127.0.0.1:8000" not in str(written)
    assert place.server.seen == []


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_a_runner_without_a_place_for_the_address_fails_no_job(place, monkeypatch, tmp_path, capsys):
    set_run(place, monkeypatch, GITHUB_OUTPUT=None)
    hosts.show_service("http://127.0.0.1:8000", tmp_path)
    assert "the host shows no address of the service" in capsys.readouterr().out


def test_on_a_laptop_nobody_is_told(place, monkeypatch, tmp_path, capsys):
    set_run(place, monkeypatch, **laptop(place))
    hosts.tell("promoted", False)
    assert (capsys.readouterr().out, place.server.seen, (tmp_path / "outputs").exists()) == ("", [], False)
