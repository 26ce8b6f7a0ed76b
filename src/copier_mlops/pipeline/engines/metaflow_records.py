"""The records of Metaflow on a run: the tasks of its steps, read by its own client from a folder on this machine."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaflow.client.core import Run, Task

# The artifact of a step that has what went wrong, see metaflow_flow.
FAILURE = "failure"


@dataclass(frozen=True)
class Record:
    """The newest task of a step.

    Attributes:
        task: Its number in the run.
        has_ended: Whether no other attempt follows.
        has_failed: Whether its last attempt failed.
        done: The stages that had a result when it ended, itself among them.
    """

    task: str
    has_ended: bool = False
    has_failed: bool = False
    done: tuple[str, ...] = ()


def variables(folder: Path) -> dict[str, str]:
    """Return the environment that keeps all records of Metaflow in a folder, and its configuration out of it."""
    settings = {
        "HOME": str(folder),
        "DATASTORE_SYSROOT_LOCAL": str(folder),
        "CLIENT_CACHE_PATH": str(folder / "cache"),
        "DEFAULT_DATASTORE": "local",
        "DEFAULT_METADATA": "local",
        "DEFAULT_EVENT_LOGGER": "nullSidecarLogger",
        "DEFAULT_MONITOR": "nullSidecarMonitor",
        "PROFILE": "",
        "USER": os.environ.get("METAFLOW_USER") or _user(),
    }
    return {f"METAFLOW_{name}": text for name, text in settings.items()}


def read(folder: Path, flow: str, number: str) -> Mapping[str, Record]:
    """Return the newest task of each step that has begun, by the name of the step.

    Args:
        folder: The folder of the records.
        flow: The name of the flow, for example `ChurnRiskFlow`.
        number: The number of the run; nothing is known of an empty one.
    """
    run = _run(folder, flow, number)
    return {step.id: _record(task) for step in run or () if (task := step.task) is not None}


def log(folder: Path, flow: str, number: str, step: str) -> str:
    """Return what the last attempt of a step has printed; empty if it has not begun."""
    from metaflow.exception import MetaflowException

    run = _run(folder, flow, number)
    with suppress(KeyError, MetaflowException, OSError):
        task = run[step].task if run is not None else None
        if task is not None:
            return "\n".join(text.rstrip() for text in (task.stdout, task.stderr) if text.strip())
    return ""


def _run(folder: Path, flow: str, number: str) -> Run | None:
    os.environ.update(variables(folder))  # Metaflow reads them when it is imported
    from metaflow.client import core
    from metaflow.exception import MetaflowException

    if not number or not (folder / ".metaflow").is_dir():
        return None
    core.metadata(f"local@{folder}")
    core.namespace(None)
    try:
        return core.Run(f"{flow}/{number}")
    except MetaflowException:
        return None


def _record(task: Task) -> Record:
    # An attempt says how it ended after it has written its artifacts; these come one by one.
    ended = task.metadata_dict.get("attempt_ok")
    if ended != "True":
        # An attempt that was interrupted is neither well nor not.
        return Record(task.id, has_failed=ended == "False" and _artifact(task, "_task_ok") is False)
    # If the last attempt fails, `@catch` notes it, and the task ends well.
    return Record(task.id, True, _artifact(task, FAILURE) is not None, tuple(_artifact(task, "done") or ()))


def _artifact(task: Task, name: str) -> Any:
    """Return an artifact of the last attempt that has ended; None if it has none of this name."""
    try:
        return task[name].data
    except KeyError:
        return None


def _user() -> str:
    """Return the name of the user, or another one for root, whom Metaflow refuses."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return "mlops"
    return "mlops" if name == "root" else name
