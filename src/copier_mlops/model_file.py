"""Read models from skops files without unpickling, and write equal models to equal files, byte for byte."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

# Types of the candidates that skops does not trust by default. A file with any other type is refused.
TRUSTED = ["sklearn.tree._tree.Tree"]


class ModelFileError(ValueError):
    """The model file is missing or damaged, or has a type that is not trusted."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, expected: str) -> None:
    """Check that a file is the expected one.

    Args:
        expected: SHA-256, in hexadecimal.

    Raises:
        ModelFileError: It is missing, or has another SHA-256.
    """
    if not path.is_file():
        raise ModelFileError(f"no model file at {path}")
    if (found := sha256(path)) != expected:
        raise ModelFileError(f"{path} is damaged: its SHA-256 is {found}, expected {expected}")


def save(model: Any, path: Path) -> None:
    """Write a scikit-learn model so that equal models give equal files.

    skops names objects by their memory address and stores the time in its archive. Here both become constants, so that
    the file changes only if the model changes.
    """
    # Imported late: skops and scikit-learn take a second, and a hash needs neither.
    import skops.io  # type: ignore[import-untyped]

    source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    schema = json.loads(source.read("schema.json"))
    numbers: dict[int, int] = {}
    _renumber(schema, numbers)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in source.namelist():
            if name != "schema.json":
                _write(archive, _renamed(name, numbers), source.read(name))
        _write(archive, "schema.json", json.dumps(schema).encode())
    draft.replace(path)


def load(path: Path, sha256_expected: str | None = None) -> Any:
    """Read a model written by `save`.

    Raises:
        ModelFileError: The file is missing, has another SHA-256, cannot be read, or has a type that is not trusted.
    """
    if not path.is_file():
        raise ModelFileError(f"no model file at {path}")
    if sha256_expected:
        check(path, sha256_expected)
    import skops.io

    try:
        return skops.io.load(path, trusted=TRUSTED)
    except Exception as error:  # a damaged archive can fail anywhere inside zipfile, json, numpy or skops
        raise ModelFileError(f"{path} cannot be read as a model: {error}") from error


def _renumber(node: Any, numbers: dict[int, int]) -> None:
    if isinstance(node, dict):
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
        if isinstance(node.get("file"), str):
            node["file"] = _renamed(node["file"], numbers)
        for value in node.values():
            _renumber(value, numbers)
    elif isinstance(node, list):
        for value in node:
            _renumber(value, numbers)


def _renamed(name: str, numbers: dict[int, int]) -> str:
    stem, dot, suffix = name.partition(".")
    return f"{numbers.setdefault(int(stem), len(numbers))}{dot}{suffix}" if stem.isdigit() else name


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # The earliest time that a ZIP archive can store.
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
