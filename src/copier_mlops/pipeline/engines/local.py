"""The engine `local`: DVC runs the stages on this machine, in the folder of the project, several at once if it can."""

import os
import subprocess
import sys
from collections.abc import Sequence

from copier_mlops.pipeline import dvc_cli
from copier_mlops.project import root


class Local:
    """A run of `dvc repro` in the work tree."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Take the process."""
        self.process = process

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        return self.process.wait()

    def cancel(self) -> None:
        """Do nothing: on Ctrl-C, the terminal has told the process as well, which saves what has ended."""


def start(options: Sequence[str], jobs: int | None) -> Local:
    """Start `dvc repro` with up to `jobs` stages at once, or one for each core; its output is shown as it comes."""
    command = (sys.executable, "-m", dvc_cli.__name__, f"{dvc_cli.SIDE_BY_SIDE}={jobs or cores()}")
    return Local(subprocess.Popen((*command, "repro", "--pull", *options), cwd=root()))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
