"""Stage `ingest`: convert the raw CSV to Parquet with the column names and types of the schema."""

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
    table = pd.read_csv(raw, dtype=str, keep_default_na=False)
    if TARGET not in table:
        raise ValueError(f"{raw}: columns missing: {TARGET}")
    target = _whole_numbers(table.pop(TARGET), raw)
    return features(table, raw).assign(**{TARGET: target.map(lambda code: LABELS.get(code, str(code)))})


def features(table: pd.DataFrame, source: Path) -> pd.DataFrame:
    """Convert records to the names, order and types of the schema.

    Args:
        table: n records, with the column names of the schema or of the raw file.
        source: The file of the records, for error messages.

    Raises:
        ValueError: A column is missing or unknown, or a cell does not have the type of its column.
    """
    table = table.rename(columns=lambda name: name.replace("/", "_"))
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"{source}: columns missing: {', '.join(missing)}")
    if unknown := [name for name in table if name not in COLUMNS]:
        raise ValueError(f"{source}: columns not in the schema: {', '.join(unknown)}")
    numbers = {name: _whole_numbers(table[name], source) for name in NUMBERS}
    return table.assign(**numbers)[COLUMNS].astype(dict.fromkeys(CATEGORIES, object))


def _whole_numbers(column: pd.Series, source: Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    for row in column.index[numbers.isna() | (numbers % 1 != 0) | (numbers.abs() >= 1e15)]:
        raise ValueError(f"{source}: record {row}: {column.name} is {column[row]!r}, expected an integer below 1e15")
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
