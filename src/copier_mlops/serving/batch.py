"""Score a file of records and write a file of predictions."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pandas as pd

from copier_mlops.contract import of_project
from copier_mlops.contract.frame import typed
from copier_mlops.contract.verdict import unseen, violations
from copier_mlops.serving import Predictor, records
from copier_mlops.serving.files import READERS, read
from copier_mlops.settings import Settings, load_settings

WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".tsv": lambda table, path: table.to_csv(path, index=False, sep="\t"),
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


def checked(path: Path) -> Iterator[pd.DataFrame]:
    """Yield the records of a file, part by part, with the types of the contract; each may be scored.

    Raises:
        SystemExit: The file cannot be read, or a record of it is one that `/predict` refuses.
    """
    try:
        yield from _parts(path)
    except (OSError, OverflowError, ValueError) as error:
        raise SystemExit(f"predict: {error}") from None


def _parts(path: Path) -> Iterator[pd.DataFrame]:
    contract, count = of_project(), 0
    for part in read(path, contract):
        # Records may have a known outcome, which the predictor must not see.
        table = part.drop(columns=contract.target.name, errors="ignore")
        table.index = pd.RangeIndex(count, count + len(table))
        records.refuse(map(str, violations(table, contract)), path)
        count += len(table)
        yield typed(table, contract)
    if not count:
        raise ValueError(f"{path} has no records\n  fix: give it one at least")


def main(arguments: list[str] | None = None, find: Callable[[Settings], Predictor] = registered) -> None:
    parser = argparse.ArgumentParser(
        prog="poe predict",
        description=__doc__,
        epilog="For example: uv run poe predict --data records.csv --out predictions.csv",
    )
    parser.add_argument(
        "--data", type=known_suffix, required=True, help="records: a CSV, TSV, JSON, JSON lines or Parquet file"
    )
    parser.add_argument("--out", type=known_suffix, help="predictions, same formats (default: print JSON lines)")
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment whose model answers (default: dev)")
    options = parser.parse_args(arguments)
    parts = checked(options.data)
    # A file that is refused at its beginning does not wait for the model.
    parts = chain([next(parts)], parts)
    predictor = find(load_settings(options.env))
    scored, new, contract = [], Counter[str](), of_project()
    for part in parts:
        scored.append(predictor.score(part))
        new.update({name: sum(found) for name, found in unseen(part, contract).items()})
    predictions = pd.concat(scored)
    for name, count in new.items():
        if count:
            print(f"predict: {name}: value in no category in {count} of {len(predictions)} records", file=sys.stderr)
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
