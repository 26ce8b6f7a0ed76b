"""The predictor: records in, predictions out, with the model's version on each.

Files and HTTP both call `Predictor.score`, so that a record gets the same answer from each.
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
    """A model that is ready to answer, and the name that its answers carry."""

    model: Any
    version: str

    @classmethod
    def load(cls, path: Path, version: str, sha256: str | None = None) -> "Predictor":
        """Read a model file; `sha256`, where given, must be the file's.

        Raises:
            model_file.ModelFileError: The file is missing, damaged or not trusted.
        """
        return cls(model_file.load(path, sha256), version)

    def score(self, records: pd.DataFrame) -> pd.DataFrame:
        """Predict.

        Args:
            records: n rows with at least the columns of the schema; other columns are left out.

        Returns:
            n rows with `label`, `probability` (of bad, 0 to 1) and `model_version`, under the index of `records`.

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
    """Where a categorical value is not in the schema: True or False, n rows by one column per category."""
    categories = (feature for feature in FEATURES if isinstance(feature, Category))
    return pd.DataFrame({feature.name: ~records[feature.name].isin(list(feature.codes)) for feature in categories})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model file")
    parser.add_argument("--version", default="unregistered", help="version that the predictions carry")
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
