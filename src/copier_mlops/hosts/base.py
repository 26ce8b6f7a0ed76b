"""The base class of all hosts: settings, variables of the run, git remote and token."""

import base64
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from copier_mlops.command import CommandError, run
from copier_mlops.hosts.api import Api
from copier_mlops.hosts.interface import Change, ChangeRequest, HostError
from copier_mlops.hosts.refusals import one_line
from copier_mlops.hosts.settings import HostSettings
from copier_mlops.project import level
from copier_mlops.registry import flows

FILE = "operation/configuration/host.yaml"


class Remote(NamedTuple):
    """Server and path of the git remote `origin`."""

    server: str
    path: str


class Base(ABC):
    """A host's settings, and the variables that its runner sets."""

    name = "the host"
    # A variable that only this host's runners set.
    runner = ("", "")
    # The variable with the path of the file that hands values to later jobs.
    outputs = ""
    # The variable with the branch of a run, with or without `refs/heads/`.
    ref = ""
    # The host's own term for a change request.
    request = "pull request"
    # An example of a run's address, for error messages.
    example_run = ""
    # The user name that goes with a token for git.
    git_user = "x-access-token"

    def __init__(self, settings: HostSettings, variables: Mapping[str, str] = os.environ) -> None:
        self.wanted, self._variables = settings, variables

    def var(self, name: str) -> str:
        """Return a variable of the run, or an empty text if it is not set."""
        return self._variables.get(name, "")

    def need(self, name: str) -> str:
        """Return a variable of the run.

        Raises:
            HostError: It is not set.
        """
        if not self.var(name):
            text = f"{name} is not set, so this is not a run of {self.name} that can do it"
            raise HostError(text, "run it in a flow")
        return self.var(name)

    def on_runner(self) -> bool:
        """Return whether this process is a step of a run on the host, without calling the API."""
        variable, value = self.runner
        return bool(self.var(variable)) and self.var(variable).lower() == (value or self.var(variable).lower())

    def branch(self) -> str:
        """Return the branch of this run; empty outside of one, and in the run of a tag or of a change request."""
        found = self.var(self.ref) if self.on_runner() else ""
        return "" if found.startswith(("refs/tags/", "refs/pull/")) else found.removeprefix("refs/heads/")

    def tell(self, name: str, value: bool) -> None:
        """Write the value where this host's conditions read it: the file of `outputs`, if it has one."""
        if self.outputs:
            self.write_output(name, str(value).lower())

    def write_output(self, name: str, value: str) -> None:
        """Append an output of this step to the file of `outputs`."""
        with Path(self.need(self.outputs)).open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")

    def tell_step(self, values: Mapping[str, str]) -> None:
        """Write values where later steps of this job read them: the file of `outputs`, if it has one."""
        if self.on_runner() and self.outputs and self.var(self.outputs):
            for name, value in values.items():
                self.write_output(name, value)

    def show_service(self, url: str, folder: Path) -> None:  # noqa: B027 (most hosts have no place for it)
        """Show nothing: an environment of this host has no address."""

    @abstractmethod
    def change_request(self) -> ChangeRequest | None:
        """Return the change request of this run."""

    def own_request(self) -> ChangeRequest:
        """Return the change request that this run belongs to.

        Raises:
            HostError: It does not belong to one.
        """
        found = self.change_request()
        if found is None:
            raise HostError(f"this run belongs to no {self.request}", f"run it in a flow that a {self.request} starts")
        return found

    @cached_property
    def token(self) -> str:
        """The token for the API. It is never printed.

        Raises:
            HostError: There is no token, or it is not a single word.
        """
        token = self.var("HOST_TOKEN").strip()
        if not token:
            fix = f"set HOST_TOKEN to a token of {self.name}"
            raise HostError(f"no token for {self.name}: HOST_TOKEN is not set", fix)
        if not re.fullmatch(r"[!-~]+", token):
            raise HostError("HOST_TOKEN has a space or another character that a token cannot have", "set it anew")
        return token

    def client(self, base: str, headers: Mapping[str, str]) -> Api:
        """Return a client of an address."""
        return Api(self.name, base, headers)

    @cached_property
    def remote(self) -> Remote:
        """Server and path of the git remote `origin`.

        Raises:
            HostError: There is no remote, or it is not the address of a server.
        """
        try:
            found = parse_remote(run("git", "remote", "get-url", "origin"))
        except CommandError:
            found = None
        if found is None:
            raise HostError("the address of this repository is unknown", f"set repository in {FILE}")
        return found

    def run_number(self, reference: str, address: re.Pattern[str], here: str) -> str:
        """Return the number of a run of this repository.

        Args:
            reference: The number of the run, or its address in a browser.
            address: The pattern of the host's addresses, with the groups `repository` and `number`.
            here: This repository, as the host's addresses name it.

        Raises:
            HostError: It is neither, or belongs to another repository.
        """
        if re.fullmatch(r"[0-9]{1,19}", reference):
            return reference
        parts = urlsplit(reference)
        found = address.fullmatch(unquote(parts.path).strip("/") + (f"?{parts.query}" if parts.query else ""))
        if parts.scheme not in ("http", "https") or not found:
            text = f"{one_line(reference)!r} is neither a number nor the address of a run of {self.name}"
            raise HostError(text, f"copy the address of the run from the browser, for example {self.example_run}")
        if found["repository"].casefold() != here.casefold():
            text = f"this is a run of {one_line(found['repository'])}, and this project is {here}"
            raise HostError(text, "run it in a clone of that repository")
        return found["number"]

    def no_run(self, number: str) -> HostError:
        """Return the error for a run that does not exist."""
        text = f"{self.name} has no run {number} in {self.repository}, or hides it from this token"
        return HostError(text, f"RUN is in the address of the run: {self.example_run}")

    def git_variables(self) -> dict[str, str]:
        """Return variables that give git the run's token for the remote `origin`, so that no command line shows it.

        Outside of a run there are none: git then logs in as you.
        """
        try:
            server = self.remote.server if self.on_runner() else ""
        except HostError:
            server = ""  # a folder needs no token
        if not server:
            return {}
        key = f"http.https://{server}/.extraHeader"
        return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": self.git_header()}

    def git_header(self) -> str:
        """Return the header with which git sends the token to this host."""
        secret = base64.b64encode(f"{self.git_user}:{self.token}".encode()).decode()
        return f"Authorization: Basic {secret}"

    @property
    def repository(self) -> str:
        """The path of the repository on the host, from the settings or the git remote.

        Raises:
            HostError: Neither names it.
        """
        return (self.wanted.repository or self.remote.path).strip("/")

    def approvers(self, gate: str) -> list[str]:
        """Return the approvers of a gate.

        Raises:
            HostError: None are named.
        """
        found: list[str] = getattr(self.wanted.approvers, gate)
        if not found:
            raise HostError(f"the gate {gate} has no approvers", f"approvers.{gate} in {FILE}")
        return found


