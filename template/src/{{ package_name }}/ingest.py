"""Stage `ingest`: read the raw file into columns with the names and types of the contract."""

import argparse
from pathlib import Path

import pandas as pd
from copier_mlops.contract import beside
from copier_mlops.contract.tables import read_table

CONTRACT = beside(__file__)


def ingest(raw: Path) -> pd.DataFrame:
    """Read the raw file: text in any dialect, JSON lines, Parquet, or a folder of such files.

    Returns:
        One row per record, with the fields of the contract in its order, the target included.

    Raises:
        ValueError: A column is missing or unknown, or a value does not have the type of its field.
    """
    return read_table(raw, CONTRACT)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="file or folder as it was delivered")
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
