"""Addresses are shown without what is secret in them."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from copier_mlops import cli
from copier_mlops.address import Record, redacted, without_login
from copier_mlops.command import CommandError, run
from copier_mlops.setup.checks import Finding

SHOWN = {
    "https://bob:pw@example.org/mlflow?token=pw": "https://example.org/mlflow",
    "https://pw@example.org/t.git": "https://example.org/t.git",
    "http://bob:p@pw@127.0.0.1:5000/a": "http://127.0.0.1:5000/a",
    "https://example.org/#/experiments/1": "https://example.org/#/experiments/1",
    "https://example.org:80/@scope/name": "https://example.org:80/@scope/name",
    "sqlite:////home/x.db?password=pw": "sqlite:////home/x.db",
    "postgresql+psycopg2://bob:p/pw@db/mlflow": "postgresql+psycopg2://db/mlflow",
    "ssh://git@example.org/t.git": "ssh://git@example.org/t.git",
    "ssh://git:pw@example.org/t.git": "ssh://example.org/t.git",
    "git@example.org:team/t.git": "git@example.org:team/t.git",
    "abfss://bronze@lake.dfs.core.windows.net/x?sig=pw": "abfss://bronze@lake.dfs.core.windows.net/x",
    "s3://bucket/path": "s3://bucket/path",
    "git+https://127.0.0.1:9/team/t.git@0123abc": "git+https://127.0.0.1:9/team/t.git@0123abc",
    "git+https://bob:pw@127.0.0.1:9/team/t.git@0123abc": "git+https://127.0.0.1:9/team/t.git@0123abc",
    "git+ssh://git@example.org:22/team/t.git@0123abc": "git+ssh://git@example.org:22/team/t.git@0123abc",
    "webdavs://bob:pw@example.org/a@b": "webdavs://example.org/a@b",
}


@pytest.mark.parametrize("address", SHOWN)
def test_an_address_is_shown_without_login_and_query(address):
    assert redacted(address) == SHOWN[address]
    sentence = f"fatal: unable to access '{address}': it is away"
    assert redacted(sentence) == f"fatal: unable to access '{SHOWN[address]}': it is away"


def test_a_login_is_taken_out_of_an_address():
    assert without_login("http://bob:p%2Fw@h:1/x") == ("http://h:1/x", "bob", "p/w")
    for other in ("http://h:1/x", "postgresql://bob:pw@h/x", "", "git@h:x"):
        assert without_login(other) == (other, "", "")


def test_errors_of_programs_and_findings_have_no_login(tmp_path):
    with pytest.raises(CommandError) as raised:
        run("git", "ls-remote", "http://bob:hunter2@127.0.0.1:9/x.git", cwd=tmp_path)
    assert "127.0.0.1:9" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert Finding(False, "http://bob:hunter2@h/x is away").text == "http://h/x is away"


@pytest.mark.parametrize("error", [SystemExit, ValueError])
def test_no_error_leaves_a_task_with_a_login(monkeypatch, capsys, error):
    def fails(_):
        logging.getLogger("library").warning("retry %s", "http://bob:hunter2@h/x")
        raise error("http://bob:hunter2@h/x is away")

    monkeypatch.setattr("copier_mlops.setup.prepare.doctor", fails)
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler())
    before, form = logging.getLogRecordFactory(), logging.Handler.format
    try:
        code = cli.main(["doctor"])
    except SystemExit as raised:
        code = raised.code
    finally:
        logging.setLogRecordFactory(before)
        logging.Handler.format = form
    printed = str(code) + capsys.readouterr().err
    assert "hunter2" not in printed
    assert "http://h/x is away" in printed
    record = Record("library", logging.WARNING, "", 1, "retry %s", ("http://bob:hunter2@h/x",), None)
    assert record.getMessage() == "retry http://h/x"


class _Refuses(BaseHTTPRequestHandler):
    """A server that lets nobody in."""

    def do_any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_POST = do_any  # noqa: N815 (the names are the server's)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests say what matters."""


@pytest.fixture
def remote(tmp_path) -> Iterator[Path]:
    """A repository of DVC whose remote has a password and a token in its address, and refuses them."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refuses) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        (tmp_path / "data.csv").write_text("a\n1\n", encoding="utf-8")
        address = f"http://bob:hunter2@127.0.0.1:{server.server_address[1]}/data?token=hunter2"
        for command in (["init", "--no-scm"], ["add", "data.csv"], ["remote", "add", "--default", "x", address]):
            run("dvc", *command, cwd=tmp_path)
        yield tmp_path
        server.shutdown()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (["copier_mlops", "push"], ["push"]),
        (["copier_mlops", "push", "--verbose"], ["push", "--verbose"]),
        (["copier_mlops.pipeline.dvc_cli", "pull", "--verbose"], ["pull", "--verbose"]),
    ],
)
def test_no_error_of_dvc_shows_the_login_of_a_remote(remote, ours, theirs):
    def said(*command: str) -> tuple[int, str]:
        if "pull" in theirs:
            (remote / "data.csv").unlink(missing_ok=True)
            run(sys.executable, "-c", "import shutil; shutil.rmtree('.dvc/cache', True)", cwd=remote)
        done = subprocess.run(command, cwd=remote, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, text = said(sys.executable, "-m", *ours)
    plain, leaked = said("dvc", *theirs)
    assert code == plain != 0
    assert "hunter2" in leaked
    assert "127.0.0.1" in text
    assert "hunter2" not in text