def parse_remote(url: str) -> Remote | None:
    """Return server and path of a git URL, without credentials, or None for a folder."""
    scp = re.fullmatch(r"(?:[^@/]+@)?([\w.-]+):(?!//)(.+)", url)
    if scp and len(scp[1]) > 1:  # a single letter is a drive on Windows
        server, path = scp[1], scp[2]
    else:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
            return None
        server, path = parts.hostname, parts.path
    return Remote(server.lower(), path.strip("/").removesuffix(".git"))


def open_or_newest(changes: Iterable[Change]) -> Change | None:
    """Return the open change request of a branch, or else the newest, which hosts list first."""
    found = list(changes)
    return next((each for each in found if each.is_open), found[0] if found else None)


def part(text: object) -> str:
    """Quote a text as one segment of a URL's path."""
    return quote(str(text), safe="")


def matches(wanted: object, found: object) -> bool:
    """Return whether all wanted values were found; the host may add others, and sort lists in its own way."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and matches(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(wanted) != len(found):
            return False
        return all(any(matches(each, other) for other in found) for each in wanted)
    return wanted == found


def asks_several(names: list[str]) -> bool:
    """Return whether approvers are several people, so that one of them can approve the run of another."""
    return len(names) > 1 or any(name.startswith(("team:", "[")) for name in names)


def by_name(flow: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of a flow's jobs by their names on the host."""
    jobs = flows(level()).get(flow, {"jobs": {}})["jobs"]
    wanted = set(names)
    return tuple(id for id, job in jobs.items() if job["name"] in wanted)
