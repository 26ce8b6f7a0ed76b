"""Metaflow on this machine, which the project installs: it has no server."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Machine:
    """This machine, and the variables of a project that runs on it."""

    variables: dict[str, str] = field(default_factory=dict)


def missing() -> str:
    """What is needed and not here."""
    return "Linux or macOS" if sys.platform == "win32" else ""


@contextmanager
def serve(folder: Path) -> Iterator[Machine]:
    """Give the machine, with a name of the user for Metaflow by hand, and a home in which nobody has configured it."""
    yield Machine({"METAFLOW_HOME": str(folder), "METAFLOW_USER": "tester"})
