"""Tasks of the project, run as a person runs them; each once."""

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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
        told = [line for line in lines if not line.startswith(("->", "mend:", "Error: Sequence aborted"))]
        return (told or ["without a word"])[-1][:SHOWN]


@functools.cache
def run(root: Path, task: str) -> Done:
    """How a task of poe ends. Whoever waits is told what runs."""
    print(f"maturity: uv run poe {task}", file=sys.stderr, flush=True)
    command = ["uv", "run", "--quiet", "poe", "--quiet", *task.split()]
    # A project of its own, whatever environment asks.
    variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    options = {"cwd": root, "env": variables, "stdin": subprocess.DEVNULL, "capture_output": True, "check": False}
    try:
        done = subprocess.run(command, **options, text=True, encoding="utf-8", errors="replace", timeout=SECONDS)
    except FileNotFoundError:
        return Done(False, "", "uv is not installed")
    except subprocess.TimeoutExpired:
        return Done(False, "", f"it did not end within {SECONDS} seconds")
    return Done(done.returncode == 0, done.stdout, done.stderr)


def models(root: Path) -> dict | str:
    """What `poe models` shows, or why it cannot."""
    done = run(root, "models --json")
    if not done.ok:
        return done.last
    try:
        return json.loads(done.printed)
    except ValueError:
        return "what it printed is no JSON"
