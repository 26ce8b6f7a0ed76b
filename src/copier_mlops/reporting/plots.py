"""Read the plots that `dvc.yaml` declares, in each form that DVC allows, and the tables that they show.

See https://dvc.org/doc/user-guide/project-structure/dvcyaml-files#plots for the forms.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

FILE = "dvc.yaml"
IMAGES = {".gif": "gif", ".jpeg": "jpeg", ".jpg": "jpeg", ".png": "png", ".svg": "svg+xml", ".webp": "webp"}
TABLES = (".csv", ".tsv", ".json", ".yaml", ".yml")
# A chart is drawn from at most so many rows: more cannot be told apart. An image of more bytes makes a page slow.
MOST_ROWS = 2_000
MOST_IMAGE_BYTES = 2_000_000
MOST_FILES = 50
# Columns of names, which pandas would read as numbers, or as nothing if a class is called `NA`.
NAMES = ("actual", "predicted", "label", "class", "feature")


class PlotError(ValueError):
    """A plot that cannot be shown; the text is a clause that says why."""


@dataclass(frozen=True)
class Plot:
    """A plot as `dvc.yaml` declares it.

    Attributes:
        title: The name for people.
        file: The file that has `x`, relative to the project's root.
        x: The column of the first axis; empty if the rows are counted.
        ys: The file and the column of each line; without a column, the last one with numbers.
        x_label, y_label: The texts beside the axes; empty if the plot has none.
        template: The name of DVC's template, for example `confusion`.
    """

    title: str
    file: str
    x: str
    ys: tuple[tuple[str, str], ...]
    x_label: str = ""
    y_label: str = ""
    template: str = "linear"

    @property
    def files(self) -> tuple[str, ...]:
        """All files with its data, the one of `x` first."""
        return tuple(dict.fromkeys((self.file, *(path for path, _ in self.ys))))


def declared(root: Path) -> list[Plot]:
    """Return the plots of the project's pipeline, in its order; those at the top level are before those of stages.

    Args:
        root: The project's root.

    Raises:
        ValueError: `dvc.yaml` is not YAML; the text names it.
    """
    path = root / FILE
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{FILE} cannot be read: {reason}\n  fix: git restore {FILE}") from None
    found = document if isinstance(document, dict) else {}
    plots = [plot for name, about in _entries(found.get("plots")) for plot in _plots(root, name, about)]
    stages = found.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        for name, about in _entries(stage.get("plots") if isinstance(stage, dict) else None):
            # The matrix of a stage makes many files of one entry; only DVC knows their names.
            plots += _plots(root, name, about) if "${" not in name else []
    return plots


def _entries(plots: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the options of each plot of a list or a mapping; other values are skipped."""
    for each in plots if isinstance(plots, list) else [plots]:
        if isinstance(each, str):
            yield from [(each, {})] if each else []
        elif isinstance(each, dict):
            yield from ((str(name), about if isinstance(about, dict) else {}) for name, about in each.items() if name)


def _plots(root: Path, name: str, about: dict[str, Any]) -> list[Plot]:
    """Return the plots of one entry: one, or one for each file of a folder."""
    x, y = about.get("x"), about.get("y")
    x_label, y_label = (str(about.get(key) or "") for key in ("x_label", "y_label"))
    template, title = str(about.get("template") or "linear"), str(about.get("title") or "")
    if not x and not y and ".." not in Path(name).parts and (root / name).is_dir():
        inside = sorted(each for each in (root / name).rglob("*") if each.suffix.lower() in (*TABLES, *IMAGES))
        paths = [each.relative_to(root).as_posix() for each in inside[:MOST_FILES]]
        return [Plot(_title(path), path, "", ((path, ""),), x_label, y_label, template) for path in paths]
    ys = _pairs(y, name)
    place, column = next(iter(x.items()), (name, "")) if isinstance(x, dict) else (ys[0][0], x or "")
    if not isinstance(y, dict) and isinstance(x, dict):
        ys = tuple((str(place), each) for _, each in ys)
    return [Plot(title or _title(name), str(place), str(column), ys, x_label, y_label, template)]


