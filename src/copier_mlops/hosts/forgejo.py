"""Forgejo and Gitea: continuous integration alone.

Their actions leave out `environment` and `permissions` of a job, so nothing on the host could ask before a release.
What needs that is refused here; on a laptop the gates ask at the keyboard, as everywhere.
"""

from collections.abc import Iterable, Mapping

from copier_mlops.hosts.base import Base
from copier_mlops.hosts.interface import Approval, Change, ChangeRequest, HostError, Plan, Protection, Setting


class Forgejo(Base):
    """A Forgejo or Gitea server, which is asked nothing."""

    name = "Forgejo"

    def on_runner(self) -> bool:
        """Whether this process is a step of a run on the host; asks nobody."""
        return "true" in (self.var("FORGEJO_ACTIONS"), self.var("GITEA_ACTIONS"))

    def change_request(self) -> ChangeRequest | None:
        """None: a report stays in the log."""
        return None

    def run_url(self) -> str:
        """Empty: a report names no run."""
        return ""

    def comment(self, marker: str, body: str) -> str:
        """Refused."""
        raise self._refusal("comments")

    def find_change(self, branch: str, base: str) -> Change | None:
        """None: the host is not asked."""
        return None

    def open_change(self, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()) -> str:
        """Refused."""
        raise self._refusal("change requests")

    def start(self, flow: str, inputs: Mapping[str, str]) -> str:
        """Refused."""
        raise self._refusal("flows but ci")

    def protection(self, gate: str) -> Protection | None:
        """None: the host asks nobody."""
        return None

    def approval(self, gate: str) -> Approval | None:
        """None: nobody was asked."""
        return None

    def settings(self) -> list[Setting]:
        """What a person sees to."""
        text = "protect the main branch in the settings of the repository; releases start on a laptop"
        return [Setting("branch and gates", lambda: Plan("by hand", text))]

    def id_token(self, audience: str, connection: str = "") -> str:
        """Refused."""
        raise self._refusal("identities for a run")

    def _refusal(self, what: str) -> HostError:
        return HostError(f"{self.name} has no {what} in this template", "do it by hand, or on a laptop")


ADAPTER = Forgejo
