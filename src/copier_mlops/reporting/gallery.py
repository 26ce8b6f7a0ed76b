"""Draw the plots of `dvc.yaml` for the page: known ones with what they mean, others as they are declared."""

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from copier_mlops import problems
from copier_mlops.contract import Contract
from copier_mlops.reporting import charts, plots
from copier_mlops.reporting.charts import Look, Names
from copier_mlops.reporting.plots import Plot, PlotError

MIXED = "Features with the same information share their importance."


@dataclass(frozen=True)
class Scene:
    """The facts of the run that known charts mark.

    Attributes:
        contract: What the records are.
        metrics: The figures of the test records.
        rates: Those of the confusion matrix; empty if the problem is not binary or no predictions are here.
        threshold: The probability from which a record is positive, or None.
        costs: The costs `missed` and `refused`; empty if the team has none.
    """

    contract: Contract
    metrics: dict[str, float]
    rates: dict[str, float]
    threshold: float | None
    costs: dict[str, float]

    @property
    def names(self) -> Names:
        """The names of the positive class and of the other one."""
        return names(self.contract)

    @property
    def follows_costs(self) -> bool:
        """Whether the threshold is the one that the costs ask for (Elkan 2001), and not one that the team chose."""
        return self.threshold is not None and math.isclose(self.threshold, cheapest(self.costs), abs_tol=1e-9)

    @property
    def caught(self) -> str:
        """A clause about the records that are predicted positive; empty without rates."""
        if not self.rates:
            return ""
        positive, negative = self.names
        found, alarms = self.rates["true_positive_rate"], self.rates["false_positive_rate"]
        return (
            f"At the chosen threshold, {found:.0%} of the {positive} records are predicted {positive}, "
            f"and {alarms:.0%} of the {negative} ones as well."
        )


def names(contract: Contract) -> Names:
    """Return the names of the positive class of a binary problem, and of the other one."""
    positive = problems.positive_name(contract)
    others = [name for name in problems.class_names(contract) if name != positive]
    return Names(positive, others[0] if len(others) == 1 else f"not {positive}")


def cheapest(costs: dict[str, float]) -> float:
    """Return the probability from which it is cheaper to predict the positive class; NaN without costs.

    It is refused / (refused + missed): Elkan 2001, The Foundations of Cost-Sensitive Learning, equation 2.
    """
    total = costs["refused"] + costs["missed"] if costs else 0.0
    return costs["refused"] / total if total else math.nan


# The SVG and the caption of a known chart.
Drawn = tuple[str, str]


def _roc(points: pd.DataFrame, scene: Scene, look: Look) -> Drawn:
    area, rates = scene.metrics.get("roc_auc"), scene.rates
    chosen = (rates["false_positive_rate"], rates["true_positive_rate"]) if rates else None
    text = (
        f"The curve over all thresholds encloses an area of {area:.3f}; chance would be 0.5. "
        if area is not None
        else ""
    )
    return charts.roc(points, scene.names, area, chosen, look), text + scene.caught


def _precision_recall(points: pd.DataFrame, scene: Scene, look: Look) -> Drawn:
    average, rates, positive = scene.metrics.get("average_precision"), scene.rates, scene.names.positive
    # With the lowest threshold, every record is predicted positive: precision is their share.
    base = rates.get("base_rate", float(points.sort_values("recall")["precision"].iloc[-1]))
    chosen = (rates["true_positive_rate"], rates["precision"]) if rates else None
    text = ""
    if average is not None:
        text = f"Average precision is {average:.3f}; chance would be {base:.2g}, the share of {positive} records. "
    if rates:
        text += f"At the chosen threshold, {rates['precision']:.0%} of the records predicted {positive} are."
    return charts.precision_recall(points, scene.names, average, base, chosen, look), text


def _calibration(points: pd.DataFrame, scene: Scene, look: Look) -> Drawn:
    text = (
        f"Each dot is a tenth of the test records. On the diagonal, as many turn out {scene.names.positive} as was "
        "predicted; below it, fewer."
    )
    return charts.calibration(points, scene.names, look), text


