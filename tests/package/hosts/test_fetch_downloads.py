"""A download of `poe fetch` that fails says why and leaves build/ as it was; it goes only where it may."""

import io

import pytest

from copier_mlops.hosts.interface import HostError
from tests.package.hosts.fakes.kept import KEPT, zipped
from tests.package.hosts.fetching import FOLDERS, built, expected, on_one, on_three
from tests.package.hosts.server import Reply


def unchanged_by(place, text: str) -> None:
    """A fetch that fails says so and leaves build/ as it was."""
    (place.tree / "build" / "train").mkdir(parents=True, exist_ok=True)
    (place.tree / "build" / "train" / "mine.txt").write_text("mine\n")
    printed = place.run("fetch", "99", code=1)
    assert text in printed and "\n  fix: " in printed
    assert built(place) == {"train/mine.txt": "mine\n"}
    assert [path.name for path in (place.tree / "build").iterdir()] == ["train"]


@on_three
def test_a_download_that_breaks_off_changes_nothing(laptop):
    whole = laptop.state.archives["judge"]
    laptop.server.away = lambda content: f"{laptop.server.store.url}/short.zip"
    headers = {"Content-Length": str(len(whole) + 1000), "Connection": "close"}
    laptop.server.store.on("GET", "/short.zip", lambda _: Reply(raw=whole, headers=headers))
    unchanged_by(laptop, "broke off a download")


@on_three
def test_what_is_no_archive_changes_nothing(laptop):
    laptop.state.archives["judge"] = b"<html>Sign in</html>"
    unchanged_by(laptop, "the archive of judge cannot be read")


@on_three
def test_a_hostile_archive_changes_nothing(laptop):
    laptop.state.archives["judge"] = zipped({"../../../x": "x"}, FOLDERS[laptop.name].format(job="judge"))
    unchanged_by(laptop, "which is not the name of a file below a folder; nothing of it is used")


@pytest.mark.parametrize("host", ["gitlab"], indirect=True)
def test_an_archive_of_something_else_changes_nothing(laptop):
    laptop.state.archives["judge"] = zipped({"public/index.html": "x"})
    unchanged_by(laptop, "the archive of judge has no file in build/judge/")


@on_one
@pytest.mark.parametrize("names_its_size", [True, False])
def test_a_download_ends_at_the_most_bytes_that_are_allowed(laptop, names_its_size):
    if not names_its_size:
        laptop.server.away = lambda content: f"{laptop.server.store.url}/endless"
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (200, b"x" * 200)
        headers = {"Transfer-Encoding": "chunked"}
        laptop.server.store.on("GET", "/endless", lambda _: Reply(raw=chunked, headers=headers))
    kept = laptop.adapter().find_run("99").kept[0]
    file = io.BytesIO()
    with pytest.raises(HostError, match="has more than 1e-07 GB of it"):
        kept.save(file, 100, lambda _: None)
    assert len(file.getvalue()) <= 100


@on_one
@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_store_that_refuses_is_said_without_its_signature(laptop, status):
    laptop.server.store.first += [Reply(status=status)] * 5
    printed = laptop.run("fetch", "99", code=1)
    assert f"127.0.0.1, which answers {status}" in printed


@on_one
@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("http://example.org/a.zip?sig=unterschrift-42", "example.org, which is not an https address"),
        ("ftp://127.0.0.1/a.zip", "broke off a download"),
        ("file:///etc/passwd", "which is not an https address"),
        ("https://[::1/a.zip", "broke off a download"),
    ],
)
def test_a_download_goes_only_where_it_may(laptop, location, text):
    laptop.server.away = lambda content: location
    assert text in laptop.run("fetch", "99", code=1)


@on_one
def test_a_redirect_without_an_end_ends(laptop):
    laptop.server.away = lambda content: f"{laptop.server.store.url}/again"
    again = {"Location": f"{laptop.server.store.url}/again"}
    laptop.server.store.on("GET", "/again", lambda _: Reply(status=302, headers=again))
    assert "sends a download on without an end" in laptop.run("fetch", "99", code=1)


@on_one
def test_a_host_that_sends_on_within_its_own_address_still_gets_the_token(laptop):
    headers = {"Location": f"{laptop.server.url}/repositories/1/zip"}
    for route in laptop.server.routes:
        if route.pattern.endswith("/zip"):
            route.answer = lambda _: Reply(status=301, headers=headers)
    laptop.server.on("GET", "/repositories/1/zip", lambda _: Reply(raw=zipped(KEPT["train"])))
    laptop.run("fetch", "99", "--job", "train")
    assert built(laptop) == expected("train")
