"""Where a package runs: `target(name)` is the module of the target that release.yaml names."""

import importlib
from typing import Protocol, cast

from mlflow import MlflowClient

from copier_mlops.project import Settings
from copier_mlops.release.targets.order import Order

__all__ = ["Order", "Target", "target"]


class Target(Protocol):
    """What a target can do; each is a module of this folder."""

    def start(self, order: Order) -> None:
        """Run a package in the place of the one that runs."""

    def is_running(self, settings: Settings, client: MlflowClient) -> bool:
        """Return whether the environment runs anything there."""

    def stop(self, settings: Settings, client: MlflowClient) -> None:
        """End what the environment runs there."""


def target(name: str) -> Target:
    """Return the target of that name: `local`, `compose` or `kubernetes`."""
    return cast(Target, importlib.import_module(f"copier_mlops.release.targets.{name}"))
