"""The predictor, which turns records into predictions with the version of the model.

Files and HTTP both use `Predictor.score`, so that a record gets the same prediction from each.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from copier_mlops import model_file, problems
from copier_mlops.contract import beside

CONTRACT = beside(__file__)


@dataclass(frozen=True)
class Predictor:
    """A loaded model, and the version that it adds to its predictions."""

    model: Any
    version: str

    @classmethod
    def load(cls, path: Path, version: str, sha256: str | None = None) -> "Predictor":
        """Read a model file, and check its SHA-256 if one is given.

        Raises:
            model_file.ModelFileError: The file is missing, damaged or not trusted.
        """
        return cls(model_file.load(path, sha256), version)

    def score(self, records: pd.DataFrame) -> pd.DataFrame:
        """Predict the target of records.

        Args:
            records: n rows with at least the features of the contract; other columns are ignored.

        Returns:
            n rows with the index of `records` and the column `model_version`. For classes: `label`, and `probability`
            (0 to 1) of the positive class, or of the label if there are more than two. For numbers: `prediction`.

        Raises:
            ValueError: A column is missing.
        """
        return problems.predict(self.model, records, CONTRACT).assign(model_version=self.version)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model file")
    parser.add_argument("--version", default="unregistered", help="version in the predictions, for example 3")
    parser.add_argument("--data", type=Path, required=True, help="Parquet file of records")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write: predictions")
    options = parser.parse_args(arguments)
    try:
        predictions = Predictor.load(options.model, options.version).score(pd.read_parquet(options.data))
    except ValueError as error:
        raise SystemExit(f"score: {error}") from None
    options.out.parent.mkdir(parents=True, exist_ok=True)
    predictions.to_parquet(options.out, index=False)
    print(f"score: {len(predictions)} records -> {options.out}")


if __name__ == "__main__":
    main()
