"""Where a package runs: `target(name)` is the module of the target that release.yaml names."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from copier_mlops.project import Settings, root

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Deployment:
    """A package and the environment to run it in; a target that cannot run it raises SystemExit and says why."""

    settings: Settings
    url: str
    package: dict[str, Any]
    context: Path
    """The build context that the package was made of."""
    folder: Path
    """Where the target writes what it needs: build/deploy-<environment>."""
    client: MlflowClient

    def image(self) -> tuple[str, str]:
        """Return repository and tag of the image.

        Raises:
            SystemExit: It was never built.
        """
        if not self.package["built"]:
            place = self.context.relative_to(root()).as_posix()
            raise SystemExit(
                f"deploy: the image {self.package['image']} was never built\n"
                f"  fix: start docker or podman and run: uv run poe package; its context is {place}"
            )
        repository, _, tag = self.package["image"].rpartition(":")
        return repository, tag


class Target(Protocol):
    """What a target can do; each is a module of this folder."""

    def check(self, settings: Settings) -> None:
        """Refuse, by SystemExit, what the environment's files say if nothing can run by it."""

    def start(self, deployment: Deployment) -> None:
        """Run a package in the place of the one that runs."""

    def is_running(self, settings: Settings, client: MlflowClient) -> bool:
        """Return whether the environment runs anything there."""

    def stop(self, settings: Settings, client: MlflowClient) -> None:
        """End what the environment runs there."""


def target(name: str) -> Target:
    """Return the target of that name: `local`, `compose` or `kubernetes`."""
    return cast(Target, importlib.import_module(f"copier_mlops.release.targets.{name}"))
