"""Run tasks of the project as a person runs them, each once."""

import functools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copier_mlops.command import CommandError
from copier_mlops.command import run as run_program

# Longer than any of these tasks takes; a server that hangs must not hang the report.
SECONDS = 900
SHOWN = 200


@dataclass(frozen=True)
class Done:
    """How a task ended, and what it printed."""

    ok: bool
    printed: str
    said: str

    @property
    def last(self) -> str:
        """The line that says why, as far as a line can."""
        lines = [line.strip() for line in f"{self.said}\n{self.printed}".splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith(("->", "fix:", "Error: Sequence aborted"))]
        return (told or ["without a word"])[-1][:SHOWN]


@functools.cache
def run(root: Path, task: str) -> Done:
    """Run a task of poe and return how it ended; the person who waits is told what runs."""
    print(f"maturity: uv run poe {task}", file=sys.stderr, flush=True)
    command = ("uv", "run", "--quiet", "poe", "--quiet", *task.split())
    try:
        # The project has an environment of its own, whichever one is active here.
        printed = run_program(*command, cwd=root, timeout=SECONDS, VIRTUAL_ENV="")
    except CommandError as error:
        return Done(False, error.printed, str(error))
    return Done(True, printed, "")


def models(root: Path) -> dict[str, Any] | str:
    """What `poe models` shows, or why it cannot."""
    done = run(root, "models --json")
    if not done.ok:
        return done.last
    try:
        found = json.loads(done.printed)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else "what it printed is no JSON"
