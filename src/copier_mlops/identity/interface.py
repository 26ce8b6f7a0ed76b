"""What a cloud's module has: an adapter is the module of a cloud's name in extensions/clouds.yml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from copier_mlops.identity.federated import Federated


class Cloud(Protocol):
    """A cloud that a run of the git host may log in to. Nothing here asks the cloud: its own libraries do."""

    # What a person calls it, and how a person logs in to it on a laptop.
    NAME: str
    LOGIN: str
    # The values of identity.yaml; its fields are those that extensions/clouds.yml explains.
    Identity: type[Federated]

    def variables(self, identity: Any, token: Path, write: Callable[[str, str], Path]) -> dict[str, str]:
        """Return what the cloud's libraries read; `write` makes a file beside the token."""
