"""Stage `validate`: stop if a record breaks the data contract."""

import argparse
import json
from pathlib import Path

import pandas as pd
from copier_mlops import problems
from copier_mlops.contract import beside, verdict

CONTRACT = beside(__file__)
SHOWN = 20


def violations(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each value that breaks the contract, with the record's position (0 is the first)."""
    return [str(each) for each in verdict.violations(table, CONTRACT, labelled=True)]


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Return the size and the balance of the data, for the data card."""
    target = problems.targets(table, CONTRACT)
    size = {"records": len(table), "duplicates": int(table.duplicated().sum())}
    if CONTRACT.learning.problem == "regression":
        return size | {f"target_{name}": float(getattr(target, name)()) for name in ("min", "median", "max")}
    return size | {f"share_{name}": float((target == name).mean()) for name in problems.class_names(CONTRACT)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet file written by ingest")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write, the same records")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file to write: size and balance of the data")
    options = parser.parse_args(arguments)
    table = pd.read_parquet(options.data)
    if found := violations(table):
        more = f"\n  … and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        listing = "\n  ".join(found[:SHOWN])
        raise SystemExit(f"validate: {len(found)} values in {options.data} break the data contract:\n  {listing}{more}")
    for path in (options.out, options.metrics):
        path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(options.out, index=False)
    options.metrics.write_text(json.dumps(summary(table), indent=2) + "\n", encoding="utf-8")
    print(f"validate: {len(table)} records keep the data contract -> {options.out}")


if __name__ == "__main__":
    main()
