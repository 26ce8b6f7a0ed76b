"""Markdown that several generated pages have."""

import re
from collections.abc import Iterable


def start(title: str, source: str, introduction: str) -> str:
    """Return the first lines of a page, which name what it is made from."""
    return f"# {title}\n\nWritten by `uv run poe reference` from {source}; do not edit it.\n\n{introduction}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; a cell may hold any text of one line."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def sentence(text: str) -> str:
    """Return a text with a full stop at its end, and a capital at its start if it starts with a word."""
    start = text[0].upper() if re.match(r"[a-z]+(: |[ ,;])", text) else text[0]
    return f"{start}{text[1:]}{'' if text[-1] in '.?!…' else '.'}"


def either(values: Iterable[object]) -> str:
    """Return values as code, the last behind "or": `a`, `b` or `c`."""
    *first, last = [f"`{value}`" for value in values]
    return f"{', '.join(first)} or {last}" if first else last
