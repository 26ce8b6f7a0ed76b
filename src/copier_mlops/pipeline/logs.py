"""Keep apart what the commands of stages print that run side by side: a file for each, and its name before each line.

For example, `build/logs/train@linear.log`, and on the screen `train@linear | fold 1 of 5`.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

FOLDER = Path("build", "logs")


class StageLog:
    """The output of one stage, in its file and on the screen. If the file cannot be written, it is on the screen."""

    def __init__(self, stage: str, *, goes_on: bool = False) -> None:
        """Begin the file of a stage, or go on with it if the stage has several commands."""
        self.stage = stage
        self.path = FOLDER / (re.sub(r"[^\w@.-]", "-", stage) + ".log")
        self.file: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            FOLDER.mkdir(parents=True, exist_ok=True)
            self.file = self.path.open("ab" if goes_on else "wb")

    def __enter__(self) -> StageLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.file:
            with contextlib.suppress(OSError):
                self.file.close()

    @property
    def place(self) -> str:
        """Where the output can be read again, for an error."""
        return self.path.as_posix() if self.file else "above"

    def follow(self, output: Iterable[bytes]) -> None:
        """Copy each line as it comes, until the command has ended; of a progress bar, the screen shows the end."""
        for line in output:
            self._keep(line)
            shown = line.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2]
            sys.stdout.write(f"{self.stage} | {shown}\n")
            sys.stdout.flush()

    def _keep(self, line: bytes) -> None:
        if self.file:
            try:
                self.file.write(line)
                self.file.flush()
            except OSError:  # a full disk must not end a training
                self.file = None
