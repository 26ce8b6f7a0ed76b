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


class Names(NamedTuple):
    """The names of the records with the positive label, and of the others."""

    positive: str
    negative: str


class Chart:
    """A figure with one pair of axes, and its SVG after it is drawn."""

    def __init__(self, size: Point) -> None:
        self.figure = Figure(figsize=size, layout="constrained")
        self.axes: Axes = self.figure.add_subplot()
        self.svg = ""

    def labels(self, x: str, y: str) -> None:
        self.axes.set(xlabel=textwrap.fill(x, WIDTH), ylabel=textwrap.fill(y, HEIGHT))

    def unit_square(self) -> None:
        """Set both axes to the range 0 to 1, with some space for marks on the border."""
        self.axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))

    def mark(self, at: Point, text: str, offset: tuple[int, int]) -> None:
        """Draw a dot and its text, which covers everything behind it; `offset` is in points."""
        box = {"facecolor": CARD, "edgecolor": "none", "pad": 1.5}
        align = "right" if at[0] > 0.85 else "left"
        self.axes.annotate(text, at, offset, textcoords="offset points", ha=align, va="center", bbox=box, zorder=4)
        self.axes.plot(*at, marker="o", markersize=7, color=MARK, zorder=5)


@contextmanager
def _chart(name: str, size: Point = SIZE) -> Iterator[Chart]:
    # The report looks the same, whatever style is set on this machine.
    with matplotlib.style.context(["default", {**STYLE, "svg.hashsalt": name}]):
        chart = Chart(size)
        yield chart
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        chart.figure.savefig(file, format="svg", transparent=True, metadata=nothing)
        chart.svg = _for_page(file.getvalue(), name)


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


def roc(points: pd.DataFrame, names: Names, area: float, chosen: Point) -> str:
    """Draw false against true positive rate, both 0 to 1; `chosen` has the rates at the chosen threshold."""
    with _chart("roc") as chart:
        chart.axes.plot([0, 1], [0, 1], **DASHED)
        chart.axes.annotate("chance", (0.66, 0.57), color=FAINT)
        chart.axes.plot(points["false_positive_rate"], points["true_positive_rate"], color=LINE)
        chart.axes.annotate(f"area {area:.3f}", (1, 0.02), color=LINE, ha="right")
        chart.mark(chosen, "chosen threshold", (4, -14))
        positive, negative = names
        chart.labels(f"False positive rate: {negative} predicted {positive}", f"True positive rate: {positive} found")
        chart.unit_square()
    return chart.svg


def precision_recall(points: pd.DataFrame, names: Names, average: float, base: float, chosen: Point) -> str:
    """Draw recall against precision, both 0 to 1.

    Args:
        points: The columns `recall` and `precision`, by falling recall.
        names: The names of the labels.
        average: Average precision, 0 to 1.
        base: Share of records of the positive label, 0 to 1.
        chosen: Recall and precision at the chosen threshold.
    """
    with _chart("precision_recall") as chart:
        chart.axes.axhline(base, **DASHED)
        chart.axes.annotate(f"chance {base:.2f}", (0.02, base - 0.06), color=FAINT)
        # scikit-learn lists the points by falling recall; precision holds from one recall to the next lower one.
        chart.axes.step(points["recall"], points["precision"], where="post", color=LINE)
        chart.axes.annotate(f"average {average:.3f}", (0.02, base + 0.04), color=LINE)
        chart.mark(chosen, "chosen threshold", (4, -28))
        chart.labels(f"Recall: {names.positive} found", f"Precision: {names.positive} among those predicted so")
        chart.unit_square()
    return chart.svg


def calibration(points: pd.DataFrame, names: Names) -> str:
    """Draw the mean predicted probability of each tenth of the records against the observed share, both 0 to 1."""
    with _chart("calibration") as chart:
        chart.axes.plot([0, 1], [0, 1], **DASHED)
        chart.axes.annotate("perfect", (0.84, 0.75), color=FAINT)
        chart.axes.plot(points["predicted"], points["observed"], color=LINE, marker="o", markersize=4)
        chart.labels(f"Predicted probability of {names.positive}", f"Observed share of {names.positive}")
        chart.unit_square()
    return chart.svg


def confusion(pairs: pd.DataFrame, _: Names) -> str:
    """Draw the number of records by actual and predicted label, and their share of the actual label.

    Args:
        pairs: The columns `actual` and `predicted`, n rows of labels.
    """
    pairs = pairs.astype(str)
    labels = sorted({*pairs["actual"], *pairs["predicted"]})
    counts = pd.crosstab(pairs["actual"], pairs["predicted"]).reindex(index=labels, columns=labels, fill_value=0)
    with _chart("confusion") as chart:
        for row, actual in enumerate(labels):
            total = counts.loc[actual].sum()
            for column, predicted in enumerate(labels):
                count = counts.loc[actual, predicted]
                share = count / total if total else 0.0
                chart.axes.barh(row, 0.96, 0.96, column - 0.48, color=LINE, alpha=0.08 + 0.42 * share)
                chart.axes.annotate(f"{count}", (column, row - 0.06), ha="center", va="center", size=15)
                chart.axes.annotate(f"{share:.0%} of {actual}", (column, row + 0.2), ha="center", va="center")
        chart.axes.set(xticks=range(len(labels)), xticklabels=labels, yticks=range(len(labels)), yticklabels=labels)
        chart.axes.set(xlim=(-0.5, len(labels) - 0.5), ylim=(len(labels) - 0.5, -0.5))
        chart.axes.spines[:].set_visible(False)
        chart.axes.tick_params(length=0)
        chart.labels("Predicted", "Actual")
    return chart.svg


def cost(points: pd.DataFrame, names: Names, chosen: Point) -> str:
    """Draw the threshold, 0 to 1, against the mean cost of a record; `chosen` has the threshold in use and its cost."""
    with _chart("cost") as chart:
        chart.axes.plot(points["threshold"], points["cost"], color=LINE)
        chart.axes.axvline(chosen[0], **DASHED)
        chart.mark(chosen, f"threshold {chosen[0]:.3f}: cost {chosen[1]:.3f}", (4, -22))
        chart.labels(
            f"Threshold: probability from which a record is predicted {names.positive}", "Mean cost of a record"
        )
        chart.axes.set(xlim=(-0.02, 1.02), ylim=(0, max(points["cost"].max(), chosen[1]) * 1.08 or 1))
    return chart.svg


def importance(points: pd.DataFrame, _: Names) -> str:
    """Draw the loss of ROC AUC by feature, the largest on top; names are above their bars, so that long ones fit."""
    values = points["importance"]
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    span = (high - low) or 1.0
    with _chart("importance", (4.3, 0.6 + 0.31 * len(points))) as chart:
        for row, (value, feature) in enumerate(zip(values, points["feature"], strict=True)):
            chart.axes.barh(row + 0.16, value, 0.34, color=LINE)
            chart.axes.annotate(feature, (low, row - 0.22), va="center", size=8.5)
            chart.axes.plot([0, 0], [row - 0.04, row + 0.36], color=FAINT, linewidth=1)
            text = f"{value:.3f}".replace("-", "−")
            chart.axes.annotate(text, (high + 0.16 * span, row + 0.16), ha="right", va="center", size=8.5)
        chart.axes.set(ylim=(len(points) - 0.4, -0.6), xlim=(low, high + 0.18 * span), yticks=[])
        chart.axes.spines["left"].set_visible(False)
        chart.labels("Loss of ROC AUC when the feature is shuffled", "")
    return chart.svg
