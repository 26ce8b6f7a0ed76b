"""Where trials run: on this machine, in a process each."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from copier_mlops.pipeline import cores
from copier_mlops.pipeline.parallel import THREADS
from copier_mlops.tuning import process, trial

LOG = "log"


class Workers(Protocol):
    """A place for trials; `jobs` is how many run at once."""

    jobs: int

    def start(self, root: Path, folder: Path) -> Future[int]:
        """Run the trial whose request is in a folder; the result is the exit code of its process."""

    def end(self) -> None:
        """End the trials that are running, and wait until they have."""


def command(folder: Path) -> list[str]:
    """Return the command that runs a trial."""
    return [sys.executable, "-m", trial.__name__, str(folder)]


def limits(threads: int) -> dict[str, str]:
    """Return the variables by which libraries start so many threads, and Python shows at once what it prints."""
    return dict.fromkeys(THREADS, str(threads)) | {"PYTHONUNBUFFERED": "1"}


class Local:
    """Processes on this machine, each of which gets its share of the cores."""

    def __init__(self, jobs: int) -> None:
        """Take how many trials may run at once."""
        self.jobs = jobs
        self.pool = ThreadPoolExecutor(jobs, "trial")
        self.stopped = threading.Event()
        share = max(1, cores() // jobs)
        self.variables = limits(share) if share < cores() else {"PYTHONUNBUFFERED": "1"}

    def start(self, root: Path, folder: Path) -> Future[int]:
        """Start a trial; see `Workers`."""
        log = str(folder / LOG)
        return self.pool.submit(process.follow, command(folder), str(root), log, self.variables, self.stopped)

    def end(self) -> None:
        """End the trials; see `Workers`."""
        self.stopped.set()
        self.pool.shutdown(cancel_futures=True)
