"""The flow of Prefect for a pipeline: a Python file that needs only Prefect, with a task for each stage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from copier_mlops.pipeline.dag import Node

FUNCTION = "pipeline"
# A line of the tables that is longer is broken.
WIDTH = 120
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
        "folder": _literal(folder),
        "needs": _table({node.name: list(node.needs) for node in nodes}),
        "options": _table({node.name: found for node in nodes if (found := _options(node))}),
        "key": _literal(project),
        "name": _literal(project),
        "workers": str(workers),
        "commit": _literal(commit),
    }
    # In one step, so that no name of a stage is taken for a mark.
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], TEMPLATE.read_text(encoding="utf-8"))


def _options(node: Node) -> dict[str, Any]:
    """Return what a stage asks for, as options of a task; the others are for engines that give a machine to each."""
    asked = node.resources
    found = {"retries": asked.retries, "timeout_seconds": asked.seconds, "tags": asked.partition and [asked.partition]}
    return {name: each for name, each in found.items() if each}


def _table(entries: Mapping[str, Any]) -> str:
    """Return a dictionary as Python code: a line for each entry, or several for a long one."""
    if not entries:
        return "{}"
    lines = ["{"]
    for name, each in entries.items():
        line = f"    {_literal(name)}: {_literal(each)},"
        if len(line) > WIDTH and each:
            first, last = ("[", "]") if isinstance(each, list) else ("{", "}")
            parts = [_literal(part) for part in each] if isinstance(each, list) else _items(each)
            line = "\n".join(
                [f"    {_literal(name)}: {first}", *(f"        {part}," for part in parts), f"    {last},"]
            )
        lines.append(line)
    return "\n".join([*lines, "}"])


def _items(entries: Mapping[str, Any]) -> list[str]:
    return [f"{_literal(name)}: {_literal(each)}" for name, each in entries.items()]


def _literal(value: object) -> str:
    """Return texts, numbers, lists and dictionaries of them as Python code, which is the same as JSON."""
    return json.dumps(value, ensure_ascii=False)
