"""Serving a predictor: over HTTP (`online`) and files (`batch`), and what an image runs (`packaged`).

What `operation/execution/serve.py` uses is named here; the libraries of a mode are imported with its module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from copier_mlops.project import team

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Predictor", "load"]


class Predictor(Protocol):
    """What the team's `score.Predictor` is: a model that is ready to answer."""

    @property
    def version(self) -> str:
        """The version that every answer carries."""

    def score(self, records: pd.DataFrame) -> pd.DataFrame:
        """Return n rows with `label`, `probability` (0 to 1) and `model_version`, under the index of n records."""


class _Loaded:
    """The team's predictor, which also knows the SHA-256 of the file that it was read from."""

    def __init__(self, predictor: Predictor, sha256: str) -> None:
        self._predictor = predictor
        self.sha256 = sha256

    @property
    def version(self) -> str:
        return self._predictor.version

    def score(self, records: pd.DataFrame) -> pd.DataFrame:
        return self._predictor.score(records)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._predictor, name)


def load(path: Path, version: str, sha256: str) -> Predictor:
    """Return the team's predictor over a model file, whose SHA-256 must be the given one.

    Args:
        path: The file.
        version: What the answers carry.
        sha256: In hexadecimal; `/health` names it.

    Raises:
        ModelFileError: The file is missing, damaged or not trusted.
        SystemExit: The team's package cannot be imported.
    """
    return _Loaded(team("score").Predictor.load(path, version, sha256), sha256)
