"""The engine `metaflow`: each stage is a step of a flow of Metaflow, which runs on this machine.

`compile` writes the flow, see `metaflow_flow`. `submit` runs it in a process of its own, which goes on if this one
ends, and reads the records of Metaflow, see `metaflow_records`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.pipeline.engines import EngineError, StageState, State, Submission, metaflow_flow, metaflow_records
from copier_mlops.pipeline.engines.metaflow_records import Record
from copier_mlops.pipeline.engines.settings import EngineSettings
from copier_mlops.pipeline.plan import Plan

# The records of all runs, and a folder for each run.
FOLDER = Path("build", "metaflow")
# The files of a run: its flow, what Metaflow has printed, its number in Metaflow, what was started, and a lock that the
# process holds.
FLOW, OUTPUT, NUMBER, STARTED, LOCK = "flow.py", "output.log", "number", "run.json", "lock"
SECONDS_TO_START = SECONDS_TO_END = 60.0
# Metaflow gives its tasks five seconds to end, and kills them afterwards.
SECONDS_TO_CANCEL = 20.0


class Settings(EngineSettings):
    """How the flow runs."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_METAFLOW_", extra="forbid", frozen=True)

    jobs: Annotated[int, Field(ge=1, description="how many stages of a run may run at the same time")] = 2
    tags: Annotated[tuple[str, ...], Field(description="tags of the runs in Metaflow", examples=[["nightly"]])] = ()


def compile(plan: Plan) -> str:
    """Return the flow.

    Raises:
        EngineError: A stage asks for what Metaflow does not do.
    """
    return metaflow_flow.write(plan)


def submit(plan: Plan) -> Submission:
    """Run the flow, follow the run of this name that is under way, or resume one that has not succeeded.

    Raises:
        EngineError: Metaflow is not installed, or cannot run here.
        SystemExit: A setting is wrong.
    """
    _check()
    settings = Settings.load("metaflow")
    text = compile(plan)
    run = FlowRun(plan)
    run.folder.mkdir(parents=True, exist_ok=True)
    run.let_end()
    with _locked(run.folder / LOCK) as lock:
        if lock is not None and (left := run.left()):
            (run.folder / FLOW).write_text(text, encoding="utf-8")
            run.start(_command(run, settings, left), lock)
    run.wait_for_number()
    return run


