"""Collect the code and data of a run, from git and DVC, as tags that trace a prediction back."""

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from copier_mlops.command import CommandError, run

LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops", "mlflow", "dvc")


def git_state(root: Path) -> dict[str, str]:
    """`commit`, `branch` and `dirty` (true or false) of the work tree; all empty if there is no commit."""
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if not commit:
        return {"commit": "", "branch": "", "dirty": ""}
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
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
            hashes[(pointer.parent / out["path"]).relative_to(root).as_posix()] = out["md5"]
    for stage in _yaml(root / "dvc.lock").get("stages", {}).values():
        for file in stage.get("deps", []) + stage.get("outs", []):
            hashes[file["path"]] = file.get("md5", "")
    return hashes


def parameters(root: Path) -> dict[str, object]:
    """Return the parameters of the last run by dotted names, from dvc.lock, as params.yaml may have changed since."""
    stages = _yaml(root / "dvc.lock").get("stages", {}).values()
    used = {name: value for stage in stages for name, value in stage.get("params", {}).get("params.yaml", {}).items()}
    return dict(_flat(used))


def pipeline_hash(root: Path) -> str:
    """Return the SHA-256 of dvc.lock, which identifies the last run; an empty text if nothing ran."""
    lock = root / "dvc.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else ""


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that determine a model."""
    return {name: version(name) for name in LIBRARIES}


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _yaml(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.is_file() else {}


def _git(root: Path, *arguments: str) -> str:
    try:
        return run("git", *arguments, cwd=root)
    except CommandError:
        return ""
