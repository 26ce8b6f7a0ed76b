"""The engine `local`: DVC runs the stages on this machine, in the folder of the project, several at once if it can."""

import subprocess
import sys
import time
from collections.abc import Sequence

from copier_mlops.pipeline import cores, dvc_cli, record, remote_login
from copier_mlops.project import root

# Seconds between two looks at the process; `wait` with a timeout of Python looks every 0.05 s.
STEP = 0.005


class Local:
    """A run of `dvc repro` in the work tree."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Take the process."""
        self.process = process
        self.recorded = record.stamp(root())

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        return self.process.wait()

    def ends_within(self, seconds: float) -> bool:
        """Wait for some seconds, and return whether it has ended."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            time.sleep(STEP)
        return self.process.returncode is not None

    def changed_nothing(self) -> bool:
        """Return whether it has ended without an error, and no stage had to run."""
        return self.process.returncode == 0 and record.stamp(root()) == self.recorded

    def cancel(self) -> None:
        """Do nothing: on Ctrl-C, the terminal has told the process as well, which saves what has ended."""


def start(options: Sequence[str], jobs: int | None, *, pulls: bool = True) -> Local:
    """Start `dvc repro` with up to `jobs` stages at once, or one for each core; its output is shown as it comes.

    Args:
        options: Further options of `dvc repro`.
        jobs: How many stages may run at once; one for each core if it is None.
        pulls: Whether the data remote gives what is missing here.
    """
    remote_login.provide()  # the process inherits it, and need not import what finds it
    command = (sys.executable, "-m", dvc_cli.__name__, f"{dvc_cli.SIDE_BY_SIDE}={jobs or cores()}")
    repro = ("repro", "--pull") if pulls else ("repro",)
    return Local(subprocess.Popen((*command, *repro, *options), cwd=root()))
