"""The engines that run the pipeline. `local` runs it in the work tree; all others run each stage apart.

An engine is an entry of extensions/engines.yml and a module of the same name here. `engine(name)` returns the module.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from copier_mlops.pipeline import PipelineError

if TYPE_CHECKING:
    from copier_mlops.pipeline.engines.settings import EngineSettings
    from copier_mlops.pipeline.plan import Plan


# An engine may end a run some seconds after its last stage, and Azure ML some more.
SECONDS_TO_END = 120.0


class EngineError(PipelineError):
    """An engine that refused, or that a setting describes wrongly; the text says why, and the fix."""


class EngineAwayError(EngineError):
    """An engine that does not answer now. The run may go on; ask again later."""


class State(StrEnum):
    """The state of a stage in a run."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether it stays as it is."""
        return self not in (State.WAITING, State.RUNNING)


@dataclass(frozen=True)
class StageState:
    """The state of a stage, and where it runs, for example `node7` or a job's number; empty if nobody knows yet."""

    state: State
    place: str = ""


class Submission(Protocol):
    """A run that an engine has taken."""

    @property
    def place(self) -> str:
        """Where you find the run in the engine, for example its address."""

    def states(self) -> Mapping[str, StageState]:
        """Return the state of each stage by its name.

        Raises:
            EngineAwayError: The engine does not answer.
        """

    def log(self, name: str) -> str:
        """Return what a stage has printed; empty if that cannot be read.

        Raises:
            EngineAwayError: The engine does not answer.
        """

    def cancel(self) -> None:
        """End the stages that are running, and let no other one start.

        Raises:
            EngineAwayError: The engine does not answer.
        """


class Engine(Protocol):
    """An engine that runs stages apart. `Settings` reads its file `operation/configuration/engines/NAME.yaml`."""

    Settings: type[EngineSettings]

    def compile(self, plan: Plan) -> str:
        """Return the engine's own file for the pipeline, as `poe compile` prints it.

        Raises:
            EngineError: A setting is missing, or the engine cannot run such a pipeline.
        """

    def submit(self, plan: Plan) -> Submission:
        """Start a run, or find the one of this name that is under way.

        Raises:
            EngineError: The engine refused.
            EngineAwayError: It does not answer.
        """


@runtime_checkable
class Deployer(Protocol):
    """An engine whose server keeps a pipeline and a schedule for it."""

    def deploy(self, plan: Plan) -> str:
        """Give the pipeline to the server, and return a sentence that says when it runs and where you find it.

        Raises:
            EngineError: The server refused.
            EngineAwayError: It does not answer.
        """


@runtime_checkable
class Template(Protocol):
    """An engine whose file for one run differs from the one that it keeps for all runs."""

    def compile_template(self, plan: Plan) -> str:
        """Return the file that the engine keeps, as `poe compile` prints it without the name of a run.

        Raises:
            EngineError: As `compile` of an engine.
        """


def engine(name: str) -> Engine:
    """Return the engine with this name, for example `slurm`."""
    return cast(Engine, importlib.import_module(f"copier_mlops.pipeline.engines.{name}"))


def let_end(run: Submission, is_under_way: Callable[[], bool]) -> bool:
    """Return whether a run is under way; one whose stages have all ended is waited for, so that it can be resumed.

    Args:
        run: A run that the engine knows.
        is_under_way: Whether the engine takes it for one that has not ended, which this asks again and again.

    Raises:
        EngineAwayError: The engine does not answer.
    """
    until = time.monotonic() + SECONDS_TO_END
    while is_under_way():
        if time.monotonic() > until or not all(each.state.has_ended for each in run.states().values()):
            return True
        time.sleep(0.5)
    return False
