"""What every git host can be asked, in words that belong to none of them.

An adapter is the module of a host's name in extensions/hosts.yml. It exports `ADAPTER`, a class that is made from the
settings of host.yaml and the variables of the run, and that does what `Host` says.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol


class HostError(SystemExit):
    """The host cannot be asked, or does not do what it was asked; the text says which and what to do."""

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
    """A change request of a branch, by whomever it was opened."""

    url: str
    is_open: bool


@dataclass(frozen=True)
class Protection:
    """Who the host asks before a job of a gate runs."""

    approvers: tuple[str, ...]


@dataclass(frozen=True)
class Approval:
    """Who let this run pass a gate, how the host came to know, and when; `at` is empty if the host does not tell."""

    by: str
    how: str
    at: str = ""


@dataclass(frozen=True)
class Plan:
    """What a setting needs: nothing (`ok`), a person (`by hand`), or what `apply` does."""

    action: Literal["create", "change", "ok", "by hand"]
    text: str
    apply: Callable[[], object] | None = None


@dataclass(frozen=True)
class Setting:
    """One thing that the host must know. `see` looks, changes nothing, and may raise a HostError."""

    name: str
    see: Callable[[], Plan]


@dataclass(frozen=True)
class Kept:
    """What a job of a run left on the host: a zip archive with the content of build/<job>.

    `size` is in bytes, 0 if the host does not tell. `folders` are the folders of the archive that may be build/<job>,
    an empty text for its root; the first that is there counts. `save` writes the archive to a file, at most so many
    bytes, and tells how many there are as they come; it may raise a HostError.
    """

    job: str
    size: int
    has_expired: bool
    folders: tuple[str, ...]
    save: Callable[[BinaryIO, int, Callable[[int], None]], None]


@dataclass(frozen=True)
class Run:
    """A run of a flow; `flow` is empty and `failed` has no jobs if the host does not tell."""

    number: str
    url: str
    flow: str
    commit: str
    failed: tuple[str, ...]
    kept: tuple[Kept, ...]


class Host(Protocol):
    """A git host. Nothing is asked before a method is called; each may raise a HostError."""

    name: str

    def on_runner(self) -> bool:
        """Say whether this process is a step of a run on the host; asks nobody."""

    def change_request(self) -> ChangeRequest | None:
        """Return the change request of this run."""

    def run_url(self) -> str:
        """Return where a person sees this run; an empty text outside of one."""

    def comment(self, marker: str, body: str) -> str:
        """Write the run's one comment with this hidden marker, or bring it up to date; return its URL."""

    def find_change(self, branch: str, base: str) -> Change | None:
        """Return the open change request of a branch, else the newest that was closed or merged, else None."""

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """Open the one change request of a branch, or bring the open one up to date; return its URL."""

    def git_variables(self) -> dict[str, str]:
        """Return variables with which git pushes to the remote `origin` in a run; none outside of one."""

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Start a flow on the main branch; return where it can be watched."""

    def find_run(self, reference: str) -> Run:
        """Return a run by its number, or by its address as a browser shows it, with what its jobs kept."""

    def protection(self, gate: str) -> Protection | None:
        """Return who is asked before a job of this gate runs; None if nobody is."""

    def approval(self, gate: str) -> Approval | None:
        """Return who approved this gate in this run; None if nobody did."""

    def settings(self) -> list[Setting]:
        """Return all that `poe host-setup` sees to."""

    def id_token(self, audience: str, connection: str = "") -> str:
        """Return the run's OpenID Connect token for an audience; `connection` is Azure DevOps' service connection."""
