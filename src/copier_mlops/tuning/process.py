"""Run the process of a trial to its end, here or on a node of Ray, which needs nothing but Python's library for it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

# Seconds between two looks at a process, and those that it has to remove its copy before it is killed.
PAUSE, GRACE = 0.05, 10.0


def follow(
    command: Sequence[str],
    cwd: str,
    log: str,
    variables: Mapping[str, str],
    stopped: threading.Event | None = None,
) -> int:
    """Run a command with its output in a file, and return its exit code.

    Args:
        command: The program and its arguments.
        cwd: Where it runs.
        log: The file that gets what it prints.
        variables: Environment variables that it gets, unless the environment has them already.
        stopped: Ends the command when it is set; an exception in this call ends it as well.
    """
    with open(log, "wb") as output:  # noqa: PTH123
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(variables) | os.environ,
            stdin=subprocess.PIPE,  # it ends when this side is gone
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this process, which tells the others
        )
        try:
            while process.poll() is None:
                if stopped is not None and stopped.wait(PAUSE):
                    break
                if stopped is None:
                    time.sleep(PAUSE)
        finally:
            end(process)
        return process.returncode


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it has started, if it has not ended."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        until = time.monotonic() + GRACE
        while process.poll() is None and time.monotonic() < until:
            time.sleep(PAUSE)
    if process.poll() is None:
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()
    if process.stdin:
        process.stdin.close()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.terminate()
    except ProcessLookupError:
        pass
