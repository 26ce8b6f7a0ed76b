"""Addresses as they may be seen: nothing prints, logs, comments or tracks one with a password, a token or a query."""

import logging
import re
from urllib.parse import unquote, urlsplit

# The hosts of a URL that are this machine.
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# Scheme, user and password, host and path, query. In an address of the web, a user may be a token; elsewhere, only what
# comes with a password is secret. Databases take a password with a slash in it.
END = r"\s?#'\"<>`"
WEB = rf"((?:git\+)?https?://)(?:[^/{END}]*@)?"
DATABASE = rf"((?:postgres\w*|mysql|mariadb|mssql|oracle|sqlite)(?:\+\w+)?://)(?:[^/@:{END}]*:[^{END}]*@)?"
OTHER = rf"([a-z][a-z0-9+.-]*://)(?:[^/@:{END}]*:[^/{END}]*@)?"
QUERY = r"(?:\?[^\s#'\"<>`]*)?"
URL = re.compile(rf"\b(?:{WEB}|{DATABASE}|{OTHER})([^{END}]*){QUERY}", re.IGNORECASE)


def redacted(text: str) -> str:
    """Return a text, such as an address or the error of a library, with no address in it that has secrets.

    User, password and query go. For example: `https://bob:pw@example.org/mlflow?token=x` becomes
    `https://example.org/mlflow`. A user without a password stays if he is a part of the place, as in `ssh://git@host`.
    """
    return URL.sub(lambda found: (found[1] or found[2] or found[3]) + found[4], text)


def without_login(url: str) -> tuple[str, str, str]:
    """Return an HTTP address without its user and password, and these two, which are empty if it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # not a URL, as who uses it will see
        return url, "", ""
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return url, "", ""
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return place, unquote(parts.username or ""), unquote(parts.password or "")


class Record(logging.LogRecord):
    """A record of a log whose message has no credentials."""

    def getMessage(self) -> str:  # noqa: N802 (the name is logging's)
        """Return the message, redacted."""
        return redacted(super().getMessage())


_format = logging.Handler.format


def _redacted_format(self: logging.Handler, record: logging.LogRecord) -> str:
    return redacted(_format(self, record))


def redact_logs() -> None:
    """Let no log of this process show an address with secrets, in messages, errors and tracebacks of any library."""
    logging.setLogRecordFactory(Record)
    logging.Handler.format = _redacted_format  # type: ignore[method-assign]  # DVC adds the error to the message here
