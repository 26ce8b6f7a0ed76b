"""Push a branch to the git host and open its change request, as an update of the template and a training both do."""

from typing import Any

from copier_mlops.command import CommandError, run
from copier_mlops.hosts.interface import Host
from copier_mlops.project import answer
from copier_mlops.registry import registry


def author(name: str) -> tuple[str, ...]:
    """Return options of git that name an author if it has none, as on a runner.

    Args:
        name: The name of that author, for example `Template update`.
    """
    try:
        run("git", "var", "GIT_AUTHOR_IDENT")
    except CommandError:
        address = f"{name.lower().replace(' ', '-')}@localhost"
        return ("-c", f"user.name={name}", "-c", f"user.email={address}")
    return ()


def git_remote(variables: dict[str, str], *command: str, fix: str = "") -> str:
    """Return the output of a git command that uses the remote.

    Args:
        variables: Those of `Host.git_variables`.
        command: The command and its arguments, for example `fetch`, `origin`.
        fix: What to do if the remote refuses.

    Raises:
        CommandError: The remote could not be reached, or refused.
    """
    try:
        return run("git", *command, **dict[str, Any](variables))
    except CommandError as error:
        raise CommandError(f"git {command[0]} was refused: {error}" + (f"\n  fix: {fix}" if fix else "")) from None


def branches(variables: dict[str, str], pattern: str) -> dict[str, str]:
    """Return the branches of the remote that fit a pattern, with the commit of each.

    Raises:
        CommandError: The remote could not be reached.
    """
    found = git_remote(variables, "ls-remote", "--heads", "origin", f"refs/heads/{pattern}")
    lines = [line.partition("\trefs/heads/") for line in found.splitlines()]
    return {name: commit for commit, _, name in lines}


def open_request(host: Host, branch: str, base: str, title: str, text: str) -> str:
    """Open or update the change request of a branch, and return a sentence on it.

    A host whose API is not called gets none: then the sentence asks you to open it, with the text for it.

    Raises:
        HostError: The host refused.
    """
    if registry("hosts")[answer("git_host")]["api"]:
        return host.open_change(branch, base, title, text)
    return f"{branch} is pushed; open a pull request for it, with this text:\n\n{text}"
