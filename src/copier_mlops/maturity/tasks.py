"""Run tasks of the project as you would, each only once."""

import functools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copier_mlops.command import CommandError
from copier_mlops.command import run as run_program

# Longer than any of these tasks takes, so that a server that hangs cannot block the report.
SECONDS = 900
SHOWN = 200


@dataclass(frozen=True)
class Done:
    """The exit code and the output of a task."""

    ok: bool
    printed: str
    said: str

    @property
    def last(self) -> str:
        """The line of the output that says best why the task failed."""
        lines = [line.strip() for line in f"{self.said}\n{self.printed}".splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith(("->", "fix:", "Error: Sequence aborted"))]
        return (told or ["without a word"])[-1][:SHOWN]


@functools.cache
def run(root: Path, task: str) -> Done:
    """Run a poe task, print its name for those who wait, and return its result."""
    print(f"maturity: uv run poe {task}", file=sys.stderr, flush=True)
    command = ("uv", "run", "--quiet", "poe", "--quiet", *task.split())
    try:
        # The project has its own virtual environment, whichever is active here.
        printed = run_program(*command, cwd=root, timeout=SECONDS, VIRTUAL_ENV="")
    except CommandError as error:
        return Done(False, error.printed, str(error))
    return Done(True, printed, "")


def models(root: Path) -> dict[str, Any] | str:
    """Return the output of `poe models`, or why it failed."""
    done = run(root, "models --json")
    if not done.ok:
        return done.last
    try:
        found = json.loads(done.printed)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else "its output is not JSON"
