"""Values as Python code, for the files of engines that are Python."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

# A line that is longer is broken.
WIDTH = 120


def literal(value: object) -> str:
    """Return texts, numbers, lists and dictionaries of them as Python code, which is the same as JSON."""
    return json.dumps(value, ensure_ascii=False)


def table(entries: Mapping[str, Any]) -> str:
    """Return a dictionary as Python code: a line for each entry, or several for a long one."""
    if not entries:
        return "{}"
    lines = ["{"]
    for name, each in entries.items():
        line = f"    {literal(name)}: {literal(each)},"
        if len(line) > WIDTH and each:
            first, last = ("[", "]") if isinstance(each, list) else ("{", "}")
            parts = [literal(part) for part in each] if isinstance(each, list) else _items(each)
            line = "\n".join([f"    {literal(name)}: {first}", *(f"        {part}," for part in parts), f"    {last},"])
        lines.append(line)
    return "\n".join([*lines, "}"])


def call(indent: str, function: str, arguments: Iterable[str]) -> str:
    """Return a call as Python code: in one line, or with a line for each argument."""
    arguments = list(arguments)
    line = f"{indent}{function}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{indent}{function}(", *(f"{indent}    {each}," for each in arguments), f"{indent})"])


def _items(entries: Mapping[str, Any]) -> list[str]:
    return [f"{literal(name)}: {literal(each)}" for name, each in entries.items()]
