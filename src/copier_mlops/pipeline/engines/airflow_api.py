"""The REST API of Airflow 3: a login by variables, answers with limits of time, and errors with a fix.

It uses `requests`, which DVC brings to each project. Airflow's own client is 3 MB that take over a second to import,
and it refuses an answer with a state or a key that its version does not know.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from copier_mlops.address import LOOPBACK, redacted
from copier_mlops.pipeline.engines import EngineAwayError, EngineError

USER, PASSWORD, TOKEN = "AIRFLOW_USERNAME", "AIRFLOW_PASSWORD", "AIRFLOW_TOKEN"
LOGS = "see the logs of its API server"
SETTINGS = "operation/configuration/engines/airflow.yaml"
# Seconds to connect, and to wait for an answer.
TIMEOUT = (5, 30)
# Entries of a page, and the most pages that are asked for.
PAGE, MOST_PAGES = 100, 100


class MissingError(EngineError):
    """Something that Airflow does not have, such as a DAG; the text says what."""


class ConflictError(EngineError):
    """Something that Airflow has already, such as a run of that name."""


class Api:
    """The API of one server."""

    def __init__(self, url: str) -> None:
        """Take the address of the server, for example `https://airflow.example.org`; nothing is sent yet.

        Raises:
            EngineError: The address is none, has a login in it, or would show the password on its way.
        """
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        fix = f"correct url in {SETTINGS}, for example: url: https://airflow.example.org"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineError(f"{redacted(url)!r} is not the address of an Airflow server\n  fix: {fix}")
        if parts.username or parts.password:
            raise EngineError(
                f"the address {redacted(url)} has a login in it\n  fix: take it out, and set {USER} and {PASSWORD}"
            )
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise EngineError(
                f"the login is not sent to {redacted(url)}, which is not an https address\n"
                f"  fix: use https, or a tunnel: ssh -N -L 8080:localhost:{parts.port or 80} {parts.hostname}"
            )
        self._token = os.environ.get(TOKEN, "")
        self._session = requests.Session()

    def get(self, *path: str, **query: Any) -> Any:
        """Return a document, by the parts of its path below `/api/v2`.

        Raises:
            MissingError: Airflow does not have it.
            EngineError: The login is wrong, lacks a right, or Airflow refused.
            EngineAwayError: Airflow does not answer.
        """
        return self.send("GET", *path, query=query)

    def all(self, key: str, *path: str, **query: Any) -> list[dict[str, Any]]:
        """Return all entries of a list, page by page; `key` names the list in the documents.

        Raises:
            EngineError, EngineAwayError: As `get`.
        """
        found: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            page = self.get(*path, **query, limit=PAGE, offset=len(found))
            found += page.get(key, [])
            if not page.get(key) or len(found) >= page.get("total_entries", 0):
                break
        return found

    def send(self, method: str, *path: str, body: object = None, query: dict[str, Any] | None = None) -> Any:
        """Send a request and return the document of the answer, None if that is empty.

        Raises:
            ConflictError: Airflow has it already.
            EngineError, EngineAwayError: As `get`.
        """
        place = "/api/v2/" + "/".join(quote(part, safe="") for part in path)
        for is_last in (False, True):
            token = self._token or self._log_in()
            answer = self._ask(method, place, body, query, token)
            if not _has_run_out(answer) or is_last or not _has_password():
                break
            self._token = ""
        self._check(answer, f"{method} {place}")
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise self._strange(answer, place) from None

    def _log_in(self) -> str:
        """Return a new token for the user and password of the variables.

        Raises:
            EngineError: They are not set, or wrong.
        """
        if not _has_password():
            raise EngineError(
                f"{self.url} needs a login\n  fix: set {USER} and {PASSWORD}, or {TOKEN}, in the environment"
            )
        login = {"username": os.environ[USER], "password": os.environ[PASSWORD]}
        answer = self._ask("POST", "/auth/token", login)
        if answer.status_code in (400, 401, 403, 422):
            raise EngineError(
                f"{self.url} refuses {USER} and {PASSWORD}: {_said(answer)}\n  fix: correct them in the environment"
            )
        self._check(answer, "POST /auth/token")
        try:
            self._token = str(answer.json()["access_token"])
        except (ValueError, KeyError, TypeError):
            raise self._strange(answer, "/auth/token") from None
        return self._token

    def _ask(
        self, method: str, place: str, body: object, query: dict[str, Any] | None = None, token: str = ""
    ) -> requests.Response:
        """Send one request.

        Raises:
            EngineAwayError: The server does not answer, or says that it cannot answer now.
        """

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            """Set the token here, since `requests` replaces a plain header by a login of ~/.netrc."""
            if token:
                request.headers["Authorization"] = f"Bearer {token}"
            return request

        try:
            answer = self._session.request(
                method,
                self.url + place,
                params=query,
                json=body,
                headers={"Accept": "application/json"},
                auth=authorize,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise EngineAwayError(
                f"Airflow does not answer at {self.url}: {type(error).__name__}\n"
                f"  fix: start it, or correct url in {SETTINGS}"
            ) from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise EngineAwayError(
                f"Airflow cannot answer at {self.url}: {answer.status_code} {answer.reason}\n  fix: {LOGS}"
            )
        return answer

    def _check(self, answer: requests.Response, what: str) -> None:
        """Raise the error of an answer."""
        status, said = answer.status_code, _said(answer)
        if status < 300:
            return
        if status == 404:
            raise MissingError(f"Airflow at {self.url} answers 404 to {what}: {said}\n  fix: correct url in {SETTINGS}")
        if status == 409:
            raise ConflictError(f"Airflow at {self.url} has it already: {said}\n  fix: choose another name")
        if status in (401, 403):
            fix = "ask for the role Op, or User"
            if _has_run_out(answer):
                fix = f"set {USER} and {PASSWORD}, or a new {TOKEN}"
            raise EngineError(f"Airflow at {self.url} refuses the login for {what}: {said}\n  fix: {fix}")
        if status < 400:
            place = redacted(answer.headers.get("Location", "another address"))
            raise EngineError(f"Airflow at {self.url} sends {what} to {place}\n  fix: correct url in {SETTINGS}")
        raise EngineError(
            f"Airflow at {self.url} answers {status} to {what}: {said}\n  fix: see the logs of its API server"
        )

    def _strange(self, answer: requests.Response, place: str) -> EngineError:
        kind = answer.headers.get("Content-Type", "nothing")
        return EngineError(
            f"{self.url}{place} is not Airflow's API: it answers with {kind}\n  fix: correct url in {SETTINGS}"
        )


def _has_run_out(answer: requests.Response) -> bool:
    """Whether the token is not valid any more; Airflow says that with 403, which it uses for missing rights as well."""
    return answer.status_code == 401 or (answer.status_code == 403 and "token" in _said(answer).lower())


def _has_password() -> bool:
    return bool(os.environ.get(USER) and os.environ.get(PASSWORD))


def _said(answer: requests.Response) -> str:
    """Return what an answer says of an error, in one line."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.reason or "nothing"
    if isinstance(detail, list):  # one for each wrong part of a request; their inputs may be secret
        detail = "; ".join(str(each.get("msg", each)) if isinstance(each, dict) else str(each) for each in detail)
    text = detail if isinstance(detail, str) else json.dumps(detail)
    return redacted(" ".join(text.split()))[:300]
