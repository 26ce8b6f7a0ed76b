"""Processes of servers that tests start, and end by their id; ports for them."""

import socket
import subprocess
from pathlib import Path


def start(
    command: list[str | Path], output: Path, environment: dict[str, str], folder: Path | None = None
) -> subprocess.Popen:
    """Start a process with a group of its own, whose output is added to a file."""
    with output.open("ab") as file:
        return subprocess.Popen(command, env=environment, cwd=folder, stdout=file, stderr=file, start_new_session=True)


def end(process: subprocess.Popen) -> None:
    """End a process, by force if it does not end within 20 seconds."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port of this machine that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
