"""The engine `local`: DVC runs the stages on this machine, in the folder of the project."""

import subprocess
import sys
from collections.abc import Sequence

from copier_mlops.project import root

COMMAND = (sys.executable, "-m", "copier_mlops.pipeline.dvc_cli", "repro", "--pull")


def start(options: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start `dvc repro`, whose output is shown as it comes."""
    return subprocess.Popen((*COMMAND, *options), cwd=root())
