"""Start processes that outlive the command that started them, and find them again later."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

MODULE = "copier_mlops.serving.packaged"
COMMAND = [sys.executable, "-m", MODULE]
# The variables that a process needs; a service must not get our credentials.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "TEMP", "SYSTEMROOT", "USERPROFILE")
WITHHELD = ("OPERATION_TRACKING_URI",)


def variables(environment: str, address: str, port: int) -> dict[str, str]:
    """Return the variables with a service's settings: those set here, its environment, address and port."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("OPERATION_") and name not in WITHHELD}
    # A version that was packaged before 0.4 reads OPERATION_HOST.
    places = {"OPERATION_BIND": address, "OPERATION_HOST": address}
    return places | ours | {"OPERATION_ENVIRONMENT": environment, "OPERATION_PORT": str(port)}


def code_of(folder: Path) -> Path:
    """Return the folder with the code of a service, beside its unchanged copy of the context."""
    return folder.parents[1] / "code" / folder.name


def variables_of_process(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return the variables of a service's process: its own copy of the code comes first."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return (
        kept | settings | {"PYTHONPATH": str(code_of(folder)), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    )


def launch(folder: Path, settings: dict[str, str], log: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Start the service in a folder, detached from this command, and return a record to find its process again."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    with log.open("wb") as output:
        started = subprocess.Popen(
            COMMAND,
            cwd=folder,
            env=variables_of_process(folder, settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **apart,
        )
    created = psutil.Process(started.pid).create_time()
    return started, {"pid": started.pid, "created": created}


def describe(folder: Path) -> dict[str, Any]:
    """Return the record of a process that is not started yet: its folder and its machine."""
    return {"machine": platform.node(), "folder": str(folder), "pid": None, "created": None}


def found(record: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the record if its process still runs on this machine, else None."""
    if not record or record["machine"] != platform.node():
        return None
    if record["pid"] is None:  # the deployment was stopped before it could record more
        record = next(filter(None, (_described(record, each) for each in psutil.process_iter())), None)
    return record if record and _process(record) else None


def end(record: dict[str, Any]) -> None:
    """Stop the process of a record, and only this one, and return when it is gone."""
    known = _process(record)
    if known is None:
        return
    ours = [*known.children(recursive=True), known]
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for each in ours:
            try:
                ask(each)
            except psutil.NoSuchProcess:
                continue
        end_of_patience = time.monotonic() + 15
        while time.monotonic() < end_of_patience:
            if not any(map(_is_alive, ours)):
                return
            time.sleep(0.1)


def tail(text: str, lines: int = 12) -> str:
    """Return the last lines of a text, indented."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-lines:]) or "    (nothing)"


def _described(record: dict[str, Any], each: psutil.Process) -> dict[str, Any] | None:
    try:
        if MODULE in each.cmdline() and Path(each.cwd()) == Path(record["folder"]):
            return {**record, "pid": each.pid, "created": each.create_time()}
    except (OSError, psutil.Error):  # processes of other users may not be inspected
        return None
    return None


def _process(record: dict[str, Any]) -> psutil.Process | None:
    # Process ids are reused, so the start time and the command are compared as well.
    try:
        known = psutil.Process(record["pid"])
        is_it = abs(known.create_time() - record["created"]) < 2 and MODULE in known.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return None
    return known if is_it and _is_alive(known) else None


def _is_alive(known: psutil.Process) -> bool:
    try:
        # A zombie counts as gone.
        return known.is_running() and known.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
