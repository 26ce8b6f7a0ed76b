"""Stage `validate`: stop if a record breaks the data contract."""

import argparse
import json
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from .schema import FEATURES, LABELS, TARGET, Category

SHOWN = 20


def contract() -> pa.DataFrameSchema:
    """Return the schema for pandera: every column is required, has a type, and has only allowed values."""
    columns = {TARGET: pa.Column(object, pa.Check.isin(list(LABELS.values())), coerce=True)}
    for feature in FEATURES:
        if isinstance(feature, Category):
            columns[feature.name] = pa.Column(object, pa.Check.isin(list(feature.codes)), coerce=True)
        else:
            columns[feature.name] = pa.Column("int64", pa.Check.in_range(feature.low, feature.high))
    return pa.DataFrameSchema(columns, strict=True)


def violations(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each cell that breaks the contract, with the record's position (0 is the first)."""
    try:
        contract().validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        return [
            f"record {case.index}: {case.column} is {case.failure_case!r}, expected {case.check}"
            for case in cases.itertuples(index=False, name="Case")
        ]
    return []


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Return the size and the balance of the data, for the data card."""
    return {
        "records": len(table),
        "duplicates": int(table.duplicated().sum()),
        **{f"share_{label}": float((table[TARGET] == label).mean()) for label in LABELS.values()},
    }


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
