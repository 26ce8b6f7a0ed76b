"""The engine `local`: DVC runs the stages on this machine, in the folder of the project."""

import subprocess
from collections.abc import Sequence

from copier_mlops.project import root

COMMAND = ("dvc", "repro", "--pull")


def start(options: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start `dvc repro`, whose output is shown as it comes.

    Raises:
        SystemExit: DVC is not installed.
    """
    try:
        return subprocess.Popen((*COMMAND, *options), cwd=root())
    except FileNotFoundError:
        raise SystemExit("train: dvc is not installed\n  fix: uv sync") from None
