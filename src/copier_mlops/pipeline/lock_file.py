"""dvc.lock, read and changed as DVC writes it: a new entry comes last, and one that is known keeps its place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dvc.utils.serialize import load_yaml, modify_yaml  # type: ignore[import-untyped]


def entries(file: Path) -> dict[str, Any]:
    """Return the entries of the stages by their names, in their order; none if the file is missing."""
    return (load_yaml(file).get("stages") or {}) if file.exists() else {}


def of(stage: Any) -> Path:
    """Return the file that has the entry of a stage of DVC: the dvc.lock beside its dvc.yaml."""
    return Path(stage.path).with_name("dvc.lock")


def add(file: Path, new: dict[str, Any]) -> None:
    """Write the entries of stages, by their names, in the place of those that are there."""
    with modify_yaml(str(file)) as lock:
        lock.setdefault("schema", "2.0")
        lock.setdefault("stages", {}).update(new)


def put_in_order(file: Path, order: Iterable[str], before: Iterable[str]) -> None:
    """Put the entries that are not of `before` into an order, behind the others."""
    found, old = list(entries(file)), set(before)
    new = [name for name in order if name in found and name not in old]
    if [name for name in found if name in new] != new:
        with modify_yaml(file) as lock:
            for name in new:
                lock["stages"][name] = lock["stages"].pop(name)
