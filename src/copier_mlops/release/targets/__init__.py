"""The targets on which a package runs: `target(name)` returns the module of the target that release.yaml names."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from copier_mlops.project import root
from copier_mlops.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Deployment:
    """A package, and the environment in which a target runs it; a target that cannot run it raises SystemExit."""

    settings: Settings
    url: str
    package: dict[str, Any]
    context: Path
    """The build context of the package."""
    folder: Path
    """The folder in which the target writes its files: build/deploy-<environment>."""
    client: MlflowClient

    def image(self) -> tuple[str, str]:
        """Return the repository and the tag of the image.

        Raises:
            SystemExit: The image was not built.
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
    """The interface of a target. Each target is a module of this folder."""

    def check(self, settings: Settings) -> None:
        """Check the environment's files, and raise SystemExit if the target cannot use them."""

    def start(self, deployment: Deployment) -> None:
        """Replace the running package by another one."""

    def is_running(self, settings: Settings, client: MlflowClient) -> bool:
        """Return whether the environment runs on this target."""

    def stop(self, settings: Settings, client: MlflowClient) -> None:
        """Stop the environment's service on this target."""


def target(name: str) -> Target:
    """Return the target with this name: `local`, `compose` or `kubernetes`."""
    return cast(Target, importlib.import_module(f"copier_mlops.release.targets.{name}"))
