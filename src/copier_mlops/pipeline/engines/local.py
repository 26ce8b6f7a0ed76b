"""The engine `local`: DVC runs the stages on this machine, in the folder of the project, several at once if it can."""

import os
import subprocess
import sys
from collections.abc import Sequence

from copier_mlops.pipeline import dvc_cli
from copier_mlops.project import root


def start(options: Sequence[str], jobs: int | None) -> "subprocess.Popen[bytes]":
    """Start `dvc repro` with up to `jobs` stages at once, or one for each core; its output is shown as it comes."""
    command = (sys.executable, "-m", dvc_cli.__name__, f"{dvc_cli.SIDE_BY_SIDE}={jobs or cores()}")
    return subprocess.Popen((*command, "repro", "--pull", *options), cwd=root())


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