def _confusion(points: pd.DataFrame, scene: Scene, look: Look) -> Drawn:
    labels = problems.class_names(scene.contract)
    few = f" The first {charts.MOST_CLASSES} classes are drawn." if len(labels) > charts.MOST_CLASSES else ""
    return charts.confusion(points, labels, look), f"{scene.caught} Shares are of the actual label.{few}".strip()


def _cost(points: pd.DataFrame, scene: Scene, look: Look) -> Drawn:
    cost, threshold, costs = scene.metrics.get("cost"), scene.threshold, scene.costs
    chosen = (threshold, cost) if threshold is not None and cost is not None else None
    text = ""
    if costs:
        positive, negative = scene.names
        text = (
            f"A {positive} record predicted {negative} costs {costs['missed']:g}, a {negative} one predicted "
            f"{positive} costs {costs['refused']:g}."
        )
        if scene.follows_costs:
            text += (
                " The threshold follows from these costs and is not tuned on the test records, so the curve may be "
                "lower at another threshold."
            )
    return charts.cost(points, scene.names, chosen, look), text


def _importance(points: pd.DataFrame, scene: Scene, look: Look) -> Drawn:
    meanings = {field.name: field.description or field.title for field in scene.contract.fields}
    named = points["feature"].map(lambda name: meanings.get(name) or name)
    title = problems.of(scene.contract).metric(problems.of(scene.contract).gate).title
    metric = title if title.isupper() or title.split()[0].isupper() else title[0].lower() + title[1:]
    unit = _unit(scene.contract) if scene.contract.learning.problem == "regression" else ""
    label = f"Loss of {metric} when the feature is shuffled{unit}"
    more = f" The first {charts.MOST_BARS} of {len(points)} are drawn." if len(points) > charts.MOST_BARS else ""
    text = f"The loss of {metric} on the test records if one feature is shuffled, the largest first. {MIXED}{more}"
    return charts.bars(points["importance"], named, look, label), text


def _recall_by_class(points: pd.DataFrame, _: Scene, look: Look) -> Drawn:
    text = "Of the records of each class, the share that gets its label."
    return charts.bars(points["recall"], points["class"], look, "Share of its records with the right label"), text


def _predicted_actual(points: pd.DataFrame, scene: Scene, look: Look) -> Drawn:
    unit = _unit(scene.contract)
    look = Look(look.name, look.x_label or f"Actual value{unit}", look.y_label or f"Predicted value{unit}")
    svg = charts.scatter(points["actual"], points["predicted"], look, "equal")
    return svg, "Each dot is a test record. On the line, the prediction is right; below it, it is too low."


def _residuals(points: pd.DataFrame, scene: Scene, look: Look) -> Drawn:
    unit = _unit(scene.contract)
    look = Look(
        look.name, look.x_label or f"Predicted value{unit}", look.y_label or f"Actual minus predicted value{unit}"
    )
    svg = charts.scatter(points["predicted"], points["residual"], look, "zero")
    return svg, "Each dot is a test record. A pattern around the line is something that the model has not learned."


def _unit(contract: Contract) -> str:
    return f" ({contract.target.unit})" if contract.target.unit else ""


@dataclass(frozen=True)
class Known:
    """A chart that the page can explain: the columns of its file, the problems that have it, how it is drawn.

    Of its columns, `texts` hold names, and the others numbers.
    """

    columns: tuple[str, ...]
    problems: tuple[str, ...]
    draw: Callable[[pd.DataFrame, Scene, Look], Drawn]
    texts: tuple[str, ...] = ()


CLASSES = ("binary", "multiclass")
KNOWN = {
    "roc": Known(("false_positive_rate", "true_positive_rate"), ("binary",), _roc),
    "precision_recall": Known(("recall", "precision"), ("binary",), _precision_recall),
    "calibration": Known(("predicted", "observed"), ("binary",), _calibration),
    "confusion": Known(("actual", "predicted"), CLASSES, _confusion, ("actual", "predicted")),
    "cost": Known(("threshold", "cost"), ("binary",), _cost),
    "importance": Known(("importance", "feature"), (*CLASSES, "regression"), _importance, ("feature",)),
    "recall_by_class": Known(("class", "recall"), ("multiclass",), _recall_by_class, ("class",)),
    "predicted_actual": Known(("actual", "predicted"), ("regression",), _predicted_actual),
    "residuals": Known(("predicted", "residual"), ("regression",), _residuals),
}


