"""Forgejo and Gitea: their runners are known, and that they have no gates. Managed by the template."""

from collections.abc import Iterable, Mapping

from operation.execution.host.base import Base
from operation.execution.host.interface import Approval, ChangeRequest, HostError, Protection, Setting

BY_HAND = "do it on the host by hand; releases go from a laptop: uv run poe cd"


class Forgejo(Base):
    """A host that runs `ci` alone: a job can be told to wait for nobody, so nothing behind a gate starts there."""

    name = "Forgejo"
    runner = ("FORGEJO_ACTIONS", "true")

    def on_runner(self) -> bool:
        """Whether this process is a step of a run on Forgejo or Gitea."""
        return super().on_runner() or self.var("GITEA_ACTIONS").lower() == "true"

    def change_request(self) -> ChangeRequest | None:
        """Never asked: `ci` has no report here."""
        raise self._refusal("reports on pull requests")

    def run_url(self) -> str:
        """Not known."""
        return ""

    def comment(self, marker: str, body: str) -> str:
        """Refused."""
        raise self._refusal("comments")

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """Refused."""
        raise self._refusal("opens pull requests")

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Refused."""
        raise self._refusal("starts flows")

    def protection(self, gate: str) -> Protection | None:
        """Nobody is asked before a job runs."""
        return None

    def approval(self, gate: str) -> Approval | None:
        """Nobody approves."""
        return None

    def settings(self) -> list[Setting]:
        """Refused."""
        raise self._refusal("changes settings")

    def id_token(self, audience: str, connection: str = "") -> str:
        """Refused."""
        raise self._refusal("logs in to a cloud")

    def _refusal(self, what: str) -> HostError:
        return HostError(f"this template never {what} on {self.name}", BY_HAND)
