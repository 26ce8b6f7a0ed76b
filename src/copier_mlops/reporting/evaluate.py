"""Compare the candidates, and the chosen one with the model that the environment serves."""

import argparse
import json
from pathlib import Path
from typing import Any

from copier_mlops.project import load_settings, root
from copier_mlops.tracking import models, server

FIX = "fix: uv run poe train"


def read(path: Path, *names: str) -> dict[str, Any]:
    """Return a file of metrics.

    Args:
        path: A file with a JSON object, written by the pipeline.
        names: The keys that it must have.

    Raises:
        SystemExit: The file is missing or damaged, or it lacks a key.
    """
    place = path.relative_to(root()).as_posix()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SystemExit(f"evaluate: {place} is not here\n  {FIX}") from None
    except (OSError, ValueError) as error:
        raise SystemExit(f"evaluate: {place} cannot be read: {error}\n  {FIX}") from None
    if missing := [name for name in names if not isinstance(found, dict) or name not in found]:
        raise SystemExit(f"evaluate: {place} has no {', '.join(missing)}\n  {FIX}")
    return dict(found)


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
    new = read(root() / "metrics" / "test.json", "candidate")
    chosen = new.pop("candidate")
    files = sorted((root() / "metrics" / "candidates").glob("*.json"))
    candidates = {file.stem: read(file, "roc_auc")["roc_auc"] for file in files}
    client = server.connect(settings)
    served = models.current(client, settings)
    rows = compare(new, client.get_run(str(served.run_id)).data.metrics if served else {})
    if options.json:
        document = {"chosen": chosen, "candidates": candidates, "served": served and served.version, "metrics": rows}
        print(json.dumps(document, indent=2))
        return
    for name, value in candidates.items():
        print(f"{'chosen' if name == chosen else '':>7} {name}: ROC AUC {value:.4f} in cross-validation")
    print(f"\nOn the test records, beside {settings.model_name}@{settings.model_alias}", end=": ")
    print(f"version {served.version}" if served else "nothing is registered yet")
    print(table(rows))


if __name__ == "__main__":
    main()
