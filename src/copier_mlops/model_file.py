"""Read models from skops files without unpickling, and write equal models to equal files, byte for byte."""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from copier_mlops import libraries, model_types
from copier_mlops.model_types import ModelFileError, UntrustedError
from copier_mlops.pipeline.queued import refuse_other_code

__all__ = ["ModelFileError", "check", "load", "save", "sha256"]

# Zeros shrink to a thousandth in an archive. A forest takes about 80 bytes a node: 12 million nodes are allowed.
MOST_BYTES = 1_000_000_000
# JSON takes so many times its size in memory.
TIMES_JSON = 20
# The most names in the text of an error.
MOST_NAMES = 10
# The fix for a model that skops cannot write.
STATE = "  fix: give its class a __getstate__ with only numbers, texts, arrays, lists and dicts, and a __setstate__"


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
    """Write a fitted model so that equal models give equal files, and read it back at once.

    skops names objects by their memory address or at random, and stores the time in its archive. Here these become
    constants, so that the file changes only if the model changes.

    Raises:
        SystemExit: The model has a type that nothing may read, for example one that is not trusted; the text says where
            to allow it. Or DVC runs a queued experiment, with code that is not the queued code.
    """
    refuse_other_code()
    try:
        model_types.trusted()
    except ModelFileError as error:
        raise SystemExit(f"mlops: {error}") from None
    # Imported late: skops and scikit-learn take a second, and a hash needs neither.
    import skops.io  # type: ignore[import-untyped]

    try:
        source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    except Exception as error:  # a model may hold anything, for example an open file
        raise SystemExit(f"mlops: {path} is not written: skops cannot write the model: {error}\n{STATE}") from None
    schema = json.loads(source.read("schema.json"))
    numbers: dict[int | str, int] = {}
    _renumber(schema, numbers)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in source.namelist():
            if name != "schema.json":
                _write(archive, _renamed(name, numbers), source.read(name))
        _write(archive, "schema.json", json.dumps(schema).encode())
    try:
        load(draft, most=sys.maxsize)
    except UntrustedError as error:
        raise SystemExit(f"mlops: {path} is not written: {_how_to_trust(error.types, schema)}") from None
    except ModelFileError as error:
        reason = str(error).removeprefix(f"{draft} ")
        raise SystemExit(f"mlops: {path} is not written: what was written {reason}\n{STATE}") from None
    else:
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


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
        schema = _sized_schema(path, most)
        trusted = model_types.trusted()
        model_types.check(schema)
        return skops.io.load(path, trusted=trusted)
    except ModelFileError:
        raise
    except Exception as error:  # a damaged archive can fail anywhere inside zipfile, json, numpy or skops
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ModelFileError:
    """Return the error for a file that skops did not read: what is not trusted, what is not installed, or the cause."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException  # type: ignore[import-untyped]

    if isinstance(error, UntrustedTypesFoundException):
        types = sorted({*skops.io.get_untrusted_types(file=path)} - {*model_types.trusted()})
        more = ", …" if len(types) > MOST_NAMES else ""
        return UntrustedError(f"{path} has types that are not trusted: {', '.join(types[:MOST_NAMES])}{more}", types)
    if isinstance(error, ImportError | OSError):
        packages = libraries.debian(libraries.of_model(path)) if isinstance(error, OSError) else []
        hint = f"; on Debian and Ubuntu, install {', '.join(packages)}" if packages else ""
        return ModelFileError(f"{path} needs a library that cannot be imported: {error}{hint}")
    return ModelFileError(f"{path} cannot be read as a model: {error}")


def _how_to_trust(types: list[str], schema: Any) -> str:
    """Return why a model was not written that has types which are not trusted, and a fix."""
    calls = {use.path for use in model_types.uses(schema) if not model_types.is_state(use)}
    for name in types:
        reason = model_types.never(name) or (name in calls and "is code of a library, which no file may choose")
        if reason:
            fix = f"put {name.rpartition('.')[2]}, or a function of yours that calls it, into a module of src"
            return f"{name} {reason}\n  fix: {fix}, and import it there"
    lines = "\n".join(f"- {name}" for name in types)
    return (
        f"nothing that reads it trusts {', '.join(types)}\n"
        f"  fix: if you know that code, add these lines to {model_types.place()}:\n{lines}"
    )


def _sized_schema(path: Path, most: int) -> Any:
    """Return the schema of an archive, and refuse one that would take too much memory; nothing else of it is read.

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
        schema = json.loads(archive.read("schema.json"))
        _collect(schema, named)
        _refuse_over(most, path, sum(sizes.get(name, 0) for name in named.values()))
        return schema


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


def _renumber(node: Any, numbers: dict[int | str, int]) -> None:
    if isinstance(node, dict):
        # A vectorizer of texts notes the memory address of its stop words, so as to check them once.
        if isinstance(node.get("_stop_words_id"), dict):
            node["_stop_words_id"]["content"] = "0"
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
        if isinstance(node.get("file"), str):
            node["file"] = _renamed(node["file"], numbers)
        for value in node.values():
            _renumber(value, numbers)
    elif isinstance(node, list):
        for value in node:
            _renumber(value, numbers)


def _renamed(name: str, numbers: dict[int | str, int]) -> str:
    """Return a file's name with the number of its object; some names are addresses, others are random."""
    stem, dot, suffix = name.partition(".")
    return f"{numbers.setdefault(int(stem) if stem.isdigit() else stem, len(numbers))}{dot}{suffix}"


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # The earliest time that a ZIP archive can store.
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
