"""Find the raw data of a project, whatever its files are called: those that DVC's pointers in `data/raw` name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from copier_mlops.release.runner import ci_variable

if TYPE_CHECKING:
    from copier_mlops.contract.contract import Contract

FOLDER = Path("data", "raw")


def raw_data(root: Path) -> list[Path]:
    """Return the files and folders that the pointers in `data/raw` name, by name; some may not be on this machine."""
    found = []
    for pointer in sorted((root / FOLDER).rglob("*.dvc")):
        document = yaml.safe_load(pointer.read_text(encoding="utf-8")) or {}
        found += [pointer.parent / each["path"] for each in document.get("outs", ())]
    return found


def inputs(pipeline: str | None) -> list[str]:
    """Return the files and folders in `data/raw` that stages of dvc.yaml read, each once, in the order of the stages.

    Args:
        pipeline: The text of dvc.yaml; anything that is not a pipeline reads nothing.
    """
    try:
        stages = yaml.safe_load(pipeline or "").get("stages").values()
    except (yaml.YAMLError, AttributeError):  # not YAML, or not the form of a pipeline
        return []
    deps = [dep for stage in stages if isinstance(stage, dict) for dep in stage.get("deps") or ()]
    return list(dict.fromkeys(dep for dep in deps if isinstance(dep, str) and dep.startswith(f"{FOLDER.as_posix()}/")))


def is_known(name: str, root: Path) -> bool:
    """Return whether raw data is on this machine, or has a pointer of DVC."""
    return (root / name).exists() or (root / f"{name}.dvc").is_file()


def to_check(root: Path, contract: Contract) -> list[Path]:
    """Return the raw data of a contract on this machine: files with its target. A CI machine may have no data.

    Raises:
        AssertionError: No pointer names raw data, or none that is here has the target; the text has the fix.
    """
    named = raw_data(root)
    if not named:
        raise AssertionError(f"{FOLDER.as_posix()} has no raw data\n  fix: uv run dvc add {FOLDER.as_posix()}/FILE")
    here = [path for path in named if path.exists()]
    found = [path for path in here if _has(path, contract.target.name)]
    if not found and (here or not ci_variable()):
        listed = ", ".join(path.relative_to(root).as_posix() for path in here or named)
        if here:
            raise AssertionError(f"no raw data has the target {contract.target.name!r}: {listed}\n  fix: the contract")
        raise AssertionError(f"no raw data is here: {listed}\n  fix: uv run dvc pull")
    return found


def _has(path: Path, column: str) -> bool:
    """Return whether a file has a column; other files, for example documents, have none."""
    from copier_mlops.contract.dialect import DataError
    from copier_mlops.contract.files import open_source

    try:
        return column in open_source(path).names
    except DataError:
        return False
