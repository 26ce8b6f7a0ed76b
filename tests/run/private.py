"""A private repository: git's own server behind a login, on loopback."""

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.run.published import served

TOKEN = "a-token-that-reads"  # noqa: S105 (made up)


@dataclass
class Private:
    """Its address, and the logins that were tried."""

    url: str = ""
    logins: list[str] = field(default_factory=list)


@contextmanager
def private(folder: Path, wants_login: bool = True) -> Iterator[Private]:
    """Serve the bare repositories of a folder until the block ends, whatever folder a URL says before their name.

    So each has as many addresses as tests want, and no cache of another test knows the one that a test uses.
    """
    found = Private()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing: the tests say what matters."""

        def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def is_allowed(self) -> bool:
            login = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            found.logins += [login] if login else []
            return login == f"x-token-auth:{TOKEN}" or not wants_login

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.is_allowed():
                self.answer(*backend(folder, self, body))
            else:
                self.answer(401, {"WWW-Authenticate": 'Basic realm="private"'})

        do_POST = do_GET  # noqa: N815 (its name)

    with served(Handler) as found.url:
        yield found


def backend(folder: Path, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body that git's server answers with."""
    path, _, query = request.path.partition("?")
    name, _, service = path.partition(".git/")
    variables = {
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "GIT_PROJECT_ROOT": str(folder),
        "PATH_INFO": f"/{name.rpartition('/')[2]}.git/{service}",
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.command,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body, env=os.environ | variables, capture_output=True, check=True
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    return int(headers.pop("Status", "200").split()[0]), headers, content
