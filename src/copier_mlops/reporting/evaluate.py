"""Compare the candidates, and the chosen one with the model that the environment serves."""

import argparse
import json
from pathlib import Path

from copier_mlops.project import load_settings, root
from copier_mlops.tracking import models, server


def read(path: Path) -> dict:
    """A file of metrics.

    Raises:
        SystemExit: The pipeline has not written it.
    """
    if not path.is_file():
        raise SystemExit(f"evaluate: {path.relative_to(root())} is not here\n  mend: uv run poe train")
    return json.loads(path.read_text(encoding="utf-8"))


def compare(new: dict[str, float], old: dict[str, float]) -> list[dict]:
    """One row per metric: its value now, in the served model (None where there is none), and the difference."""
    rows = []
    for name, value in new.items():
        before = old.get(name)
        change = None if before is None else value - before
        rows.append({"metric": name, "new": value, "served": before, "change": change})
    return rows


def table(rows: list[dict]) -> str:
    """The rows as text; a dash where there is no value."""
    lines = [f"{'metric':<20}{'new':>10}{'served':>10}{'change':>10}"]
    for row in rows:
        served, change = (("-" if row[key] is None else f"{row[key]:.4f}") for key in ("served", "change"))
        lines.append(f"{row['metric']:<20}{row['new']:>10.4f}{served:>10}{change:>10}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="poe evaluate", description=__doc__)
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment to compare with (default: dev)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--release", action="store_true", help="judge the run of `train` by the metric gate")
    options = parser.parse_args(arguments)
    if options.release:
        from copier_mlops.release import judge

        judge.main()
        return
    settings = load_settings(options.env)
    new = read(root() / "metrics" / "test.json")
    chosen = new.pop("candidate")
    files = sorted((root() / "metrics" / "candidates").glob("*.json"))
    candidates = {file.stem: read(file)["roc_auc"] for file in files}
    client = server.connect(settings)
    served = models.current(client, settings)
    rows = compare(new, client.get_run(served.run_id).data.metrics if served else {})
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
