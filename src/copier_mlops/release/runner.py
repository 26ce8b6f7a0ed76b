"""Know a CI machine, and prepare it: run the commands of release.yaml that install programs and log in."""

import os
import shlex
from collections.abc import Iterable

from copier_mlops.address import redacted
from copier_mlops.command import show

# Variables that CI machines set, and that are not set at a keyboard.
MACHINES = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "BITBUCKET_BUILD_NUMBER", "JENKINS_URL")


def ci_variable() -> str:
    """Return the variable that says that this is a CI machine, or an empty text."""
    return next((name for name in MACHINES if os.environ.get(name)), "")


def prepare(commands: Iterable[str], task: str) -> None:
    """Run commands, each without a shell, if this is a CI machine. On a laptop, you have logged in already.

    Args:
        commands: Those of `prepare_package` or `prepare_deploy`.
        task: The task that needs them, for the text of an error.

    Raises:
        SystemExit: A command is not installed, cannot be split into words, or ended with an error.
    """
    if not ci_variable():
        return
    for command in commands:
        try:
            words = shlex.split(command)
        except ValueError as error:
            fix = f"correct it in prepare_{task} of operation/configuration/environment_*/release.yaml"
            raise SystemExit(f"{task}: {command!r} is not a command: {error}\n  fix: {fix}") from None
        if words:
            print(f"{task}: {redacted(command)}", flush=True)
            show(task, *words)
