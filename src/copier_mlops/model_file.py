"""Read models from skops files without unpickling, and write equal models to equal files, byte for byte."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from copier_mlops.pipeline.queued import refuse_other_code

# Types of the candidates that skops does not trust by default. A file with any other type is refused.
TRUSTED = ["sklearn.tree._tree.Tree"]
# Zeros shrink to a thousandth in an archive. A forest takes about 80 bytes a node: 12 million nodes are allowed.
MOST_BYTES = 1_000_000_000
# JSON takes so many times its size in memory.
TIMES_JSON = 20


class ModelFileError(ValueError):
    """The model file is missing, damaged or too large, or has a type that is not trusted."""


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

    Raises:
        SystemExit: DVC runs a queued experiment, with code that is not the queued code.
    """
    refuse_other_code()
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


def load(path: Path, sha256_expected: str | None = None, most: int = MOST_BYTES) -> Any:
    """Read a model written by `save`.

    Args:
        sha256_expected: In hexadecimal.
        most: Bytes that the archive may unpack to.

    Raises:
        ModelFileError: The file is missing, has another SHA-256, cannot be read, unpacks to more than `most` bytes, or
            has a type that is not trusted.
    """
    if not path.is_file():
        raise ModelFileError(f"no model file at {path}")
    if sha256_expected:
        check(path, sha256_expected)
    import skops.io

    try:
        _check_size(path, most)
        return skops.io.load(path, trusted=TRUSTED)
    except ModelFileError:
        raise
    except Exception as error:  # a damaged archive can fail anywhere inside zipfile, json, numpy or skops
        raise ModelFileError(f"{path} cannot be read as a model: {error}") from error


def _check_size(path: Path, most: int) -> None:
    """Refuse an archive that would take too much memory; of its content, only what says so is read.

    Raises:
        ModelFileError: It unpacks to more than `most` bytes.
    """
    with zipfile.ZipFile(path) as archive:
        sizes = _sizes(archive)
        _refuse_over(most, path, sum(sizes.values()))
        for name in sizes:
            # A sparse matrix is an archive in the archive.
            if name.endswith(".npz"):
                with archive.open(name) as file, zipfile.ZipFile(io.BytesIO(file.read())) as inner:
                    sizes[name] += sum(_sizes(inner).values())
        _refuse_over(most, path, sum(sizes.values()))
        # One file may be named many times, and is then read as often.
        named: dict[object, str] = {}
        _collect(json.loads(archive.read("schema.json")), named)
        _refuse_over(most, path, sum(sizes.get(name, 0) for name in named.values()))


def _sizes(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return the bytes of each file of an archive, as they are in memory; zipfile never unpacks more than it says."""
    sizes: dict[str, int] = {}
    for each in archive.infolist():
        times = TIMES_JSON if each.filename.endswith(".json") else 1
        sizes[each.filename] = sizes.get(each.filename, 0) + each.file_size * times
    return sizes


def _refuse_over(most: int, path: Path, size: int) -> None:
    if size > most:
        raise ModelFileError(
            f"{path} needs {size:,} bytes of memory when it is unpacked, more than the {most:,} allowed"
        )


def _collect(node: Any, named: dict[object, str]) -> None:
    """Find the file that each object of a schema names; skops reads one object once."""
    if isinstance(node, dict):
        if isinstance(node.get("file"), str):
            named[node.get("__id__", len(named))] = node["file"]
        for value in node.values():
            _collect(value, named)
    elif isinstance(node, list):
        for value in node:
            _collect(value, named)


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
