"""Log in to a private template: git uses TEMPLATE_TOKEN, but only for the template's own server."""

import os
import re
from typing import Any
from urllib.parse import urlsplit

from copier_mlops.registry import registry
from copier_mlops.setup.package import template_address

VARIABLE = "TEMPLATE_TOKEN"
SAID = re.compile(r"\bfatal: (.+)")


def variables() -> dict[str, Any]:
    """Return variables that give git the login, after the settings that the environment already has.

    Without a token, or if the template is not read over HTTP, there are none: git logs in as usual.
    """
    server = template_server()
    if not (server and os.environ.get(VARIABLE)):
        return {}
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    count = int(given) if given.isdecimal() else 0
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"credential.{server}.helper",
        f"GIT_CONFIG_VALUE_{count}": registry("commands")["helper"],
    }


def template_server() -> str:
    """Return scheme, host and port of the template's address; empty if it is not read over HTTP."""
    url = urlsplit(template_address())
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}" if url.scheme in ("http", "https") else ""


def refused(said: str) -> str:
    """Return why the template could not be read, from a program's output; empty if that was not the reason."""
    server = template_server()
    found = SAID.search(said)
    if not (server and found and server in said):
        return ""
    return (
        f"the template cannot be read: {found[1]}\n"
        f"  fix: `git ls-remote {template_address()}` has to answer; if the template is private,"
        f" {VARIABLE} has to be a token that may read it"
    )