class FlowRun:
    """A run of the flow, whose files are in `build/metaflow/RUN`."""

    def __init__(self, plan: Plan) -> None:
        """Take the run."""
        self.plan = plan
        self.records = plan.folder / FOLDER
        self.folder = self.records / plan.run
        self.flow = metaflow_flow.name_of_flow(plan.project)
        self.steps = {node.name: metaflow_flow.name_of_step(node) for node in plan.nodes}

    @property
    def number(self) -> str:
        """The number of the run in Metaflow, for example `1796078091731712`; empty if it did not come to that."""
        return _text(self.folder / NUMBER).strip()

    @property
    def place(self) -> str:
        """The run in Metaflow, and the file with what Metaflow has printed."""
        output = (self.folder / OUTPUT).relative_to(self.plan.folder).as_posix()
        return f"{self.flow}/{self.number or '?'}; output in {output}"

    def left(self) -> set[str]:
        """Return the stages that the last run of this name and commit has left; all of them if it was another one."""
        if not self.number or self._started().get("commit") != self.plan.commit:
            (self.folder / NUMBER).unlink(missing_ok=True)
            return {node.name for node in self.plan.nodes}
        records = metaflow_records.read(self.records, self.flow, self.number)
        return {name for name, step in self.steps.items() if not _has_result(name, records.get(step))}

    def let_end(self) -> None:
        """If all stages of a run have ended, wait for the last steps of its flow, so that it can be resumed."""
        until = time.monotonic() + SECONDS_TO_END
        while self._is_running() and time.monotonic() < until:
            if not all(each.state.has_ended for each in self.states().values()):
                return
            time.sleep(0.1)

    def start(self, command: list[str], lock: int) -> None:
        """Run the flow in a process of its own, which holds the lock until it ends."""
        (self.folder / NUMBER).unlink(missing_ok=True)
        with (self.folder / OUTPUT).open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.plan.folder,
                env=os.environ | metaflow_records.variables(self.records),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock],
            )
        entry = {"commit": self.plan.commit, "process": process.pid}
        (self.folder / STARTED).write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")

    def wait_for_number(self) -> None:
        """Return when Metaflow has given the run a number, or has ended without one."""
        until = time.monotonic() + SECONDS_TO_START
        while not self.number and self._is_running() and time.monotonic() < until:
            time.sleep(0.1)

    def states(self) -> Mapping[str, StageState]:
        """Return the state of each stage."""
        is_running = self._is_running()  # asked first, so that all is written if it has ended
        records = metaflow_records.read(self.records, self.flow, self.number)
        states = {name: _state(name, records.get(step), is_running) for name, step in self.steps.items()}
        if not is_running and not any(each.state in (State.FAILED, State.CANCELLED) for each in states.values()):
            # It did not come to a stage, so the output of Metaflow goes with the first one that is left.
            name = next((name for name, each in states.items() if each.state is State.SKIPPED), "")
            states |= {name: StageState(State.FAILED)} if name else {}
        return states

    def log(self, name: str) -> str:
        """Return what the last attempt of a stage has printed, or what Metaflow has if it did not come to the stage."""
        printed = metaflow_records.log(self.records, self.flow, self.number, self.steps[name])
        return printed or _text(self.folder / OUTPUT)

    def cancel(self) -> None:
        """Interrupt Metaflow, which ends its tasks, and wait until it has ended."""
        group = int(self._started().get("process", 0))
        for number in (signal.SIGINT, signal.SIGKILL):
            until = time.monotonic() + SECONDS_TO_CANCEL
            if group and self._is_running():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, number)
            while self._is_running() and time.monotonic() < until:
                time.sleep(0.1)

    def _is_running(self) -> bool:
        with _locked(self.folder / LOCK) as lock:
            return lock is None

    def _started(self) -> dict[str, str]:
        try:
            return dict(json.loads(_text(self.folder / STARTED)))
        except ValueError:  # half a file is as none
            return {}


def _command(run: FlowRun, settings: Settings, left: set[str]) -> list[str]:
    """Return the command that runs the flow, or resumes its last run from the first step that has to run again."""
    resumed = ["run"]
    if run.number:
        step = metaflow_flow.step_before(run.plan.nodes, left)
        resumed = ["resume", step, "--origin-run-id", run.number]
    flow = [sys.executable, str(run.folder / FLOW), "--no-pylint", "--datastore", "local", "--metadata", "local"]
    tags = [word for tag in (f"run:{run.plan.run}", *settings.tags) for word in ("--tag", tag)]
    limits = ["--max-workers", str(settings.jobs), "--run-id-file", str(run.folder / NUMBER)]
    return [*flow, *resumed, *limits, *tags]


def _has_result(name: str, record: Record | None) -> bool:
    return record is not None and _state(name, record, False).state is State.SUCCEEDED


def _state(name: str, record: Record | None, is_running: bool) -> StageState:
    """Return the state of a stage; when the run has ended, one that waits will not start any more."""
    if record is None:
        return StageState(State.WAITING if is_running else State.SKIPPED)
    place = f"task {record.task}"
    if not record.has_ended and is_running:
        return StageState(State.RUNNING, place)
    if record.has_failed:
        return StageState(State.FAILED, place)
    if not record.has_ended:
        return StageState(State.CANCELLED, place)
    return StageState(State.SUCCEEDED, place) if name in record.done else StageState(State.SKIPPED)


def _check() -> None:
    """Refuse a machine on which Metaflow does not run.

    Raises:
        EngineError: It is not installed, or has no Windows.
    """
    if sys.platform == "win32":
        raise EngineError("Metaflow does not run on Windows\n  fix: run this in the Windows Subsystem for Linux")
    if importlib.util.find_spec("metaflow") is None:
        raise EngineError("Metaflow is not installed\n  fix: uv run poe setup")


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[int | None]:
    """Give a lock as an open file; None if another process holds it. A process that inherits the file holds it, too."""
    import fcntl  # Windows does not have it

    with file.open("ab") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield opened.fileno()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
