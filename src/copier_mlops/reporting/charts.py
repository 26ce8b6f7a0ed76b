"""Draw the charts of the report: each function draws one table as an SVG that takes its colours from the page.

Line and mark are the blue and the vermilion of Okabe and Ito (2008), which colour-blind readers can tell apart, and no
information is in the colour only. The same table gives the same bytes. Labels have the project's own names.
"""

import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, FAINT, LINE, MARK, CARD = "#1f2328", "#767c84", "#0072b2", "#d55e00", "#fdfdfd"
COLOURS = {INK: "currentColor", FAINT: "var(--faint)", LINE: "var(--line)", MARK: "var(--mark)", CARD: "var(--card)"}
SIZE = (4.3, 3.6)
STYLE = {
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}
DASHED: dict[str, Any] = {"color": FAINT, "linewidth": 1, "linestyle": (0, (4, 3))}
Point = tuple[float, float]
# The most characters of a line beside an axis, since the name of a label may be long.
WIDTH, HEIGHT = 52, 44
# Above these, what is drawn cannot be read any more.
MOST_BARS, MOST_LINES, MOST_CLASSES = 40, 6, 30
# Lines differ in their dashes as well as in their colours.
LINES: list[dict[str, Any]] = [
    {"color": LINE},
    {"color": MARK, "linestyle": (0, (5, 2))},
    {"color": INK, "linestyle": (0, (1, 1.5))},
    {"color": LINE, "linestyle": (0, (7, 2, 1, 2))},
    {"color": MARK, "linestyle": (0, (1, 1))},
    {"color": FAINT},
]
# Below this, a probability is at the edge of an axis from 0 to 1.
RARE = 0.1


class Names(NamedTuple):
    """The names of the records with the positive label, and of the others."""

    positive: str
    negative: str


class Look(NamedTuple):
    """The name of a chart, which is unique on its page, and texts beside its axes in place of those that it has."""

    name: str
    x_label: str = ""
    y_label: str = ""


class Chart:
    """A figure with one pair of axes, and its SVG after it is drawn."""

    def __init__(self, look: Look, size: Point) -> None:
        self.look = look
        self.figure = Figure(figsize=size, layout="constrained")
        self.axes: Axes = self.figure.add_subplot()
        self.svg = ""

    def labels(self, x: str, y: str) -> None:
        """Write the texts beside the axes: those of the look, or else these."""
        x, y = self.look.x_label or x, self.look.y_label or y
        self.axes.set(xlabel=textwrap.fill(x, WIDTH), ylabel=textwrap.fill(y, HEIGHT))

    def square(self, right: float = 1.0, top: float = 1.0) -> None:
        """Let the axes end at these values, with some space for marks on the border."""
        self.axes.set(xlim=(-0.02 * right, 1.02 * right), ylim=(-0.02 * top, 1.02 * top))

    def mark(self, at: Point, text: str, offset: tuple[int, int]) -> None:
        """Draw a dot and its text, which covers everything behind it; `offset` is in points."""
        box = {"facecolor": CARD, "edgecolor": "none", "pad": 1.5}
        low, high = self.axes.get_xlim()
        align = "right" if at[0] > low + 0.85 * (high - low) else "left"
        self.axes.annotate(text, at, offset, textcoords="offset points", ha=align, va="center", bbox=box, zorder=4)
        self.axes.plot(*at, marker="o", markersize=7, color=MARK, zorder=5)


@contextmanager
def drawing(look: Look, size: Point = SIZE) -> Iterator[Chart]:
    # The report looks the same, whatever style is set on this machine.
    with matplotlib.style.context(["default", {**STYLE, "svg.hashsalt": look.name}]):
        chart = Chart(look, size)
        yield chart
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        chart.figure.savefig(file, format="svg", transparent=True, metadata=nothing)
        chart.svg = _for_page(file.getvalue(), look.name)


def _for_page(text: str, name: str) -> str:
    """Return only the `<svg>` element, without URLs, with the page's colours and unique ids.

    The page describes the chart in the elements `<name>-title` and `<name>-text`.
    """
    text = text[text.index("<svg") :].rstrip()
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    used = set(re.findall(r"#([\w.-]+)", text))
    text = re.sub(r'\s+id="([^"]*)"', lambda each: f' id="{name}-{each[1]}"' if each[1] in used else "", text)
    text = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", text)
    for colour, variable in COLOURS.items():
        text = text.replace(colour, variable)
    return text.replace("<svg", f'<svg role="img" aria-labelledby="{name}-title {name}-text"', 1)


def roc(points: pd.DataFrame, names: Names, area: float | None, chosen: Point | None, look: Look) -> str:
    """Draw false against true positive rate, both 0 to 1; `chosen` has the rates at the chosen threshold."""
    with drawing(look) as chart:
        chart.square()
        chart.axes.plot([0, 1], [0, 1], **DASHED)
        chart.axes.annotate("chance", (0.66, 0.57), color=FAINT)
        chart.axes.plot(points["false_positive_rate"], points["true_positive_rate"], color=LINE)
        if area is not None:
            chart.axes.annotate(f"area {area:.3f}", (1, 0.02), color=LINE, ha="right")
        if chosen:
            chart.mark(chosen, "chosen threshold", (4, -14))
        positive, negative = names
        chart.labels(f"False positive rate: {negative} predicted {positive}", f"True positive rate: {positive} found")
    return chart.svg


