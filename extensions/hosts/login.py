"""Render the login of extensions/commands.yml to a private template; git uses it if the server requires one."""

from typing import Any

from ruamel.yaml.scalarstring import FoldedScalarString, SingleQuotedScalarString

from extensions.hosts.document import folded, quoted
from extensions.hosts.flows import Answers, Step, load
from extensions.hosts.variants import answer, each_of

WHY_INSTALL = "Later steps need the package as well. Git uses the token only if the template is private."
WHY_COMMAND = "The login to a private template, with the variable TEMPLATE_TOKEN."


def install() -> str:
    """Return the command that installs the template's package."""
    return str(load("commands")["install"])


def variables(token: str) -> dict[str, Any]:
    """Return the login as variables of one step, so that no file and no other step has the token.

    Args:
        token: What the host replaces with the secret.
    """
    return {
        "TEMPLATE_TOKEN": token,
        "GIT_CONFIG_COUNT": quoted("1"),
        "GIT_CONFIG_KEY_0": f"credential.{answer('template_server')}.helper",
        "GIT_CONFIG_VALUE_0": SingleQuotedScalarString(load("commands")["helper"]),
    }


def servers(step: Step, answers: Answers, token: str) -> dict[str, Any]:
    """Return the logins to the tracking server and the data remote as variables of a step that uses one of them.

    Args:
        step: The step.
        answers: The answers of the project.
        token: What the host replaces with a secret, with NAME in place of its name.
    """
    used = {"data_secrets": step.data and answers.keys, "tracking_secrets": step.tracks and answers.tracks}
    names = [each_of(name) for name, is_used in used.items() if is_used]
    return {name: token.replace("NAME", name) for name in names}


def command() -> FoldedScalarString:
    """Return the login as a command, for a host whose secrets are variables of every step."""
    return folded(
        f"git config --global credential.{answer('template_server')}.helper", f"'{load('commands')['helper']}'"
    )
