"""The engine `local`: DVC runs the stages on this machine, in the folder of the project, several at once if it can."""

import os
import subprocess
import sys
from collections.abc import Sequence

from copier_mlops.project import root

MODULE = "copier_mlops.pipeline"


def start(options: Sequence[str], jobs: int | None) -> "subprocess.Popen[bytes]":
    """Start `dvc repro` with up to `jobs` stages at once, or one for each core; its output is shown as it comes."""
    jobs = jobs or cores()
    module = [f"{MODULE}.parallel", str(jobs)] if jobs > 1 else [f"{MODULE}.dvc_cli"]
    return subprocess.Popen((sys.executable, "-m", *module, "repro", "--pull", *options), cwd=root())


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