def precision_recall(
    points: pd.DataFrame,
    names: Names,
    average: float | None,
    base: float,
    chosen: Point | None,
    look: Look,
) -> str:
    """Draw recall against precision, both 0 to 1; if precision stays far below 1, the axis is cut.

    Args:
        points: The columns `recall` and `precision`, by falling recall.
        names: The names of the labels.
        average: Average precision, 0 to 1; None leaves it out.
        base: Share of records of the positive label, 0 to 1.
        chosen: Recall and precision at the chosen threshold; None leaves it out.
        look: The name of the chart, and texts of its own.
    """
    with drawing(look) as chart:
        # With few records above a threshold, precision jumps to 1 by luck, so these do not decide where the axis ends.
        steady = points["precision"][points["recall"] >= RARE]
        highest = max([*steady, base, *([chosen[1]] if chosen else [])])
        top = 1.0 if highest > 0.5 else 1.2 * highest or 1.0
        chart.square(top=top)
        chart.axes.axhline(base, **DASHED)
        under = base - 0.06 * top
        is_low = under < 0
        chart.axes.annotate(f"chance {base:.2g}", (0.02, base + 0.02 * top if is_low else under), color=FAINT)
        # scikit-learn lists the points by falling recall; precision holds from one recall to the next lower one.
        chart.axes.step(points["recall"], points["precision"], where="post", color=LINE)
        if average is not None:
            place = base + (0.1 if is_low else 0.04) * top
            chart.axes.annotate(f"average {average:.3f}", (0.02, place), color=LINE)
        if chosen:
            chart.mark(chosen, "chosen threshold", (4, -28 if chosen[1] > 0.3 * top else 28))
        chart.labels(f"Recall: {names.positive} found", f"Precision: {names.positive} among those predicted so")
    return chart.svg


def calibration(points: pd.DataFrame, names: Names, look: Look) -> str:
    """Draw the mean predicted probability of each tenth of the records against the observed share, both 0 to 1.

    If all are small, the axes end soon after the largest one, so that the points do not lie in a corner.
    """
    with drawing(look) as chart:
        largest = float(points[["predicted", "observed"]].max().max())
        end = 1.0 if not 0 < largest < 0.5 else 1.1 * largest
        chart.axes.plot([0, end], [0, end], **DASHED)
        chart.axes.annotate("perfect", (0.84 * end, 0.75 * end), color=FAINT)
        chart.axes.plot(points["predicted"], points["observed"], color=LINE, marker="o", markersize=4)
        chart.labels(f"Predicted probability of {names.positive}", f"Observed share of {names.positive}")
        chart.square(end, end)
    return chart.svg


def confusion(pairs: pd.DataFrame, labels: list[str] | None, look: Look) -> str:
    """Draw the number of records by actual and predicted label, and their share of the actual label.

    Args:
        pairs: The columns `actual` and `predicted`, n rows of labels.
        labels: Their order; those that are not in it follow in the order of the alphabet.
        look: The name of the chart, and texts of its own.
    """
    pairs = pairs.astype(str)
    found = sorted({*pairs["actual"], *pairs["predicted"]})
    labels = list(dict.fromkeys([*(labels or []), *found]))[:MOST_CLASSES]
    counts = pd.crosstab(pairs["actual"], pairs["predicted"]).reindex(index=labels, columns=labels, fill_value=0)
    side = max(SIZE[1], 0.42 * len(labels))
    is_small = len(labels) > 6
    size = 8 if is_small else 19 - 2 * len(labels)
    with drawing(look, (side * SIZE[0] / SIZE[1], side)) as chart:
        for row, actual in enumerate(labels):
            total = int(counts.to_numpy()[row].sum())
            for column in range(len(labels)):
                count = int(counts.to_numpy()[row, column])
                share = count / total if total else 0.0
                chart.axes.barh(row, 0.96, 0.96, column - 0.48, color=LINE, alpha=0.08 + 0.42 * share)
                place = (column, row) if is_small else (column, row - 0.06)
                text = f"{count}" if count or not is_small else ""
                chart.axes.annotate(text, place, ha="center", va="center", size=size)
                if not is_small:
                    text = f"{share:.0%} of {actual}" if len(labels) < 3 else f"{share:.0%}"
                    chart.axes.annotate(text, (column, row + 0.2), ha="center", va="center")
        names = [textwrap.shorten(name, 24, placeholder="…") or name[:24] for name in labels]
        chart.axes.set(xticks=range(len(labels)), xticklabels=names, yticks=range(len(labels)), yticklabels=names)
        if sum(map(len, names)) > 36:
            chart.axes.tick_params(axis="x", labelrotation=90)
        chart.axes.set(xlim=(-0.5, len(labels) - 0.5), ylim=(len(labels) - 0.5, -0.5))
        chart.axes.spines[:].set_visible(False)
        chart.axes.tick_params(length=0)
        chart.labels("Predicted", "Actual")
    return chart.svg


