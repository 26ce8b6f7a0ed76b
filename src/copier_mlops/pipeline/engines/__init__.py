"""The engines that run the pipeline: `engine(name)` returns the module that `poe train --engine` names."""

import importlib
from collections.abc import Sequence
from typing import Protocol, cast


class Run(Protocol):
    """A run of the pipeline that has started."""

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""


class Engine(Protocol):
    """The interface of an engine. Each engine is a module of this folder, with the name of its entry in engines.yml."""

    def start(self, options: Sequence[str], jobs: int | None) -> Run:
        """Start the pipeline with the options of `dvc repro`, up to `jobs` stages at once; None if the engine decides.

        Raises:
            SystemExit: That cannot be done.
        """


def engine(name: str) -> Engine:
    """Return the engine with this name, for example `local`."""
    return cast(Engine, importlib.import_module(f"copier_mlops.pipeline.engines.{name}"))
