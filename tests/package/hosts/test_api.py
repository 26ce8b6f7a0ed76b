"""What a host refuses, and what becomes of it: one sentence with a way out, and never the token."""

import socket

import pytest

from copier_mlops.hosts.api import RETRY
from copier_mlops.hosts.base import parse_remote
from tests.package.hosts.server import TOKEN, Reply, Server


def ask(place, **variables):
    return place.adapter(**variables).protection("prod")


def refusal(place, *replies: Reply, **variables) -> str:
    place.server.first += replies
    with pytest.raises(SystemExit) as stopped:
        ask(place, **variables)
    text = str(stopped.value)
    assert text.startswith("host: ") and "\n  fix: " in text
    assert TOKEN not in text
    return text


def test_without_a_token_nothing_is_sent(place):
    assert "HOST_TOKEN is not set" in refusal(place, HOST_TOKEN=None)
    assert "HOST_TOKEN has a space" in refusal(place, HOST_TOKEN="two words\r\nX-Evil: 1")  # noqa: S106
    assert place.server.seen == []


def test_a_refused_token_and_a_missing_right_are_told_apart(place):
    assert "refused the token" in refusal(place, Reply({"message": "Bad credentials"}, 401))
    text = refusal(place, Reply({"message": "Resource not\naccessible\x1b[31m"}, 403))
    assert "does not let this token read environments" in text or "read pipelines and" in text
    assert "Resource not accessible" in text and "\x1b" not in text


@pytest.mark.parametrize("host", ["azure_devops"], indirect=True)
def test_a_page_to_sign_in_is_a_refused_token(place):
    assert "refused the token" in refusal(place, Reply(status=203, raw=b"<html>Sign in</html>"))
    away = Reply(status=302, headers={"Location": "https://spsprodweu1.vssps.visualstudio.com/_signin?realm=x"})
    assert "refused the token" in refusal(place, away)


def test_a_rate_limit_is_waited_for(place):
    place.fake.protect(place.state, "prod")
    place.server.first += [Reply(status=429, headers={"Retry-After": "1"}), Reply(status=503)]
    assert ask(place) is not None
    assert len(place.server.seen) >= 3


def test_a_rate_limit_that_lasts_is_said(place):
    text = refusal(place, *[Reply(status=429)] * 5)
    assert "rate limit" in text and len(place.server.seen) == 5


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_githubs_403_can_be_a_rate_limit(place):
    used_up = Reply({"message": "API rate limit exceeded"}, 403, {"X-RateLimit-Remaining": "0"})
    assert "rate limit" in refusal(place, used_up)
    assert "try again in 61 seconds" in refusal(place, Reply({}, 403, {"Retry-After": "61"}))


def test_nobody_waits_for_longer_than_a_moment():
    class Asked:
        headers = {"Retry-After": "3600"}  # noqa: RUF012

    assert RETRY.get_retry_after(Asked()) == 5


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_what_may_have_been_done_is_not_done_again(place):
    place.server.first += [Reply(status=502)]
    with pytest.raises(SystemExit, match="an error of its own"):
        place.adapter().start("cd", {})
    assert len(place.server.seen) == 1
    place.server.first += [Reply(status=429)]
    place.adapter().start("cd", {})
    assert len(place.state.started) == 1


def test_an_error_of_the_server_that_lasts_is_said(place):
    assert "has an error of its own (500)" in refusal(place, *[Reply(status=500)] * 5)


def test_a_host_that_is_away_is_said(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    names = {"github": "GITHUB_API_URL", "azure_devops": "SYSTEM_COLLECTIONURI", "gitlab": "CI_API_V4_URL"}
    text = refusal(place, **{names.get(place.name, "HOST_API"): url})
    assert "does not answer" in text and "refused" in text and "object at" not in text


def test_an_answer_that_is_no_json_is_said(place):
    assert "not JSON" in refusal(place, Reply(raw=b"<html>proxy</html>"))


@pytest.mark.parametrize("host", ["azure_devops", "bitbucket"], indirect=True)
def test_an_answer_without_a_list_is_said(place):
    assert "not a list" in refusal(place, Reply({"values": "x"}))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_does_not_get_the_token(place, status):
    with Server() as other:
        text = refusal(place, Reply(status=status, headers={"Location": f"{other.url}/steal"}))
        assert "where the token is not sent" in text
        assert other.seen == []


@pytest.mark.parametrize("host", ["github", "bitbucket"], indirect=True)
def test_a_page_of_another_host_does_not_get_the_token(place):
    with Server() as other:
        link = {"Link": f'<{other.url}/steal>; rel="next"'}
        document = [] if place.name == "github" else {"values": [], "next": f"{other.url}/steal"}
        place.server.first += [Reply(document, headers=link)]
        with pytest.raises(SystemExit, match="names a page at another host"):
            place.adapter().comment("marker", "text")
        assert other.seen == []


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_a_list_without_an_end_ends(place):
    place.server.routes.clear()
    following = {"Link": f'<{place.server.url}/again>; rel="next"'}
    for path in ("/repos/acme/kredit/issues/5/comments", "/again"):
        place.server.on("GET", path, lambda _: Reply([], headers=following), "per_page" if "repos" in path else "")
    with pytest.raises(SystemExit, match="more than 50 pages"):
        place.adapter().comment("marker", "text")


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_an_answer_is_bounded(place):
    assert "more than 10000000 bytes" in refusal(place, Reply(raw=b'"' + b"x" * 10_000_001 + b'"'))


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("url", ["http://api.example.org", "ftp://127.0.0.1", "http://127.0.0.1.example.org", "api"])
def test_the_token_goes_to_https_alone(place, url):
    assert "not an https address" in refusal(place, GITHUB_API_URL=url)


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_a_password_of_netrc_does_not_replace_the_token(place, tmp_path, monkeypatch):
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login eve password wrong\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(file))
    place.fake.protect(place.state, "prod")
    assert ask(place) is not None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("git@github.com:acme/kredit.git", ("github.com", "acme/kredit")),
        ("https://user:secret@gitlab.example.org/a/b/kredit.git", ("gitlab.example.org", "a/b/kredit")),
        ("ssh://git@git.example.org:2222/acme/kredit", ("git.example.org", "acme/kredit")),
        ("git@ssh.dev.azure.com:v3/acme/K%20I/kredit", ("ssh.dev.azure.com", "v3/acme/K%20I/kredit")),
        ("/srv/git/kredit.git", None),
        ("C:\\git\\kredit", None),
        ("file:///srv/git/kredit", None),
    ],
)
def test_the_git_remote_says_where_the_repository_is(url, expected):
    found = parse_remote(url)
    assert (tuple(found) if found else None) == expected


def test_on_a_laptop_the_settings_say_where_the_repository_is(place):
    names = {"azure_devops": "acme/K I/kredit"}
    adapter = place.adapter(**{**dict.fromkeys(place.variables), "HOST_TOKEN": TOKEN})
    update = {"repository": names.get(place.name, "acme/kredit"), "api": place.server.url}
    adapter.wanted = adapter.wanted.model_copy(update=update)
    place.expect_a_person()
    place.fake.protect(place.state, "prod")
    assert adapter.protection("prod") is not None
