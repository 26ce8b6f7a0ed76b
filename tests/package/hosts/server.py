"""An HTTP server on loopback in a host's place: it knows the requests that the host documents, and no other."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "geheim-0123456789"  # noqa: S105
SIGNATURE = "unterschrift-42"
UNKNOWN = 418  # a status that no client tries again


@dataclass
class Request:
    """What a client sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: object
    parts: dict[str, str] = field(default_factory=dict)


@dataclass
class Reply:
    """What the server answers."""

    document: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


@dataclass
class Route:
    """A documented request: `query` and `body` are all that may be sent; None lets anything through."""

    method: str
    pattern: str
    answer: Callable[[Request], object]
    query: set[str]
    body: Callable[[object], bool]


class Server:
    """Routes, what was asked, and what should not have been."""

    # Where the host has its archives: an address of its own, whose paths are signed.
    store: "Server | None" = None

    def __init__(self, bodies: str = "application/json") -> None:
        self.routes: list[Route] = []
        self.seen: list[Request] = []
        self.problems: list[str] = []
        # Replies that come before any route does, one a request.
        self.first: list[Reply] = []
        self.headers: dict[str, str] = {}
        self.bodies = bodies
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def on(
        self,
        method: str,
        pattern: str,
        answer: Callable[[Request], object],
        query: str = "",
        body: Callable[[object], bool] = lambda body: body is None,
    ) -> None:
        """Know one more request. `query` names the parameters that belong to it."""
        self.routes.append(Route(method, pattern, answer, set(query.split()), body))

    def away(self, content: bytes) -> str:
        """Put an archive into the host's store, and return its signed address."""
        number = len(self.store.routes)
        self.store.on("GET", f"/{number}.zip", lambda _: Reply(raw=content), "sig")
        return f"{self.store.url}/{number}.zip?sig={SIGNATURE}"

    def writes(self) -> list[Request]:
        """Requests that change something."""
        return [each for each in self.seen if each.method != "GET"]

    def answer(self, request: Request) -> Reply:
        """Find the route, and hold the request against it."""
        self.seen.append(request)
        if self.first:
            return self.first.pop(0)
        for name, value in self.headers.items():
            if request.headers.get(name.lower()) != value:
                return self._problem(request, f"header {name} is {request.headers.get(name.lower())!r}")
        known = [each for each in self.routes if each.method == request.method]
        known = [each for each in known if re.fullmatch(each.pattern, request.path)]
        if not known:
            return self._problem(request, "is not documented")
        route = next((each for each in known if each.query == set(request.query)), None)
        if route is None:
            return self._problem(request, f"query {request.query}, expected {known[0].query}")
        if not route.body(request.body):
            return self._problem(request, f"body {request.body}")
        if request.body is not None and not request.headers.get("content-type", "").startswith(self.bodies):
            return self._problem(request, f"a body that is not {self.bodies}")
        request.parts = re.fullmatch(route.pattern, request.path).groupdict()
        answered = route.answer(request)
        return answered if isinstance(answered, Reply) else Reply(answered)

    def _problem(self, request: Request, text: str) -> Reply:
        self.problems.append(f"{request.method} {request.path}: {text}")
        return Reply({"message": text}, UNKNOWN)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: ",".join(values) for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = _parse(content, server.bodies) if content else None
            reply = server.answer(Request(self.command, parts.path, query, headers, body))
            raw = reply.raw if reply.raw is not None else json.dumps(reply.document).encode()
            raw = b"" if reply.status == 204 else raw
            self.send_response(reply.status)
            length = {} if "Transfer-Encoding" in reply.headers else {"Content-Length": str(len(raw))}
            for name, value in {"Content-Type": "application/json", **length, **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """The tests say what matters."""

    return Handler


def _parse(content: bytes, kind: str) -> object:
    if kind == "application/json":
        return json.loads(content)
    return {name: values[-1] for name, values in parse_qs(content.decode()).items()}


def exactly(*names: str, optional: str = "") -> Callable[[object], bool]:
    """A body with these keys, and with these optional ones at most."""
    return lambda body: isinstance(body, dict) and set(names) <= set(body) <= set(names) | set(optional.split())


def missing() -> Reply:
    """Nothing is there."""
    return Reply({"message": "Not Found"}, 404)
