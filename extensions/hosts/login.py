"""The login to a private template, as extensions/login.yml says it; git asks for it only if the template is private."""

from typing import Any

from ruamel.yaml.scalarstring import FoldedScalarString, SingleQuotedScalarString

from extensions.hosts.document import folded, quoted
from extensions.hosts.flows import load
from extensions.hosts.variants import answer

WHY_INSTALL = "As each later step would; git asks for the token only if the template is private."
WHY_COMMAND = "A login to a private template, by the variable TEMPLATE_TOKEN."


def install() -> str:
    """Return the command that installs the package of the template."""
    return str(load("login")["install"])


def variables(token: str) -> dict[str, Any]:
    """Return the login as variables of one step: no file has the token, and no other step.

    Args:
        token: What the host replaces with the secret.
    """
    return {
        "TEMPLATE_TOKEN": token,
        "GIT_CONFIG_COUNT": quoted("1"),
        "GIT_CONFIG_KEY_0": f"credential.{answer('template_server')}.helper",
        "GIT_CONFIG_VALUE_0": SingleQuotedScalarString(load("login")["helper"]),
    }


def command() -> FoldedScalarString:
    """Return the login as a command, for a host that gives its secrets to every step of a container."""
    return folded(f"git config --global credential.{answer('template_server')}.helper", f"'{load('login')['helper']}'")
