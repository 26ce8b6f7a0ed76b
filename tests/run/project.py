"""Generated projects that do the real thing: each command is a process of its own, in a clean environment."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_copier.plugin import CopierFixture, CopierProject

from tests.project import answers_of, commit

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA", "APPDATA")
# Without it, a tracking server starts five processes more, each of which imports MLflow.
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
# Threads of a model wait for each other. Where tests beside take the cores, that is ten times as long as one thread.
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
IDENTITY = {"NAME": "Test", "EMAIL": "test@example.org"}


def clean_environment() -> dict[str, str]:
    """What a newcomer's shell has: the path, how the index is reached, git's identity; and one thread for a model."""
    network = ("UV_", "SSL_", "PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA", "CURL_CA")
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.upper().startswith(network)}
    git = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in IDENTITY.items()}
    return kept | git | THREADS


@dataclass
class Project(CopierProject):
    """A generated project and the shell in which it is used; `copier` is not needed by one that is never updated."""

    copier: CopierFixture | None = None
    environment: dict[str, str] = field(default_factory=clean_environment)

    @property
    def answers(self) -> dict[str, object]:
        """The answers as they are now, with the version: pytest-copier reads them once, and commands change them."""
        return answers_of(self.path)

    def run(self, command: str, fails: bool = False, typed: str = "", **variables: str) -> str:
        """What a command prints, both streams, to what is typed; that it succeeds, or fails, is part of the test.

        pytest-copier's own runs in the environment of the tests, whose settings a newcomer does not have.
        """
        done = subprocess.run(
            shlex.split(command),
            cwd=self.path,
            env=self.environment | variables,
            input=typed,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"`{command}` ended with {done.returncode}:\n{printed}"
        assert "Traceback" not in printed, f"`{command}` failed without a sentence:\n{printed}"
        return printed

    @contextmanager
    def serve(self, command: str, url: str, **variables: str) -> Iterator[None]:
        """Run a server until the block ends; the block starts when `url` answers, or its port if it is `tcp://…`."""
        log = self.path.parent / "server.log"
        with log.open("w") as output:
            server = subprocess.Popen(
                shlex.split(command),
                cwd=self.path,
                env=self.environment | variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(url, server, log)
            yield
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)

    def text(self, path: str) -> str:
        return (self.path / path).read_text(encoding="utf-8")

    def clone(self, path: Path) -> "Project":
        """What a colleague gets who clones the repository."""
        self.run(f"git clone --quiet . {shlex.quote(str(path))}")
        return replace(self, path=path)

    def commit(self) -> None:
        """Commit all there is, without the hooks."""
        commit(self.path)


def wait_for(url: str, server: subprocess.Popen, log: Path, seconds: int = 90) -> None:
    """Return when `url` answers; fail with the server's log where it does not."""
    for _ in range(seconds * 5):
        assert server.poll() is None, log.read_text("utf-8")
        try:
            parts = urlsplit(url)
            if parts.scheme == "tcp":
                socket.create_connection((parts.hostname, parts.port), timeout=5).close()
            else:
                urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"{url} did not answer within {seconds} seconds:\n{log.read_text('utf-8')}")


def request(url: str, body: object = None) -> tuple[int, Message, object]:
    """Status, headers and JSON (or text) of the answer to a GET, or to a POST where there is a body."""
    data = None if body is None else json.dumps(body).encode()
    message = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        answer = urllib.request.urlopen(message, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = answer.read().decode()
    is_json = answer.headers["Content-Type"].startswith("application/json")
    return answer.status, answer.headers, json.loads(content) if is_json else content


def blocks(markdown: str) -> list[list[str]]:
    """The lines of each `sh` block, comments left out."""
    found = re.findall(r"^ *```sh\n(.*?)^ *```", markdown, re.DOTALL | re.MULTILINE)
    return [[line for each in block.splitlines() if (line := each.strip()) and line[0] != "#"] for block in found]


def commands(markdown: str) -> list[str]:
    """Every line of every `sh` block, in order."""
    return [line for block in blocks(markdown) for line in block]


def typed(command: str, template: Path, **words: object) -> str:
    """A command of the docs as somebody types it who answers no question; copier is that of the tests."""
    said = {
        "uvx copier": f"{shlex.quote(sys.executable)} -m copier",
        " copy ": " copy --defaults ",
        " update": " update --defaults",
        "PATH-OR-URL-OF-THIS-REPOSITORY": shlex.quote(str(template)),
    } | {word: str(value) for word, value in words.items()}
    for word, meaning in said.items():
        command = command.replace(word, meaning)
    return command
