"""The interface of every git host.

Each host of extensions/hosts.yml has a module of its name, which exports `ADAPTER`: a class that implements `Host`.
It is created with the settings of host.yaml and the variables of the run.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol


class HostError(SystemExit):
    """The host could not be reached, or refused a request; the text says which, and how to fix it."""

    def __init__(self, text: str, fix: str = "") -> None:
        super().__init__(f"host: {text}" + (f"\n  fix: {fix}" if fix else ""))


@dataclass(frozen=True)
class ChangeRequest:
    """The change request (pull or merge request) that a run belongs to."""

    number: str
    target: str
    from_fork: bool


@dataclass(frozen=True)
class Change:
    """A change request of a branch, whoever opened it."""

    url: str
    is_open: bool


@dataclass(frozen=True)
class Protection:
    """The approvers whom the host asks before a job of a gate runs, and the ways around them, a sentence each."""

    approvers: tuple[str, ...]
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Approval:
    """An approval of a gate in this run: by whom, how and when; `at` is empty if the host has no time."""

    by: str
    how: str
    at: str = ""


@dataclass(frozen=True)
class Plan:
    """The change that a setting needs: none (`ok`), one that you make (`by hand`), or one that `apply` makes."""

    action: Literal["create", "change", "ok", "by hand"]
    text: str
    apply: Callable[[], object] | None = None


@dataclass(frozen=True)
class Setting:
    """One setting of the host. `see` compares it, changes nothing, and may raise a HostError."""

    name: str
    see: Callable[[], Plan]


@dataclass(frozen=True)
class Kept:
    """A job's artifact on the host: a zip archive with the content of build/<job>.

    `size` is in bytes, or 0 if the host does not name it. `folders` are the folders of the archive that may be
    build/<job>, an empty text for its root; the first that exists is taken. `save` downloads the archive to a file, up
    to a number of bytes, and reports its progress; it may raise a HostError.
    """

    job: str
    size: int
    has_expired: bool
    folders: tuple[str, ...]
    save: Callable[[BinaryIO, int, Callable[[int], None]], None]


@dataclass(frozen=True)
class Run:
    """A run of a flow; `flow` and `failed` are empty if the host does not name them."""

    number: str
    url: str
    flow: str
    commit: str
    failed: tuple[str, ...]
    kept: tuple[Kept, ...]


class Host(Protocol):
    """A git host. No request is sent before a method is called; each method may raise a HostError."""

    name: str

    def on_runner(self) -> bool:
        """Return whether this process is a step of a run on the host, without calling the API."""

    def change_request(self) -> ChangeRequest | None:
        """Return the change request of this run."""

    def branch(self) -> str:
        """Return the branch of this run; empty outside of one, and in the run of a tag or of a change request."""

    def run_url(self) -> str:
        """Return the web address of this run; an empty text outside of one."""

    def comment(self, marker: str, body: str) -> str:
        """Create or update the one comment that has this hidden marker; return its URL."""

    def find_change(self, branch: str, base: str) -> Change | None:
        """Return the open change request of a branch, else the newest closed or merged one, else None."""

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """Create or update the open change request of a branch; return its URL."""

    def git_variables(self) -> dict[str, str]:
        """Return variables that let git push to the remote `origin` in a run; none outside of one."""

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Start a flow on the main branch; return the address of its run."""

    def find_run(self, reference: str) -> Run:
        """Return a run and its artifacts, by its number or by its address in a browser."""

    def tell(self, name: str, value: bool) -> None:
        """Tell the jobs of this run whose `only_if` has this name whether they run."""

    def tell_step(self, values: Mapping[str, str]) -> None:
        """Tell later steps of this job these values by their names."""

    def show_service(self, url: str, folder: Path) -> None:
        """Show the address of a service at the environment of this run; `folder` is build/<job>/ of its job."""

    def protection(self, gate: str) -> Protection | None:
        """Return the approvers of this gate, or None if it has none."""

    def approval(self, gate: str) -> Approval | None:
        """Return the approval of this gate in this run, or None."""

    def settings(self) -> list[Setting]:
        """Return all settings that `poe host-setup` keeps."""

    def id_token(self, audience: str, connection: str = "") -> str:
        """Return the run's OpenID Connect token for an audience; `connection` is Azure DevOps' service connection."""
