"""The doors to a predictor: HTTP (`online`) and files (`batch`), and what an image runs (`packaged`)."""

from typing import Protocol

import pandas as pd

__all__ = ["Predictor"]


class Predictor(Protocol):
    """What the team's `score.Predictor` is: a model that is ready to answer."""

    @property
    def version(self) -> str:
        """The version that every answer carries."""

    def score(self, records: pd.DataFrame) -> pd.DataFrame:
        """Return n rows with `label`, `probability` (0 to 1) and `model_version`, under the index of n records."""
