"""Collect the code and data of a run, from git and DVC, as tags that trace a prediction back."""

import hashlib
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from copier_mlops import libraries
from copier_mlops.command import CommandError, run
from copier_mlops.registry import load_yaml

# Before the path of a file, in the name of the tag that has its MD5.
DATA = "dvc.md5."
# The files that decide a model.
SOURCES = ("data", "src", "dvc.yaml", "params.yaml", "pyproject.toml", "uv.lock")
# Those of them that count before git knows them: a raw file may lie beside its pointer.
NEW_SOURCES = ("src", "data/*.dvc", "dvc.yaml", "params.yaml")
# Those of every run.
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops", "mlflow", "dvc")


def git_state(root: Path) -> dict[str, str]:
    """`commit`, `branch` and `dirty` (true or false) of the files that decide a model; empty before the first commit.

    The run itself writes the outputs of its stages, and lines of `.gitignore`: these do not count.
    """
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if not commit:
        return {"commit": "", "branch": "", "dirty": ""}
    outs = [out["path"] for stage in _stages(root) for out in stage.get("outs", [])]
    others = [":(exclude,glob)**/.gitignore", *(f":(exclude,literal){path}" for path in outs)]
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *SOURCES, *others)
    changed += _git(root, "ls-files", "--others", "--exclude-standard", "--", *NEW_SOURCES, *others)
    return {
        "commit": commit,
        "branch": _git(root, "rev-parse", "--abbrev-ref", "HEAD"),
        "dirty": "true" if changed else "false",
    }


def dvc_hashes(root: Path) -> dict[str, str]:
    """Return the MD5 of every file of DVC, by its path, from `*.dvc` files and from the last run."""
    hashes = {}
    for pointer in sorted((root / "data").rglob("*.dvc")):
        for out in _yaml(pointer).get("outs", []):
            # A file that DVC only points at, as after `dvc import-url --no-download`, has no MD5.
            hashes[(pointer.parent / out["path"]).relative_to(root).as_posix()] = out.get("md5", "")
    for stage in _stages(root):
        for file in stage.get("deps", []) + stage.get("outs", []):
            hashes[file["path"]] = file.get("md5", "")
    return hashes


def parameters(root: Path) -> dict[str, object]:
    """Return the parameters of the last run by dotted names, from dvc.lock, as their files may have changed since.

    Those of another file than params.yaml have its path before them, for example `conf/model.yaml:dropout`.
    """
    found: dict[str, object] = {}
    for stage in _stages(root):
        for file, used in stage.get("params", {}).items():
            prefix = "" if file == "params.yaml" else f"{file}:"
            found |= {f"{prefix}{name}": value for name, value in flat(used)}
    return found


def as_name(text: str) -> str:
    """Return a text as a name that MLflow takes: other characters become their code, for example `=` becomes `:3d:`."""
    return re.sub(r"[^\w./ -]", lambda found: f":{ord(found[0]):x}:", text)


def from_name(name: str) -> str:
    """Return the text of which `as_name` made a name."""
    return re.sub(r":([0-9a-f]+):", lambda found: chr(int(found[1], 16)), name)


def data_of(tags: dict[str, str]) -> dict[str, str]:
    """Return the MD5 of each file of data by its path, from the tags of a run or a version."""
    return {from_name(name.removeprefix(DATA)): md5 for name, md5 in sorted(tags.items()) if name.startswith(DATA)}


def pipeline_hash(root: Path) -> str:
    """Return the SHA-256 of dvc.lock, which identifies the last run; an empty text if nothing ran."""
    lock = root / "dvc.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else ""


def library_versions(model: Path) -> dict[str, str]:
    """Return the installed versions of the libraries that determine a model: those of every run, and those it needs."""
    return {name: version(name) for name in LIBRARIES} | libraries.of_model(model)


def flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values of a document by dotted names; a list is one value."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _stages(root: Path) -> list[dict[str, Any]]:
    """Return the stages of the last run, as dvc.lock has them."""
    return list(_yaml(root / "dvc.lock").get("stages", {}).values())


def _yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return load_yaml(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        text = path.read_text(encoding="utf-8", errors="replace")
        conflict = re.search("^<{7} ", text, re.MULTILINE)
        reason = "has conflict markers" if conflict else f"cannot be read: {' '.join(str(error).split())}"
        fix = "take one side, for example: git checkout --ours FILE" if conflict else "git restore FILE"
        raise SystemExit(
            f"mlops: {path.name} {reason}\n  fix: {fix.replace('FILE', path.name)}, then: uv run poe train"
        ) from None


def _git(root: Path, *arguments: str) -> str:
    try:
        return run("git", *arguments, cwd=root)
    except CommandError:
        return ""
