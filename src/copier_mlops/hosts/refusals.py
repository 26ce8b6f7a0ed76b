"""Explain a host's refusal in one sentence, with a fix."""

import json
from urllib.parse import urljoin, urlsplit

import requests

from copier_mlops.hosts.interface import HostError

NEW_TOKEN = "make a new one and set HOST_TOKEN; on a runner, see that the flow passes HOST_TOKEN to the step"  # noqa: S105
PLACE = "repository and api in operation/configuration/host.yaml"


def check(name: str, answer: requests.Response, content: bytes, path: str, right: str) -> None:
    """Return if the host accepted the request.

    Raises:
        HostError: It did not; `right` is the permission that the token needs.
    """
    status, headers = answer.status_code, answer.headers
    if status == 429 or (status == 403 and (headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers)):
        wait = headers.get("retry-after", "")
        when = f"in {wait} seconds" if wait.isdigit() else "when the limit is reset"
        raise HostError(f"{name} has a rate limit, which this token has used up", f"try again {when}")
    location = urljoin(answer.url, headers.get("location", ""))
    # Azure DevOps answers an unknown token with a login page, or a redirect to one.
    if status in (401, 203) or (status in (302, 303) and "signin" in location.lower()):
        raise HostError(f"{name} refused the token: it is wrong, expired or revoked", NEW_TOKEN)
    if 300 <= status < 400:
        place = urlsplit(location).hostname
        raise HostError(f"{name} redirects {path} to {place}, where the token is not sent", f"has it moved? {PLACE}")
    if status == 403:
        raise HostError(f"{name} does not let this token {right}: {message(content)}", f"give it the right to {right}")
    if status == 404:
        text = f"{name} has no {path}, or hides it from this token"
        raise HostError(text, f"see {PLACE}, and that the token may {right}")
    if status == 410:
        raise HostError(f"{name} no longer has {path}: it has expired", "run the flow again")
    if status >= 500:
        raise HostError(f"{name} has an error of its own ({status})", "try again later")
    if status >= 400:
        raise HostError(f"{name} refused {path} ({status}): {message(content)}", "fix the problem that the text names")


def cause(error: BaseException) -> str:
    """Return why a connection failed, without the wrappers of libraries."""
    inner = error.args[0] if error.args else error
    return one_line(str(getattr(inner, "reason", None) or inner).rpartition(": ")[2])


def message(content: bytes) -> str:
    """Return the host's own text of a refusal."""
    text = content.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        return one_line(text)
    for key in ("error", "message"):
        if isinstance(document, dict) and document.get(key):
            document = document[key]
    return one_line(document if isinstance(document, str) else json.dumps(document, ensure_ascii=False))


def one_line(text: str, most: int = 200) -> str:
    """Return an untrusted text as part of a sentence: on one short line, without control characters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:most]
