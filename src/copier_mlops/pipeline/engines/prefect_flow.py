"""The flow of Prefect for a pipeline: a Python file that needs only Prefect, with a task for each stage."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from copier_mlops.pipeline.dag import Node
from copier_mlops.pipeline.engines.python_code import literal, table

FUNCTION = "pipeline"
# Python code with marks such as @needs@, each of which stands for a value.
TEMPLATE = Path(__file__).with_suffix(".txt")


def write(project: str, folder: str, nodes: Iterable[Node], commit: str, workers: int) -> str:
    """Return the flow.

    Args:
        project: The name of the flow, for example `churn`.
        folder: The project on the machine that runs the flow.
        nodes: The stages, each after those that it needs.
        commit: The commit that runs if a run names none, for example `origin/main`.
        workers: How many stages of a run may run at the same time.
    """
    nodes = list(nodes)
    values = {
        "project": project,
        "folder": literal(folder),
        "needs": table({node.name: list(node.needs) for node in nodes}),
        "options": table({node.name: found for node in nodes if (found := _options(node))}),
        "key": literal(project),
        "name": literal(project),
        "workers": str(workers),
        "commit": literal(commit),
    }
    # In one step, so that no name of a stage is taken for a mark.
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], TEMPLATE.read_text(encoding="utf-8"))


def _options(node: Node) -> dict[str, Any]:
    """Return what a stage asks for, as options of a task; the others are for engines that give a machine to each."""
    asked = node.resources
    found = {"retries": asked.retries, "timeout_seconds": asked.seconds, "tags": asked.partition and [asked.partition]}
    return {name: each for name, each in found.items() if each}
