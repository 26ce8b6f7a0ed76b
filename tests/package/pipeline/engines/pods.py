"""What tests of engines on Kubernetes share: pipelines by their needs, and an `mlops` for images, which tells all."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import State, Submission
from copier_mlops.pipeline.plan import Plan

# The `mlops` of an image: it writes what it gets, and is slow or fails if a file says so.
MLOPS = """\
#!{python}
import json, os, pathlib, sys, time
name, told = sys.argv[2], pathlib.Path({told!r})
with (told / "called").open("a") as called:
    called.write(json.dumps([sys.argv[1:], os.listdir(), dict(os.environ)]) + "\\n")
until = time.time() + 60
while (told / (name + ".slow")).exists() and time.time() < until:
    (told / (name + ".began")).write_text("")
    time.sleep(0.05)
if (told / (name + ".fails")).exists():
    sys.exit(name + " is told to fail")
print(name, "ran")
"""
HOSTILE = "x@$(touch hacked)"
DIAMOND = {"a": [], HOSTILE: [], "b": ["a"], "c": [HOSTILE], "last": ["b", "c"]}


def plan(needs: dict[str, list[str]], **asked: Resources) -> Plan:
    """A plan of stages by what they need."""
    nodes = [Node(name, dag.slug(name), tuple(each), asked.get(name, Resources())) for name, each in needs.items()]
    return Plan("german-credit", Path("/srv/credit"), "nightly-7", "c" * 40, tuple(nodes))


def install(folder: Path) -> Path:
    """Make a folder that says what stages do, with an `mlops` in its `bin`."""
    program = folder / "bin" / "mlops"
    program.parent.mkdir(parents=True)
    program.write_text(MLOPS.format(python=sys.executable, told=str(folder)), encoding="utf-8")
    program.chmod(0o755)
    return folder


def called(told: Path) -> list[tuple[list[str], list[str], dict[str, str]]]:
    """The arguments, files and variables of each call since this was asked before."""
    file = told / "called"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [tuple(json.loads(line)) for line in lines]


def wait(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("not within 30 seconds")


def ended(run: Submission) -> dict[str, State]:
    """Wait until all stages have ended, and return their states."""
    wait(lambda: all(each.state.has_ended for each in run.states().values()))
    return {name: each.state for name, each in run.states().items()}
