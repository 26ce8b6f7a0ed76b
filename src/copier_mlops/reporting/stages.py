"""Draw the stages of the pipeline for the report, with how long each took when it ran last, and where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.patches import FancyBboxPatch

from copier_mlops.pipeline import dag, record
from copier_mlops.pipeline.apart import ApartError, opened
from copier_mlops.pipeline.live import depths
from copier_mlops.pipeline.record import StageRecord
from copier_mlops.pipeline.times import spoken
from copier_mlops.reporting.charts import CARD, FAINT, LINE, MARK, Look, drawing

# Inches of a stage and of the space around it; above this number of stages, no text can be read.
WIDTH, HEIGHT, MOST = 1.75, 0.72, 60
# Half of a box as a share of that width, and the most characters of a line in it.
SIDE, LETTERS = 0.41, 22
ROUND = "round,pad=0,rounding_size=0.06"


def draw(root: Path) -> dict[str, Any]:
    """Return the picture of the pipeline for the page, as SVG and as text; empty if the pipeline has no stages.

    Args:
        root: The project.
    """
    try:
        with opened(root) as repo:
            needs = dag.edges(repo)
    except ApartError:
        return {}  # `outdated` says what is wrong with dvc.yaml
    if not needs:
        return {}
    records = record.read(root)
    text = "; ".join(f"{name}: {_said(records.get(name)) or 'no record'}" for name in needs)
    if len(needs) > MOST:
        return {"svg": "", "text": f"{len(needs)} stages, too many to draw."}
    return {"svg": _svg(needs, records), "text": text}


def _said(found: StageRecord | None) -> str:
    return f"{'failed after ' if found.failed else ''}{spoken(found.seconds)} on {found.place}" if found else ""


def _svg(needs: Mapping[str, tuple[str, ...]], records: Mapping[str, StageRecord]) -> str:
    """Draw a box for each stage, to the right of those that it needs."""
    columns: dict[int, list[str]] = {}
    for name, depth in depths(needs).items():
        columns.setdefault(depth, []).append(name)
    rows = max(map(len, columns.values()))
    places = {
        name: (column * WIDTH, ((len(names) - 1) / 2 - row) * HEIGHT)
        for column, names in columns.items()
        for row, name in enumerate(names)
    }
    with drawing(Look("pipeline"), (WIDTH * len(columns), HEIGHT * rows)) as chart:
        for name, (x, y) in places.items():
            for need in needs[name]:
                arrow = {"arrowstyle": "->", "color": FAINT, "shrinkA": 0, "shrinkB": 0}
                start = (places[need][0] + SIDE * WIDTH, places[need][1])
                chart.axes.annotate("", (x - SIDE * WIDTH, y), start, arrowprops=arrow)
            found = records.get(name)
            edge = MARK if found and found.failed else LINE if found else FAINT
            wide, high = 2 * SIDE * WIDTH, 0.8 * HEIGHT
            corner = (x - wide / 2, y - high / 2)
            chart.axes.add_patch(FancyBboxPatch(corner, wide, high, ROUND, facecolor=CARD, edgecolor=edge))
            chart.axes.annotate(_label(name, found), (x, y), ha="center", va="center", size=8)
        chart.axes.set(xlim=(-WIDTH / 2, WIDTH * (len(columns) - 0.5)))
        chart.axes.set(ylim=(-rows * HEIGHT / 2, rows * HEIGHT / 2))
        chart.axes.set_axis_off()
    return chart.svg


def _label(name: str, found: StageRecord | None) -> str:
    lines = [name, *(_said(found).split(" on ", 1) if found else [])]
    return "\n".join(line if len(line) <= LETTERS else f"{line[: LETTERS - 1]}…" for line in lines)
