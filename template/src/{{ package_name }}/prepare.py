"""Stage `prepare`: split the records into training and test records, which are the same for every candidate."""

import argparse
from pathlib import Path

import pandas as pd
from copier_mlops import splits
from copier_mlops.contract import beside

CONTRACT = beside(__file__)


def prepare(table: pd.DataFrame, test_share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split as the contract says: the newest records, whole groups, or at random with the same share of each class.

    Raises:
        ValueError: One part would have no records, or none of a class.
    """
    return splits.hold_out(table, CONTRACT, test_share, seed)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet file written by validate")
    parser.add_argument("--test-share", type=float, required=True, help="share of the records to hold back, 0 to 1")
    parser.add_argument("--seed", type=int, required=True, help="seed of a random split")
    parser.add_argument("--train", type=Path, required=True, help="Parquet file to write: training records")
    parser.add_argument("--test", type=Path, required=True, help="Parquet file to write: test records")
    options = parser.parse_args(arguments)
    try:
        train, test = prepare(pd.read_parquet(options.data), options.test_share, options.seed)
    except ValueError as error:
        raise SystemExit(f"prepare: {error}") from None
    for path, part in ((options.train, train), (options.test, test)):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.to_parquet(path, index=False)
    print(f"prepare: {len(train)} records to train on, {len(test)} to test on ({splits.kind(CONTRACT)} split)")


if __name__ == "__main__":
    main()
