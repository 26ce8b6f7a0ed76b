"""Write the files of a project that name its data or its problem, for data that is new to it."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from copier_mlops import images
from copier_mlops.contract.image_files import contents
from copier_mlops.problems import Curve, of

if TYPE_CHECKING:
    from copier_mlops.contract import Contract
    from copier_mlops.contract.files import Source

# Records of the sample: enough for a pipeline to run, few enough for git.
SAMPLE, LEAST_OF_A_CLASS = 120, 12
# The number of a record, the folder of its file, and its cells.
Row = tuple[int, Path, list[str]]
# DVC's name for each kind of chart.
TEMPLATES = {"line": "", "confusion": "confusion", "bars": "bar_horizontal", "scatter": "scatter"}
COSTS = """\
# Two classes: the costs of a positive record that is missed, and of another one that is refused, give the threshold.
costs:
  missed: 1
  refused: 1
"""


def about(what: str) -> str:
    """Return the team's text of a card, to be filled in: `about_data.md` or `about_model.md`."""
    return Path(__file__).with_name(f"about_{what}.md").read_text(encoding="utf-8")


def sample(source: Source, contract: Contract) -> str:
    """Return some records as CSV, with the texts of the source: records of each class, spread over the whole file.

    Raises:
        DataError: The file is damaged.
    """
    target = contract.learning.target
    is_class = contract.learning.problem != "regression"
    every: list[Row] = []
    of_class: dict[str, list[Row]] = {}
    step, number = 1, 0
    for folder, batch in source.parts():
        columns = [batch.column(name).to_pylist() for name in source.names]
        place = source.names.index(target)
        for row in zip(*columns, strict=True):
            cells = ["" if cell is None else cell for cell in row]
            kept = of_class.setdefault(cells[place], []) if is_class else []
            if is_class and len(of_class) <= SAMPLE and len(kept) < LEAST_OF_A_CLASS:
                kept.append((number, folder, cells))
            elif number % step == 0:
                every.append((number, folder, cells))
                if len(every) >= 2 * SAMPLE:  # twice as far apart from now on
                    every, step = every[::2], 2 * step
            number += 1
    chosen = [row for kept in of_class.values() for row in kept][:SAMPLE]
    wanted = min(SAMPLE - len(chosen), len(every))
    spread = [every[place * len(every) // wanted] for place in range(wanted)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(source.names)
    writer.writerows(_with_thumbnails(row, source, contract) for row in sorted([*chosen, *spread]))
    return stream.getvalue()


def _with_thumbnails(row: Row, source: Source, contract: Contract) -> list[str]:
    """Return the cells of a record, with a small copy of each image in base64: git has the sample."""
    number, folder, cells = row
    for field in contract.images:
        place, missing = source.names.index(field.name), contract.missing(field)
        (text,) = contents([cells[place]], folder, missing, field.name, number)
        cells[place] = images.thumbnail(text) if text and text not in missing else text or ""
    return cells


def pipeline(text: str, old: str, new: str, contract: Contract) -> str:
    """Return dvc.yaml with another raw file and the curves of the contract's problem.

    Args:
        text: The file as it is.
        old: The raw file or folder that it names, for example `data/raw/old.csv`.
        new: The one that takes its place.
        contract: That of the new records.
    """
    found = text.replace(old, new) if old else text
    head, mark, _ = found.partition("\nplots:\n")
    return head + mark + plots(contract) if mark else found


def plots(contract: Contract) -> str:
    """Return the curves of a problem, as dvc.yaml declares them."""
    curves = [*of(contract).curves]
    lines = [line for curve in curves for line in _plot(curve)]
    if contract.learning.problem == "binary":
        lines += ["  - Cost by threshold:", "      x: {build/plots/cost.csv: threshold}"]
        lines += ["      y: {build/plots/cost.csv: cost}"]
    lines += ["  - Importance:", "      template: bar_horizontal", "      x: {build/plots/importance.csv: importance}"]
    lines += ["      y: {build/plots/importance.csv: feature}"]
    return "\n".join(lines) + "\n"


def _plot(curve: Curve) -> list[str]:
    file = f"build/plots/{curve.name}.csv"
    template = TEMPLATES[curve.kind]
    return [
        f"  - {curve.title}:",
        *([f"      template: {template}"] if template else []),
        f"      x: {{{file}: {curve.x}}}",
        f"      y: {{{file}: {curve.y}}}",
        f"      x_label: {curve.x_label}",
        f"      y_label: {curve.y_label}",
    ]


def parameters(text: str) -> str:
    """Return params.yaml with equal costs, and without the reason that another data set had for its own."""
    return re.sub(r"(^#[^\n]*\n)?^costs:\n(  [^\n]*\n)+", COSTS, text, flags=re.MULTILINE)


def gate(text: str, contract: Contract) -> str:
    """Return release.yaml with the metric that decides for the contract's problem, and its direction."""
    metric = of(contract).metric()
    found = re.sub(r"(?m)^(  metric:) [^\n#]*?(?=\s*(#|$))", rf"\1 {metric.name}", text)
    direction = "higher" if metric.higher_is_better else "lower"
    return re.sub(r"(?m)^(  direction:) [^\n#]*?(?=\s*(#|$))", rf"\1 {direction}", found)


def readme_of_data(text: str, old: str, new: str) -> str:
    """Return data/README.md whose paragraph on the raw data is one on the new data, to be filled in by the team."""
    places = (f"`{old.removeprefix('data/')}`", "`raw/`")
    name = new.removeprefix("data/")
    said = f"`{name}` is the data of this project. Say here where it comes from, and who may use it."
    return "\n\n".join(said if each.startswith(places) else each for each in text.split("\n\n"))