def draw(root: Path, scene: Scene) -> tuple[list[dict[str, str]], list[str]]:
    """Return the plots of `dvc.yaml` as they are on the page, and a sentence for each that is left out.

    Args:
        root: The project's root.
        scene: The facts of the run.

    Returns:
        Per plot `name` (unique on the page), `title`, `caption`, and `svg` or `image`, a data URI.

    Raises:
        ValueError: `dvc.yaml` is not YAML.
    """
    drawn: list[dict[str, str]] = []
    left_out = []
    taken: set[str] = set()
    for number, plot in enumerate(plots.declared(root), start=1):
        name = Path(plot.file).stem
        name = name if name in KNOWN and name not in taken else f"plot-{number}"
        taken.add(name)
        try:
            found = _image(root, plot) if plots.is_image(plot) else _drawing(root, plot, scene, name)
        except PlotError as error:
            left_out.append(f"{plot.title} is left out: {error}.")
            continue
        except (ValueError, TypeError, KeyError) as error:  # the columns of a team can hold anything
            reason = " ".join(str(error).split())[:200]
            left_out.append(f"{plot.title} is left out: {plot.file} cannot be drawn: {reason}.")
            continue
        drawn.append({"name": name, "title": plot.title, "svg": "", "image": "", "caption": "", **found})
    return drawn, left_out


def _image(root: Path, plot: Plot) -> dict[str, str]:
    file = root / plot.file
    if not file.is_file():
        raise PlotError(f"{plot.file} is not here")
    if file.stat().st_size > plots.MOST_IMAGE_BYTES:
        raise PlotError(f"{plot.file} has more than {plots.MOST_IMAGE_BYTES:,} bytes")
    kind = plots.IMAGES[file.suffix.lower()]
    return {"image": f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"}


def _drawing(root: Path, plot: Plot, scene: Scene, name: str) -> dict[str, str]:
    table, x, ys = plots.points(root, plot)
    look = Look(name, plot.x_label, plot.y_label)
    known = KNOWN.get(Path(plot.file).stem)
    is_known = (
        known
        and len(plot.files) == 1
        and scene.contract.learning.problem in known.problems
        and set(known.columns) <= set(table)
        and {*filter(None, (x, *ys))} <= set(known.columns)
    )
    if known and is_known:
        # Only a matrix counts all rows; a dot or a bend of a curve more is not seen.
        rows = table if known.texts else plots.thinned(table)
        figures = {name: _numbers(rows[name]) for name in known.columns if name not in known.texts}
        svg, caption = known.draw(rows.assign(**figures), scene, look)
        return {"svg": svg, "caption": caption}
    return {"svg": _as_declared(table, x, ys, plot, look)}


def _as_declared(table: pd.DataFrame, x: str, ys: list[str], plot: Plot, look: Look) -> str:
    """Return the SVG of a plot by the template that it names; one that is not known is drawn as lines."""
    y = ys[0]
    if plot.template.startswith("confusion"):
        pairs = pd.DataFrame({"actual": table[x], "predicted": table[y]}) if x else table[["actual", "predicted"]]
        return charts.confusion(pairs, None, look)
    if plot.template.startswith("bar_horizontal"):
        values, named = (x, y) if x and plots.has_number(table[x]) else (y, x)
        rows = table.sort_values(values, ascending=False) if plot.template.endswith("sorted") else table
        labels = rows[named] if named else pd.Series(rows.index.astype(str), index=rows.index)
        return charts.bars(_numbers(rows[values]), labels, Look(look.name, look.x_label), values)
    rows = plots.thinned(table)
    if plot.template.startswith("scatter") and x:
        shown = Look(look.name, look.x_label or x, look.y_label or y)
        return charts.scatter(_numbers(rows[x]), _numbers(rows[y]), shown)
    for name in ys:
        _numbers(rows[name])
    return charts.lines(rows, x, ys, look)


def _numbers(column: Any) -> pd.Series:
    """Return a column as numbers.

    Raises:
        PlotError: It has none.
    """
    if not plots.has_number(column):
        raise PlotError(f"the column {column.name} has no numbers")
    found: pd.Series = pd.to_numeric(column, errors="coerce").astype("float64")
    return found
