"""The check of the data remote: what it asks for, how long it waits, and what it says."""

import time

import pytest

from copier_mlops.setup import data
from copier_mlops.setup.checks import Finding

ABSENT = FileNotFoundError(2, "No such file or directory")


class Storage:
    """The file system of a remote, which lists some paths, and refuses others with an error."""

    def __init__(self, **paths: Exception | None) -> None:
        self.paths, self.asked = paths, []

    def ls(self, path: str) -> list[str]:
        self.asked.append(path)
        if error := self.paths[path]:
            raise error
        return []


@pytest.mark.parametrize(
    ("path", "answers", "asked", "ok", "text"),
    [
        ("bucket/a", {"bucket/a": None}, 1, True, "PLACE answers"),
        ("bucket/a", {"bucket/a": ABSENT, "bucket": None}, 2, True, "PLACE answers, and is empty"),
        ("bucket/a", {"bucket/a": ABSENT, "bucket": PermissionError("no")}, 2, True, "PLACE answers, and is empty"),
        ("bucket/a", {"bucket/a": ABSENT, "bucket": ABSENT}, 2, False, "PLACE is not there, and no push makes it"),
        ("/srv/a", {"/srv/a": ABSENT, "/": None}, 2, True, "PLACE answers, and is empty"),
        ("", {"": ABSENT}, 1, False, "PLACE is not there, and no push makes it"),
    ],
)
def test_rights_to_a_path_are_enough(path, answers, asked, ok, text):
    storage = Storage(**answers)
    found = data._look_server(storage, path, "PLACE")
    assert (found.ok, found.text, len(storage.asked)) == (ok, text, asked)


def test_a_remote_that_never_answers_is_given_up(inside):
    start = time.monotonic()
    found = data._within(0.2, lambda: time.sleep(30) or Finding(True, "late"))
    assert time.monotonic() - start < 10
    assert (found.ok, found.text) == (False, "the data remote gave no answer in 0.2 seconds")


def test_an_error_is_one_line_with_the_way_to_credentials(inside, monkeypatch):
    monkeypatch.setattr(data.remote_login, "scheme", lambda: "ssh")

    def fail() -> Finding:
        raise PermissionError("https://ada:hunter2@host refuses\nwith details")

    found = data._within(10, fail)
    assert found.text == "the data remote does not answer: PermissionError: https://host refuses"
    assert found.advice.startswith("`~/.ssh/config` and your agent count")
    assert found.advice.endswith("credentials go to .dvc/config.local or the environment, never into git")
