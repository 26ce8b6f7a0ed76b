"""Decide which types a model file may have: those of this package, of known libraries, and of the team's own list.

A trusted type is read as state. A file can choose the numbers and texts in it, and never a function to call.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from copier_mlops.project import answer, root, team_folder
from copier_mlops.registry import registry

# The team's list, beside the contract.
FILE = "trusted_types.yaml"
LINKS = ("HalfLogitLink", "IdentityLink", "Interval", "LogLink", "LogitLink", "MultinomialLogit")
LOSSES = (
    "AbsoluteError",
    "HalfBinomialLoss",
    "HalfGammaLoss",
    "HalfMultinomialLoss",
    "HalfPoissonLoss",
    "HalfSquaredError",
    "PinballLoss",
)
# Types of models that skops does not trust by default. A file with any other type is refused. Each holds state, and no
# code that the file could choose:
TRUSTED = [
    # Arrays of nodes. Wrong ones can end a prediction with a crash, so that a release compares the SHA-256 first.
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    # Bins, losses and their links: numbers, as gradient boosting keeps them. Newer releases of skops trust these.
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    *(f"sklearn._loss.link.{name}" for name in LINKS),
    *(f"sklearn._loss.loss.{name}" for name in LOSSES),
    # Compiled: scikit-learn before 1.8 gives its module this name, and skops finds it in sklearn._loss.
    "_loss.CyHalfMultinomialLoss",
    # The name of a type of numbers, as in SimpleImputer and TfidfVectorizer.
    "numpy.dtype",
    # A dict, which LightGBM names as the default of its figures.
    "collections.OrderedDict",
    # Of ours: names of columns, flags, a number, and vectorizers and estimators, whose types are checked in turn.
    "copier_mlops.features.Categories",
    "copier_mlops.features.Images",
    "copier_mlops.features.Moments",
    "copier_mlops.features.NumberedClasses",
    "copier_mlops.features.Numbers",
    "copier_mlops.features.Words",
    # A function of ours that joins two texts.
    "copier_mlops.features.category_column",
]
# How skops reads a type as state: it makes an empty object and fills it. All its other ways call the type.
AS_STATE = {"ObjectNode"}
# The team's own functions and classes can be named, too: nobody but the team writes what they do.
OF_TEAM = AS_STATE | {"FunctionNode", "MethodNode", "TypeNode"}
NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
# Modules of Python that hold only data.
DATA = {"collections", "datetime", "decimal", "fractions"}


class ModelFileError(ValueError):
    """The model file is missing, damaged or too large, or has a type that is not trusted."""


class UntrustedError(ModelFileError):
    """A model file has types that are not trusted."""

    def __init__(self, text: str, types: list[str]) -> None:
        super().__init__(text)
        self.types = types


class Use(NamedTuple):
    """A type of a model file, and how skops would read it."""

    module: str
    name: str
    loader: str

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


def trusted() -> list[str]:
    """Return the types that a model file may have, beside those that skops trusts by default.

    Raises:
        ModelFileError: The team's list cannot be used.
    """
    return [*TRUSTED, *sorted(_of_libraries()), *_of_team()]


def uses(node: Any) -> Iterator[Use]:
    """Yield every type that a schema of skops names."""
    if isinstance(node, dict):
        if isinstance(node.get("__loader__"), str):
            yield Use(str(node.get("__module__")), str(node.get("__class__")), node["__loader__"])
        for value in node.values():
            yield from uses(value)
    elif isinstance(node, list):
        for value in node:
            yield from uses(value)


def schema(path: Path) -> Any:
    """Return the schema of a model file, which names its types; nothing else is read.

    Raises:
        zipfile.BadZipFile: The file is not an archive.
        KeyError: It has no schema.
        ValueError: Its schema is not JSON.
    """
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("schema.json"))


def is_state(use: Use) -> bool:
    """Return whether a file reads a type as state; of the team's own package, it can name functions, too."""
    return use.loader in (OF_TEAM if use.module.partition(".")[0] == package() else AS_STATE)


def check(schema: Any) -> None:
    """Check that a file reads the types of libraries and of the team's list only as state.

    Raises:
        ModelFileError: It would call one of them, or the team's list cannot be used.
    """
    listed = {*_of_libraries(), *_of_team()}.difference(TRUSTED)
    for use in uses(schema):
        if use.path in listed and not is_state(use):
            raise ModelFileError(f"the file would call {use.path}, which is trusted only as the type of an object")


def never(name: str) -> str:
    """Return why nobody can trust a type; an empty text if the team can."""
    module = name.partition(".")[0]
    if not NAME.fullmatch(name):
        return "is not the full name of one type, such as package.module.Class"
    if module == "__main__":
        return "is defined in the file that runs as a program, where no other process finds it"
    if module in sys.stdlib_module_names - DATA:
        return "is of Python's own library, with which a file could run commands"
    return ""


def package() -> str:
    """Return the name of the team's package; an empty text outside of a project."""
    try:
        return str(answer("package_name", ""))
    except SystemExit:
        return ""


def place() -> str:
    """Return the path of the team's list as its project knows it, for the text of an error."""
    return f"src/{package() or 'PACKAGE'}/{FILE}"


def _of_libraries() -> set[str]:
    return {name for library in registry("libraries").values() for name in library["trusted"]}


def _of_team() -> tuple[str, ...]:
    """Return the team's list; nothing outside of a project, or if its package is not installed.

    Raises:
        ModelFileError: It cannot be used.
    """
    try:
        path = root() / "src" / package() / FILE
        path = path if path.parent.is_dir() else team_folder() / FILE
    except SystemExit:
        return ()
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else ()


@functools.cache
def _read(path: Path, _: int) -> tuple[str, ...]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ModelFileError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ModelFileError(f"{path} is not a list of types: each line is `- package.module.Class`")
    for name in found:
        if reason := never(name):
            raise ModelFileError(f"{path}: {name!r} {reason}; delete this line")
    return tuple(found)
