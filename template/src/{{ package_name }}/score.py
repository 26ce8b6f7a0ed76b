"""The predictor, which turns records into predictions with the version of the model.

Files and HTTP both use `Predictor.score`, so that a record gets the same prediction from each.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from copier_mlops import model_file

from .schema import COLUMNS, FEATURES, POSITIVE, Category


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
        """Predict the labels of records.

        Args:
            records: n rows with at least the columns of the schema; other columns are ignored.

        Returns:
            n rows with `label`, `probability` (of bad, 0 to 1) and `model_version`, with the index of `records`.

        Raises:
            ValueError: A column is missing.
        """
        if missing := [name for name in COLUMNS if name not in records]:
            raise ValueError(f"columns missing: {', '.join(missing)}")
        positive = list(self.model.classes_).index(POSITIVE)
        inputs = records[COLUMNS]
        return pd.DataFrame(
            {
                "label": self.model.predict(inputs),
                "probability": self.model.predict_proba(inputs)[:, positive],
                "model_version": self.version,
            },
            index=records.index,
        )


def unseen(records: pd.DataFrame) -> pd.DataFrame:
    """Return True for each categorical value that is not in the schema, in n rows by one column per category."""
    categories = (feature for feature in FEATURES if isinstance(feature, Category))
    return pd.DataFrame({feature.name: ~records[feature.name].isin(list(feature.codes)) for feature in categories})


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
