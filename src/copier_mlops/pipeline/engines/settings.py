"""The settings of an engine: `operation/configuration/engines/NAME.yaml`, each of which a variable can override."""

from typing import Self

from copier_mlops.pipeline.engines import EngineError
from copier_mlops.project import CONFIGURATION, root
from copier_mlops.settings import FileSettings

FOLDER = CONFIGURATION / "engines"


class EngineSettings(FileSettings):
    """Settings of an engine, which are read from its file."""

    @classmethod
    def load(cls, name: str) -> Self:
        """Return the settings of an engine.

        Raises:
            EngineError: The file is missing.
            SystemExit: It is wrong; the text says where.
        """
        place = FOLDER / f"{name}.yaml"
        if not (root() / place).is_file():
            raise EngineError(f"{place.as_posix()} is not here\n  fix: git restore {place.as_posix()}")
        return cls.read(root() / place)
