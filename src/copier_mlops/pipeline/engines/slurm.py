"""The engine `slurm`: each stage is a job of a Slurm cluster, whose nodes see the folder of the project.

`compile` writes the script of a run, see `slurm_script`, and `submit` runs that script and follows its jobs.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.command import CommandError, run
from copier_mlops.pipeline.dag import Time
from copier_mlops.pipeline.engines import EngineAwayError, EngineError, StageState, State, Submission, slurm_script
from copier_mlops.pipeline.engines.settings import EngineSettings
from copier_mlops.pipeline.plan import Plan

JOBS = "jobs.json"
# Parts of what Slurm's programs print if the controller does not answer.
AWAY = ("unable to contact slurm controller", "connection refused", "timed out", "connect failure")
STATES = {
    "PENDING": State.WAITING,
    "CONFIGURING": State.WAITING,
    "REQUEUED": State.WAITING,
    "REQUEUE_HOLD": State.WAITING,
    "SPECIAL_EXIT": State.WAITING,
    "RUNNING": State.RUNNING,
    "COMPLETING": State.RUNNING,
    "SUSPENDED": State.RUNNING,
    "STOPPED": State.RUNNING,
    "RESIZING": State.RUNNING,
    "COMPLETED": State.SUCCEEDED,
    "CANCELLED": State.CANCELLED,
}
# A job that is told to end has as many seconds before Slurm kills it (KillWait), and some more until that is known.
SECONDS_TO_CANCEL = 45
SECONDS_TO_ANSWER = 60


class Settings(EngineSettings):
    """The settings of the cluster."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_SLURM_", extra="forbid", frozen=True)

    partition: Annotated[
        str, Field(description="partition of stages that name none; empty: the cluster's own", examples=["long"])
    ] = ""
    timeout: Annotated[Time, Field(description="longest time of a stage that names none", examples=["12h"])] = "24h"
    options: Annotated[
        tuple[str, ...], Field(description="further options of sbatch", examples=[["--account=risk"]])
    ] = ()
    setup: Annotated[
        tuple[str, ...], Field(description="shell lines before each stage", examples=[["module load cuda"]])
    ] = ()


def compile(plan: Plan) -> str:
    """Return a shell script that gives the stages to Slurm, and prints each stage's name and the number of its job.

    Raises:
        EngineError, SystemExit: A setting is missing, or wrong.
    """
    settings = Settings.load("slurm")
    return slurm_script.write(plan, settings.partition, settings.timeout, settings.options, settings.setup)


def submit(plan: Plan) -> Submission:
    """Run the script of the plan; if its jobs from an earlier call are not at their end, only follow them.

    Raises:
        EngineError: Slurm is not here, or refused a job; those before it are cancelled.
        EngineAwayError: The controller does not answer.
    """
    submitted = Jobs(plan)
    if submitted.numbers and not all(each.state.has_ended for each in submitted.states().values()):
        return submitted
    script = compile(plan)
    submitted.folder.mkdir(parents=True, exist_ok=True)
    for old in submitted.folder.glob("*.code"):
        old.unlink()
    printed = _slurm("bash", "-c", script)
    submitted.remember(dict(line.rsplit(maxsplit=1) for line in printed.splitlines()))
    return submitted


class Jobs:
    """The jobs of a run, whose numbers are in `build/slurm/RUN/jobs.json`."""

    def __init__(self, plan: Plan) -> None:
        """Take the run, and the numbers of its jobs if it was submitted before."""
        self.plan = plan
        self.folder = plan.folder / slurm_script.FOLDER / plan.run
        self.numbers: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):  # half a file is as none
            self.numbers = json.loads((self.folder / JOBS).read_text(encoding="utf-8"))

    def remember(self, numbers: dict[str, str]) -> None:
        """Write down the number of each stage's job, for example `{"train@linear": "12_0"}`."""
        self.numbers = numbers
        (self.folder / JOBS).write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")

    @property
    def place(self) -> str:
        """The jobs, and the folder of their logs."""
        numbers = ",".join(dict.fromkeys(each.partition("_")[0] for each in self.numbers.values()))
        return f"squeue --jobs {numbers}; logs in {self.folder.relative_to(self.plan.folder).as_posix()}"

    def states(self) -> Mapping[str, StageState]:
        """Return the state of each stage: of the queue, or, when Slurm has forgotten the job, of what it left.

        Raises:
            EngineAwayError: The controller does not answer.
        """
        printed = _slurm("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%N|%r")
        queue = {line.partition("|")[0]: line.split("|")[1:] for line in printed.splitlines()}
        return {node.name: self._state(node.name, node.slug, queue) for node in self.plan.nodes}

    def _state(self, name: str, slug: str, queue: Mapping[str, list[str]]) -> StageState:
        number = self.numbers.get(name, "")
        code = self.folder / f"{slug}.code"
        if number not in queue:
            ended_well = code.is_file() and code.read_text(encoding="utf-8").strip() == "0"
            return StageState(State.SUCCEEDED if ended_well else State.FAILED if code.is_file() else State.CANCELLED)
        said, node, reason = queue[number]
        state = STATES.get(said, State.FAILED)
        if reason == "DependencyNeverSatisfied":
            return StageState(State.SKIPPED)
        return StageState(state, f"job {number} on {node}" if node else f"job {number}")

    def log(self, name: str) -> str:
        """Return the output of a stage's job."""
        number = self.numbers.get(name, "")
        file = self.folder / slurm_script.log_name(self.plan.nodes, name)
        try:
            return file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            return f"the log of job {number} cannot be read: {error}"

    def cancel(self) -> None:
        """End the jobs, and wait until they have.

        Raises:
            EngineAwayError: The controller does not answer.
        """
        _slurm("scancel", *self.numbers.values())
        until = time.monotonic() + SECONDS_TO_CANCEL
        while time.monotonic() < until and not all(each.state.has_ended for each in self.states().values()):
            time.sleep(0.5)


def _slurm(*command: str) -> str:
    """Run a program of Slurm.

    Raises:
        EngineAwayError: The controller does not answer.
        EngineError: The program is missing, or refused.
    """
    try:
        return run(*command, timeout=SECONDS_TO_ANSWER)
    except CommandError as error:
        said = str(error)
        if any(text in said.lower() for text in (*AWAY, "did not end within")):
            raise EngineAwayError(f"Slurm does not answer: {said}\n  fix: scontrol ping") from None
        fix = "run this on a login node of the cluster" if "not installed" in said or "not found" in said else "sinfo"
        raise EngineError(f"Slurm refused: {said}\n  fix: {fix}") from None