def cost(points: pd.DataFrame, names: Names, chosen: Point | None, look: Look) -> str:
    """Draw the threshold, 0 to 1, against the mean cost of a record; `chosen` has the threshold in use and its cost.

    If the threshold is small, as for rare classes, its axis is logarithmic.
    """
    with drawing(look) as chart:
        chart.axes.plot(points["threshold"], points["cost"], color=LINE)
        least = points["threshold"][points["threshold"] > 0].min()
        if chosen and 0 < chosen[0] < RARE and least > 0:
            start = min(least, chosen[0])
            chart.axes.set(xscale="log", xlim=(0.9 * start, 1.1))
            ticks = [tick for tick in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1) if tick >= start]
            chart.axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            chart.axes.minorticks_off()
        else:
            chart.axes.set(xlim=(-0.02, 1.02))
        chart.axes.set(ylim=(0, max(points["cost"].max(), chosen[1] if chosen else 0) * 1.08 or 1))
        if chosen:
            chart.axes.axvline(chosen[0], **DASHED)
            chart.mark(chosen, f"threshold {chosen[0]:.3f}: cost {chosen[1]:.3f}", (4, -22))
        text = f"Threshold: probability from which a record is predicted {names.positive}"
        chart.labels(text, "Mean cost of a record")
    return chart.svg


def bars(values: pd.Series, names: pd.Series, look: Look, x_label: str = "") -> str:
    """Draw a bar for each value, in their order; names are above their bars, so that long ones fit.

    Args:
        values: n numbers; only the first 40 are drawn.
        names: n texts.
        look: The name of the chart, and texts of its own.
        x_label: The text below the axis.
    """
    values, names = values[:MOST_BARS], names[:MOST_BARS].astype(str)
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    span = (high - low) or 1.0
    with drawing(look, (4.3, 0.6 + 0.31 * len(values))) as chart:
        for row, (value, name) in enumerate(zip(values, names, strict=True)):
            chart.axes.barh(row + 0.16, value, 0.34, color=LINE)
            chart.axes.annotate(name, (low, row - 0.22), va="center", size=8.5)
            chart.axes.plot([0, 0], [row - 0.04, row + 0.36], color=FAINT, linewidth=1)
            text = (f"{value:.3f}" if abs(value) < 1000 else f"{value:,.4g}").replace("-", "−")
            chart.axes.annotate(text, (high + 0.16 * span, row + 0.16), ha="right", va="center", size=8.5)
        chart.axes.set(ylim=(len(values) - 0.4, -0.6), xlim=(low, high + 0.18 * span), yticks=[])
        chart.axes.spines["left"].set_visible(False)
        chart.labels(x_label, "")
    return chart.svg


def scatter(x: pd.Series, y: pd.Series, look: Look, guide: str = "") -> str:
    """Draw a dot for each record.

    Args:
        x, y: n numbers each.
        look: The name of the chart, and the texts beside its axes.
        guide: `equal` adds the line on which both are the same, `zero` that on which y is 0.
    """
    with drawing(look) as chart:
        if guide == "equal":
            ends = [min(x.min(), y.min()), max(x.max(), y.max())]
            chart.axes.plot(ends, ends, **DASHED)
        elif guide == "zero":
            chart.axes.axhline(0, **DASHED)
        chart.axes.plot(x, y, marker=".", markersize=4, linestyle="none", color=LINE, alpha=0.5)
        chart.labels("", "")
    return chart.svg


def lines(table: pd.DataFrame, x: str, ys: list[str], look: Look) -> str:
    """Draw lines over one axis; a name stands for each if they are several.

    Args:
        table: n rows.
        x: The column of the axis; empty if the rows are counted.
        ys: The columns of the lines, numbers; only the first 6 are drawn.
        look: The name of the chart, and texts of its own.
    """
    places = table[x] if x else pd.Series(range(len(table)), index=table.index)
    numbers = pd.to_numeric(places, errors="coerce")
    with drawing(look) as chart:
        if numbers.isna().all():
            numbers = pd.Series(np.arange(len(places)), index=places.index)
            few = np.unique(np.linspace(0, len(places) - 1, min(6, len(places))).round().astype(int))
            names = [textwrap.shorten(str(places.iloc[place]), 14, placeholder="…") for place in few]
            chart.axes.set_xticks(few, names, rotation=30, ha="right")
        for name, style in zip(ys, LINES, strict=False):
            chart.axes.plot(numbers, pd.to_numeric(table[name], errors="coerce"), label=name, **style)
        if len(ys) > 1:
            chart.axes.legend(frameon=False, fontsize=8)
        chart.labels(x or "row", ys[0] if len(ys) == 1 else "")
    return chart.svg
