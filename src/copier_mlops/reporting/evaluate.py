"""Compare the candidates, and the chosen one with the model that the environment serves."""

import argparse
import json
from typing import Any

from copier_mlops.project import load_settings, root
from copier_mlops.tracking import metrics_files, models, server


def compare(new: dict[str, float], old: dict[str, float]) -> list[dict[str, Any]]:
    """Return one row per metric: its new value, that of the served model or None, and the difference."""
    rows = []
    for name, value in new.items():
        before = old.get(name)
        change = None if before is None else value - before
        rows.append({"metric": name, "new": value, "served": before, "change": change})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text; a dash if there is no value."""
    lines = [f"{'metric':<20}{'new':>10}{'served':>10}{'change':>10}"]
    for row in rows:
        served, change = (("-" if row[key] is None else f"{row[key]:.4f}") for key in ("served", "change"))
        lines.append(f"{row['metric']:<20}{row['new']:>10.4f}{served:>10}{change:>10}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Compare the candidates, and the chosen one with the model that the environment serves.

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
    files = sorted((root() / "metrics" / "candidates").glob("*.json"))
    candidates = {file.stem: metrics_files.read("evaluate", file, "roc_auc")["roc_auc"] for file in files}
    client = server.connect(settings)
    served = models.current(client, settings)
    rows = compare(new, client.get_run(str(served.run_id)).data.metrics if served else {})
    if options.json:
        document = {"chosen": chosen, "candidates": candidates, "served": served and served.version, "metrics": rows}
        print(json.dumps(document, indent=2))
        return
    for name, value in candidates.items():
        print(f"{'chosen' if name == chosen else '':>7} {name}: ROC AUC {value:.4f} in cross-validation")
    print(f"\nOn the test records, compared with {settings.model_name}@{settings.model_alias}", end=": ")
    print(f"version {served.version}" if served else "nothing is registered yet")
    print(table(rows))


if __name__ == "__main__":
    main()
