"""How git may read a private template, as a host's file says it."""

import re
import shlex

from tests.pipelines.flows import Login, UnreadableError
from tests.pipelines.read.text import same, take
from tests.project import registry

INSTALL = "uv run python --version"
HELPER = '!f() { echo username=x-token-auth; echo "password=$TEMPLATE_TOKEN"; }; f'
KEYS = ("TEMPLATE_TOKEN", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0")


def by_variables(run: str, variables: dict, secret: str) -> Login:
    """The login of a step that installs, with the token as this host names it."""
    token, count, key, helper = take(variables, *KEYS)
    same((run, token, count, helper), (INSTALL, secret, "1", HELPER))
    return Login(server_of(key), run, variables)


def by_command(line: str) -> Login:
    """The login of a container, whose steps have the token anyway."""
    *command, key, helper = shlex.split(line)
    same((command, helper), (["git", "config", "--global"], HELPER))
    return Login(server_of(key), line)


def server_of(key: str) -> str:
    """The server in the name of a setting of git: no other gets the token."""
    match = re.fullmatch(r"credential\.(https?://[^/]+)\.helper", key or "")
    if not match:
        raise UnreadableError(f"{key} is no helper for one server")
    return match.group(1)


def secrets(name: str) -> list[tuple[str, ...]]:
    """The variables that log in to each kind of `remotes` or `trackers`, those of most variables first."""
    found = {tuple(each["secrets"]) for each in registry(name).values()}
    return sorted(filter(None, found), key=lambda names: (-len(names), names))


TRACKERS, REMOTES = secrets("trackers"), secrets("remotes")


def without(kinds: list[tuple[str, ...]], env: dict | None, token: str) -> tuple[dict | None, tuple[str, ...]]:
    """The other variables of a step, and those of one kind that it gets all, each from the secret of its name."""
    for names in kinds:
        wanted = {name: token.replace("NAME", name) for name in names}
        if env and wanted.items() <= env.items():
            return {name: value for name, value in env.items() if name not in wanted} or None, names
    return env, ()