def _pairs(y: Any, name: str) -> tuple[tuple[str, str], ...]:
    """Return the file and the column of each line; DVC takes one column, a list, or either for each file."""
    by_file = y if isinstance(y, dict) and y else {name: y or None}
    found: list[tuple[str, str]] = []
    for file, columns in by_file.items():
        each = columns if isinstance(columns, list) and columns else [columns or None]
        found += [(str(file), "" if column is None else str(column)) for column in each]
    return tuple(found)


def _title(name: str) -> str:
    """Return a title for a plot whose name is a file, for example `Loss by step` for `build/loss_by_step.csv`."""
    if Path(name).suffix.lower() not in (*TABLES, *IMAGES):
        return name
    words = re.sub(r"[\W_]+", " ", Path(name).stem).strip() or name
    return words[0].upper() + words[1:]


def is_image(plot: Plot) -> bool:
    """Return whether a plot is an image, which is shown as it is."""
    return Path(plot.file).suffix.lower() in IMAGES


def table(root: Path, path: str) -> pd.DataFrame:
    """Return the rows of a file of points.

    Raises:
        PlotError: It is missing, has no rows, or is of a kind that is not known.
    """
    file = root / path
    if not file.is_file():
        raise PlotError(f"{path} is not here")
    kind = file.suffix.lower()
    try:
        if kind in (".csv", ".tsv"):
            found = _separated(file, "," if kind == ".csv" else "\t")
        elif kind in TABLES:
            text = file.read_text(encoding="utf-8")
            found = pd.json_normalize(_rows(json.loads(text) if kind == ".json" else yaml.safe_load(text)))
        else:
            raise PlotError(f"{path} is of a kind that the page cannot draw")
    except (OSError, ValueError, yaml.YAMLError) as error:
        if isinstance(error, PlotError):
            raise
        raise PlotError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from None
    if found.empty:
        raise PlotError(f"{path} has no points")
    found.columns = [str(name) for name in found.columns]
    return found


def _separated(file: Path, separator: str) -> pd.DataFrame:
    """Return a table in which names are texts, as they are in the file."""
    return pd.read_csv(file, sep=separator, converters=dict.fromkeys(NAMES, str))


def _rows(document: Any) -> list[dict[str, Any]]:
    """Return the first list of mappings in a document of JSON or YAML, which is what DVC plots."""
    if isinstance(document, list) and all(isinstance(each, dict) for each in document):
        return document
    inside = document.values() if isinstance(document, dict) else ()
    return next((rows for each in inside if (rows := _rows(each))), [])


def points(root: Path, plot: Plot) -> tuple[pd.DataFrame, str, list[str]]:
    """Return the points of a plot in one table, the column of x, and those of the lines.

    Returns:
        The table of the first file, with the lines of other files beside it, row by row; x is empty without a column.

    Raises:
        PlotError: A file or a column is missing.
    """
    tables = {path: table(root, path) for path in plot.files}
    place = plot.file
    if plot.x and plot.x not in tables[place]:
        raise PlotError(f"{place} has no column {plot.x}")
    found = tables[place].copy()
    names: list[str] = []
    for path, column in plot.ys:
        name = column or last_number(tables[path])
        if name not in tables[path]:
            raise PlotError(f"{path} has no column {name}")
        label = name if path == place else f"{name} of {path}"
        if label not in found:
            found = pd.concat([found, tables[path][name].rename(label)], axis=1)
        names.append(label)
    return found, plot.x, names


def last_number(rows: pd.DataFrame) -> str:
    """Return the last column that has a number, which is drawn if none is named; the last one if none has."""
    names = [str(name) for name in rows.columns]
    return next((name for name in reversed(names) if has_number(rows[name])), names[-1])


def has_number(column: Any) -> bool:
    """Return whether a value of a column is a number."""
    return bool(pd.to_numeric(column, errors="coerce").notna().any())


def thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """Return at most 2,000 rows at equal distances, in their order, the first and the last among them."""
    if len(rows) <= MOST_ROWS:
        return rows
    step = (len(rows) - 1) / (MOST_ROWS - 1)
    return rows.iloc[[round(place * step) for place in range(MOST_ROWS)]]
