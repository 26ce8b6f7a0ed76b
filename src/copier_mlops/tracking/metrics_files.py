"""The metrics files of the pipeline, as numbers by name."""

import json
from pathlib import Path
from typing import Any

from copier_mlops.project import root
from copier_mlops.tracking.lineage import flat

FIX = "fix: uv run poe train"


def read(task: str, path: Path, *names: str) -> dict[str, Any]:
    """Return a file of metrics.

    Args:
        task: The task that reads it, for the text of a refusal.
        path: A file with a JSON object, written by the pipeline.
        names: The keys that it must have.

    Raises:
        SystemExit: The file is missing or damaged, or it lacks a key.
    """
    place = path.relative_to(root()).as_posix()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SystemExit(f"{task}: {place} is not here\n  {FIX}") from None
    except (OSError, ValueError) as error:
        raise SystemExit(f"{task}: {place} cannot be read: {error}\n  {FIX}") from None
    if missing := [name for name in names if not isinstance(found, dict) or name not in found]:
        raise SystemExit(f"{task}: {place} has no {', '.join(missing)}\n  {FIX}")
    if not isinstance(found, dict):
        raise SystemExit(f"{task}: {place} is not a JSON object\n  {FIX}")
    return found


def numbers(document: dict[str, Any]) -> tuple[dict[str, float], list[str]]:
    """Return the numbers of a document by dotted names, and the names of what is not a number.

    For example, `{"report": {"f1": 0.8}, "note": "good"}` gives `{"report.f1": 0.8}` and `["note"]`.
    """
    found: dict[str, float] = {}
    others: list[str] = []
    for name, value in flat(document):
        if isinstance(value, (int, float)):
            found[name] = float(value)
        else:
            others.append(name)
    return found, others
