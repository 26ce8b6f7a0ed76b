"""The interface of a cloud. Each cloud of extensions/clouds.yml has a module of its name that implements it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from copier_mlops.identity.federated import Federated


class Cloud(Protocol):
    """A cloud that a run of the git host may log in to. Only the cloud's own libraries send requests to it."""

    # The name of the cloud, and how you log in to it on a laptop.
    NAME: str
    LOGIN: str
    # The values of identity.yaml; extensions/clouds.yml explains each field.
    Identity: type[Federated]

    def variables(self, identity: Any, token: Path, write: Callable[[str, str], Path]) -> dict[str, str]:
        """Return the variables that the cloud's libraries read; `write` creates a file beside the token."""
