"""Compare the candidates, and the chosen one with a baseline and with the model that the environment serves."""

import argparse
import json
from typing import Any

from copier_mlops import problems
from copier_mlops.contract import Contract, of_project
from copier_mlops.project import root
from copier_mlops.reporting import figures
from copier_mlops.settings import load_settings
from copier_mlops.tracking import metrics_files, models, server


def compare(new: dict[str, float], old: dict[str, float], guess: dict[str, float]) -> list[dict[str, Any]]:
    """Return one row per metric.

    Args:
        new: The metrics of the chosen candidate.
        old: Those of the served model.
        guess: Those of the baseline, a model that looks at no feature.

    Returns:
        Per metric its name, the values `new`, `baseline` and `served`, and `change`, new minus served. A value that is
        not known is None.
    """
    rows = []
    for name, value in new.items():
        before = old.get(name)
        change = None if before is None else value - before
        rows.append({"metric": name, "new": value, "baseline": guess.get(name), "served": before, "change": change})
    return rows


def judge(rows: list[dict[str, Any]], contract: Contract) -> None:
    """Add to each row whether the new value is `better`, `worse` or the `same`.

    It is compared with the served model, or else with the baseline. The text is empty if neither has a value, or if
    only the team knows which direction is better.
    """
    for row in rows:
        better = figures.direction(row["metric"], contract)
        before = row["baseline"] if row["served"] is None else row["served"]
        row["verdict"] = ""
        if better and before is not None:
            gain = row["new"] - before if better == "higher" else before - row["new"]
            row["verdict"] = "better" if gain > 0 else "worse" if gain < 0 else "same"


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text. A value that is not known is a dash; the baseline is left out if nobody measured it."""
    keys = ["new", "baseline", "served", "change"]
    keys = [key for key in keys if key != "baseline" or any(row[key] is not None for row in rows)]
    width = max([20, *(len(row["metric"]) + 2 for row in rows)])
    cells = [["-" if row[key] is None else f"{row[key]:.4f}" for key in keys] for row in rows]
    cell_width = max([10, *(len(cell) + 2 for line in cells for cell in line)])
    lines = [f"{'metric':<{width}}" + "".join(f"{key:>{cell_width}}" for key in keys)]
    for row, line in zip(rows, cells, strict=True):
        verdict = f"  {row['verdict']}" if row.get("verdict") else ""
        lines.append(f"{row['metric']:<{width}}" + "".join(f"{cell:>{cell_width}}" for cell in line) + verdict)
    return "\n".join(lines)


def score(document: dict[str, Any], metric: str, place: str) -> float:
    """Return the value by which a candidate is compared.

    Args:
        document: The figures of its cross-validation.
        metric: The name of the metric that decides between models.
        place: The file, for the text of a refusal.

    Raises:
        SystemExit: The file has no such number.
    """
    value = document.get(metric)
    if isinstance(value, int | float):
        return float(value)
    raise SystemExit(f"evaluate: {place} has no {metric}\n  fix: let `train` write it, then: uv run poe train")


def main(arguments: list[str] | None = None) -> None:
    """Compare the candidates, and the chosen one with a baseline and with the model that the environment serves.

    Raises:
        SystemExit: The pipeline has not run, the tracking server does not answer, or a setting is wrong.
    """
    parser = argparse.ArgumentParser(
        prog="poe evaluate", description=__doc__, epilog="For example: uv run poe evaluate --env prod"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment to compare with (default: dev)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    settings = load_settings(options.env)
    found = metrics_files.read("evaluate", root() / "metrics" / "test.json", "candidate")
    chosen = found.pop("candidate")
    new, _ = metrics_files.numbers(found)
    contract = of_project()
    gate = problems.of(contract).metric()
    files = sorted((root() / figures.CANDIDATES).glob("*.json"))
    candidates = {
        file.stem: score(metrics_files.read("evaluate", file), gate.name, f"metrics/candidates/{file.name}")
        for file in files
    }
    try:
        guess = figures.baseline(root())
    except ValueError as error:
        raise SystemExit(f"evaluate: {error}") from None
    client = server.connect(settings)
    served = models.current(client, settings)
    old = models.figures(client, served)
    rows = compare(new, old, guess)
    judge(rows, contract)
    if options.json:
        document = {"chosen": chosen, "candidates": candidates, "served": served and served.version, "metrics": rows}
        print(json.dumps(document | {"gate": gate.name, "higher_is_better": gate.higher_is_better}, indent=2))
        return
    for name, value in candidates.items():
        print(f"{'chosen' if name == chosen else '':>7} {name}: {gate.title} {value:.4f} in cross-validation")
    print(f"\nOn the test records, compared with {settings.model_name}@{settings.model_alias}", end=": ")
    print(f"version {served.version}" if served else "nothing is registered yet")
    print(table(rows))


if __name__ == "__main__":
    main()
