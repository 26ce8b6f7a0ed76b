"""Score a file of records and write a file of predictions."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from copier_mlops.project import Settings, load_settings, team
from copier_mlops.serving import Predictor

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False),
    ".json": lambda path: pd.read_json(path, orient="records"),
    ".jsonl": lambda path: pd.read_json(path, orient="records", lines=True),
    ".parquet": pd.read_parquet,
}
WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".json": lambda table, path: table.to_json(path, orient="records", indent=2),
    ".jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
}


def known_suffix(text: str) -> Path:
    """Return a path, if its suffix names a format that can be read and written."""
    path = Path(text)
    if path.suffix not in READERS:
        raise argparse.ArgumentTypeError(f"{text}: expected a name that ends in {', '.join(READERS)}")
    return path


def registered(settings: Settings) -> Predictor:
    """Return the model of the environment's alias."""
    # Imported here, since an image has neither the registry nor MLflow.
    from copier_mlops.tracking import models

    return models.predictor(settings)


def main(arguments: list[str] | None = None, find: Callable[[Settings], Predictor] = registered) -> None:
    parser = argparse.ArgumentParser(
        prog="poe predict",
        description=__doc__,
        epilog="For example: uv run poe predict --data records.csv --out predictions.csv",
    )
    parser.add_argument(
        "--data", type=known_suffix, required=True, help="records: a CSV, JSON, JSON lines or Parquet file"
    )
    parser.add_argument("--out", type=known_suffix, help="predictions, same formats (default: print JSON lines)")
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment whose model answers (default: dev)")
    options = parser.parse_args(arguments)
    try:
        # Records may have a known outcome, which the predictor must not see.
        table = READERS[options.data.suffix](options.data).drop(columns=team("schema").TARGET, errors="ignore")
        records = team("ingest").features(table, options.data)
    except (OSError, ValueError) as error:
        raise SystemExit(f"predict: {error}") from None
    predictor = find(load_settings(options.env))
    predictions = predictor.score(records)
    for name, count in team("score").unseen(records).sum().items():
        if count:
            print(f"predict: {name}: unknown code in {count} of {len(records)} records", file=sys.stderr)
    if options.out is None:
        print(predictions.to_json(orient="records", lines=True), end="")
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draft = options.out.with_name(f".{options.out.name}.draft")
    WRITERS[options.out.suffix](predictions, draft)
    draft.replace(options.out)
    print(f"predict: {len(predictions)} records by version {predictor.version} -> {options.out}")


if __name__ == "__main__":
    main()
