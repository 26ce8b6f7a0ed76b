"""Forgejo and Gitea, which support only continuous integration.

Their actions ignore `environment` and `permissions` of a job, so the host cannot request an approval before a release.
Methods that need an approval are refused. On a laptop, a gate asks you at the keyboard, as with every host.
"""

from collections.abc import Iterable, Mapping

from copier_mlops.hosts.base import Base
from copier_mlops.hosts.interface import Approval, Change, ChangeRequest, HostError, Plan, Protection, Run, Setting


class Forgejo(Base):
    """A Forgejo or Gitea server, whose API is never called."""

    name = "Forgejo"
    ref = "GITHUB_REF"

    def on_runner(self) -> bool:
        """Return whether this process is a step of a run on the host, without calling the API."""
        return "true" in (self.var("FORGEJO_ACTIONS"), self.var("GITEA_ACTIONS"))

    def change_request(self) -> ChangeRequest | None:
        """Return None: reports stay in the log."""
        return None

    def run_url(self) -> str:
        """Return an empty text: reports name no run."""
        return ""

    def comment(self, marker: str, body: str) -> str:
        """Refuse."""
        raise self._refusal("comments")

    def find_change(self, branch: str, base: str) -> Change | None:
        """Return None: the API is not called."""
        return None

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """Refuse."""
        raise self._refusal("change requests")

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Refuse."""
        raise self._refusal("flows but ci")

    def find_run(self, reference: str) -> Run:
        """Refuse: only ci runs there, and it has no artifacts."""
        raise HostError(f"{self.name} runs only ci in this template, and ci has no artifacts to fetch", "uv run poe ci")

    def protection(self, gate: str) -> Protection | None:
        """Return None: the host requests no approvals."""
        return None

    def approval(self, gate: str) -> Approval | None:
        """Return None: no approval was requested."""
        return None

    def settings(self) -> list[Setting]:
        """Return the settings that you have to make by hand."""
        text = "protect the main branch in the settings of the repository; releases start on a laptop"
        return [Setting("branch and gates", lambda: Plan("by hand", text))]

    def id_token(self, audience: str, connection: str = "") -> str:
        """Refuse."""
        raise self._refusal("identities for a run")

    def _refusal(self, what: str) -> HostError:
        return HostError(f"{self.name} has no {what} in this template", "do it by hand, or on a laptop")


ADAPTER = Forgejo
