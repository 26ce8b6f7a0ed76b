"""The result of a search: a table of its best trials for you, and a document for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from copier_mlops.tuning.parameters import Value
from copier_mlops.tuning.study import SAME, Study

# How many trials the table shows.
BEST = 5


def short(value: Value | None) -> str:
    """Return a value in few digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


def said(values: Mapping[str, Value]) -> str:
    """Return values by their keys, for example `train.leaf 35, train.learning_rate 0.04`."""
    return ", ".join(f"{key} {short(each)}" for key, each in values.items())


def table(study: Study) -> str:
    """Return the best trials, one a line, and the importance of each parameter."""
    keys = [*study.space]
    rows = [("trial", study.search.metric.name, *keys)]
    rows += [
        (str(each.number), f"{each.value:.6g}", *(short(each.params[key]) for key in keys))
        for each in study.ranked()[:BEST]
    ]
    lines = _aligned(rows)
    if found := study.importances():
        lines.append("importance: " + ", ".join(f"{key} {100 * each:.0f} %" for key, each in found.items()))
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def document(study: Study, commit: str, written: bool) -> dict[str, Any]:
    """Return the content of build/tune/NAME/results.json, which `--json` prints.

    Args:
        study: The search.
        commit: The commit that its trials ran.
        written: Whether params.yaml has the best values.
    """
    best = next(iter(study.ranked()), None)
    return {
        "name": study.folder.name,
        "commit": commit,
        "metric": study.search.metric.model_dump(),
        "best": None if best is None else {"trial": best.number, "value": best.value, "parameters": best.params},
        "written": written,
        "importances": study.importances(),
        "trials": [*_trials(study)],
    }


def _trials(study: Study) -> Iterable[dict[str, Any]]:
    for each in study.all():
        seconds = each.duration.total_seconds() if each.duration else None
        yield {
            "trial": each.number,
            "state": "ended" if each.value is not None else "failed",
            "value": each.value,
            "parameters": each.params,
            "same_as": each.user_attrs.get(SAME),
            "seconds": seconds,
        }
