"""Say in few words what is wrong with records, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

# Problems that a refusal lists, and characters of a value that it shows.
SENTENCES, VALUE = 5, 60


def shown(text: str, most: int) -> str:
    """Return at most so many characters of a text, which every encoding can write."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return cut.encode("utf-8", "replace").decode("utf-8")


def refuse(problems: Iterable[str], source: Path) -> None:
    """Refuse records that have a problem.

    Raises:
        ValueError: They have; the text names the first few.
    """
    found = list(islice(problems, SENTENCES + 1))
    if found:
        listed = found[:SENTENCES] + ["… and more"] * (len(found) > SENTENCES)
        raise ValueError(f"{source} breaks the data contract:\n  " + "\n  ".join(listed))
