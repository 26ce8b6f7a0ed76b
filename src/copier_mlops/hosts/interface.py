"""What every git host can be asked, in words that belong to none of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol


class HostError(SystemExit):
    """The host cannot be asked, or does not do what it was asked; the text says which and what to do."""

    def __init__(self, text: str, mend: str = "") -> None:
        super().__init__(f"host: {text}" + (f"\n  mend: {mend}" if mend else ""))


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
    """Who let this run pass a gate, how the host came to know, and when; `at` is empty where the host does not tell."""

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


class Host(Protocol):
    """A git host. Nothing is asked before a method is called; each may raise a HostError."""

    name: str

    def on_runner(self) -> bool:
        """Whether this process is a step of a run on the host; asks nobody."""

    def change_request(self) -> ChangeRequest | None:
        """The change request of this run."""

    def run_url(self) -> str:
        """Where a person sees this run; empty outside of one."""

    def comment(self, marker: str, body: str) -> str:
        """Write the run's one comment with this hidden marker, or bring it up to date; return its URL."""

    def find_change(self, branch: str, base: str) -> Change | None:
        """The open change request of a branch, else the newest that was closed or merged, else None."""

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """Open the one change request of a branch, or bring the open one up to date; return its URL."""

    def git_variables(self) -> dict[str, str]:
        """Variables with which git pushes to the remote `origin` in a run; none outside of one."""

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Start a flow on the main branch; return where it can be watched."""

    def protection(self, gate: str) -> Protection | None:
        """Who is asked before a job of this gate runs; None where nobody is."""

    def approval(self, gate: str) -> Approval | None:
        """Who approved this gate in this run; None where nobody did."""

    def settings(self) -> list[Setting]:
        """All that `poe host-setup` sees to."""

    def id_token(self, audience: str, connection: str = "") -> str:
        """The run's OpenID Connect token for an audience; `connection` is Azure DevOps' service connection."""
