"""The settings of an engine: `operation/configuration/engines/NAME.yaml`, each of which a variable can override."""

from pathlib import Path
from typing import Self

from copier_mlops.pipeline.engines import EngineError
from copier_mlops.project import CONFIGURATION, is_rendered, root
from copier_mlops.settings import FileSettings

FOLDER = CONFIGURATION / "engines"
# A file that is read in the place of the engine's own, if a task was given one.
_file: Path | None = None


def take_from(file: Path) -> None:
    """Let this process read the settings of its engine from another file than `operation/configuration/engines/…`."""
    global _file
    _file = file


class EngineSettings(FileSettings):
    """Settings of an engine, which are read from its file."""

    @classmethod
    def load(cls, name: str) -> Self:
        """Return the settings of an engine.

        Raises:
            EngineError: The file is missing.
            SystemExit: It is wrong; the text says where.
        """
        if _file:
            return cls.read(_file)
        place = FOLDER / f"{name}.yaml"
        if not (root() / place).is_file():
            fix = f"git restore {place.as_posix()}" if is_rendered() else "name the file: --settings FILE"
            raise EngineError(f"{place.as_posix()} is not here\n  fix: {fix}")
        return cls.read(root() / place)
