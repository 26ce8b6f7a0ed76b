"""Call the REST API of a Prefect server, or of Prefect Cloud, of which this needs eight addresses.

Prefect's own client brings a server with it, whose dependencies are bound more tightly than those of your service.
"""

from __future__ import annotations

import base64
import os
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from copier_mlops.address import LOOPBACK, redacted, without_login
from copier_mlops.pipeline.engines import EngineAwayError, EngineError

# Seconds for a connection, and for an answer.
TIMEOUT = (5, 30)
# As many characters of a refusal are shown.
MOST = 400
# The API gives this many entries of a list at once.
PAGE = 200
CLOUD = "api.prefect.cloud"
KEY, LOGIN = "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"
# A server whose database is busy answers with 503. Each call may be repeated: a run has a key, and the rest only reads
# or says again what holds.
BUSY = Retry(
    total=5,
    connect=0,
    read=0,
    status_forcelist=(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE),
    allowed_methods=None,
    backoff_factor=0.2,
    raise_on_status=False,
    respect_retry_after_header=False,
)
AWAY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class Api:
    """A client of one server, whose login is in the variable PREFECT_API_KEY or PREFECT_API_AUTH_STRING."""

    def __init__(self, address: str) -> None:
        """Check the address, but send nothing yet.

        Args:
            address: The API's address, for example `http://127.0.0.1:4200/api`.

        Raises:
            EngineError: It is not an address, has a login, or would get the login without encryption.
        """
        parts = urlsplit(address)
        fix = "set PREFECT_API_URL, for example: https://prefect.example.org/api"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineError(f"the address of Prefect is {redacted(address)!r}, not one of the web\n  fix: {fix}")
        if without_login(address) != (address, "", ""):
            raise EngineError(f"the address {redacted(address)} has a login\n  fix: put it into {LOGIN}")
        self.base = address.rstrip("/")
        self._secret = self._header = ""
        if key := os.environ.get(KEY):
            self._secret, self._header = key, f"Bearer {key}"
        elif login := os.environ.get(LOGIN):
            self._secret, self._header = login, f"Basic {base64.b64encode(login.encode()).decode()}"
        if self._secret and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise EngineError(f"the login is not sent to {self.base}, which is not an https address\n  fix: {fix}")
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=BUSY))

    @property
    def web(self) -> str:
        """The address of its pages for people."""
        if own := os.environ.get("PREFECT_UI_URL"):
            return redacted(own).rstrip("/")
        if urlsplit(self.base).hostname == CLOUD:
            place = urlsplit(self.base).path.removeprefix("/api")
            return "https://app.prefect.cloud" + place.replace("/accounts/", "/account/").replace(
                "/workspaces/", "/workspace/"
            )
        return self.base.removesuffix("/api")

    def get(self, path: str) -> Any:
        """Return a document, or None if it is not there.

        Raises:
            EngineError, EngineAwayError: As `send`.
        """
        return self._ask("GET", path, None)

    def send(self, path: str, body: object) -> Any:
        """Send a document, and return the answer.

        Raises:
            EngineError: The server refused it; the text is its own.
            EngineAwayError: It does not answer.
        """
        return self._ask("POST", path, body)

    def list(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Return all entries of a list, page by page.

        Raises:
            EngineError, EngineAwayError: As `send`.
        """
        found: list[dict[str, Any]] = []
        while page := self.send(path, body | {"limit": PAGE, "offset": len(found)}):
            found += page
            if len(page) < PAGE:
                break
        return found

    def _ask(self, method: str, path: str, body: object) -> Any:
        try:
            answer = self._session.request(
                method, f"{self.base}/{path}", json=body, auth=self._sign, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            reason = "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
            raise EngineAwayError(
                f"Prefect does not answer at {self.base}: {reason}\n  fix: see PREFECT_API_URL; "
                "to start a server: prefect server start"
            ) from None
        status = answer.status_code
        if status in AWAY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise EngineAwayError(f"Prefect has an error of its own ({status}) at {self.base}\n  fix: see its log")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise EngineError(
                f"Prefect at {self.base} refuses the login ({status})\n  fix: set {KEY}, or {LOGIN} to user:password"
            )
        if status == HTTPStatus.NOT_FOUND and method == "GET":
            return None
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise EngineError(
                f"Prefect refuses {path} ({status}): {self._said(answer)}\n"
                "  fix: correct operation/configuration/engines/prefect.yaml"
            )
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise EngineError(
                f"{self.base} answers with something that is not JSON\n  fix: set PREFECT_API_URL; it ends in /api"
            ) from None

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`: requests would replace a header by a password of ~/.netrc.
        if self._header:
            request.headers["Authorization"] = self._header
        return request

    def _said(self, answer: requests.Response) -> str:
        """Return why the server refused, on one line and without the login."""
        try:
            document = answer.json()
        except ValueError:
            document = answer.text
        if isinstance(document, dict):
            document = document.get("detail") or document.get("exception_detail") or document
        text = redacted(" ".join(str(document).split()))
        return (text.replace(self._secret, "***") if self._secret else text)[:MOST]
