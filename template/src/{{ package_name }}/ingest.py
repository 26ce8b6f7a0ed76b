"""Stage `ingest`: the raw CSV becomes Parquet with this project's column names and types."""

import argparse
from pathlib import Path

import pandas as pd

from .schema import CATEGORIES, COLUMNS, LABELS, NUMBERS, TARGET


def ingest(raw: Path) -> pd.DataFrame:
    """Read the raw file.

    Returns:
        One row per record: the feature columns in the order of the schema, then the target as a label.

    Raises:
        ValueError: A column is missing or unknown, or a cell does not have the type of its column.
    """
    table = pd.read_csv(raw, dtype=str, keep_default_na=False).rename(columns=lambda name: name.replace("/", "_"))
    expected = [*COLUMNS, TARGET]
    if missing := [name for name in expected if name not in table]:
        raise ValueError(f"{raw}: columns missing: {', '.join(missing)}")
    if unknown := [name for name in table if name not in expected]:
        raise ValueError(f"{raw}: columns not in the schema: {', '.join(unknown)}")
    for name in (*NUMBERS, TARGET):
        table[name] = _whole_numbers(table[name], raw)
    table[CATEGORIES] = table[CATEGORIES].astype(object)
    table[TARGET] = table[TARGET].map(lambda code: LABELS.get(code, str(code)))
    return table[expected]


def _whole_numbers(column: pd.Series, raw: Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    for row in column.index[numbers.isna() | (numbers % 1 != 0)]:
        # Line 1 of the file is the header.
        raise ValueError(f"{raw}, line {row + 2}: {column.name} is {column[row]!r}, expected a whole number")
    return numbers.astype("int64")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="CSV file as it was delivered")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    options = parser.parse_args(arguments)
    try:
        table = ingest(options.raw)
    except (OSError, ValueError) as error:
        raise SystemExit(f"ingest: {error}") from None
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(options.out, index=False)
    print(f"ingest: {len(table)} records, {table.shape[1]} columns -> {options.out}")


if __name__ == "__main__":
    main()
