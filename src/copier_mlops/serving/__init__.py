"""Serve a predictor over HTTP (`online`), from files (`batch`) and in an image (`packaged`).

This module has the names that `operation/execution/serve.py` uses; each mode imports its own libraries.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from copier_mlops.project import team

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Predictor", "load"]


class Predictor(Protocol):
    """The interface of the team's `score.Predictor`: a model that is ready to answer."""

    @property
    def version(self) -> str:
        """The version in every answer."""

    def score(self, records: pd.DataFrame) -> pd.DataFrame:
        """Return n rows with `label`, `probability` (0 to 1) and `model_version`, with the index of the n records."""


class _Loaded:
    """The team's predictor, and the SHA-256 of its model file."""

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
    """Return the team's predictor for a model file, after a check of its SHA-256.

    Args:
        path: The file.
        version: The version in the answers.
        sha256: In hexadecimal; `/health` names it.

    Raises:
        ModelFileError: The file is missing, damaged or not trusted.
        SystemExit: The team's package cannot be imported.
    """
    return _Loaded(team("score").Predictor.load(path, version, sha256), sha256)
