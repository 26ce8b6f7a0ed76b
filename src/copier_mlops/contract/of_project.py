"""The contract of the project at hand: `contract.yaml` of the team's package, or `schema.py` of an older project."""

from __future__ import annotations

import functools
from pathlib import Path

from copier_mlops.contract.contract import Contract, ContractError, read
from copier_mlops.project import CONTRACT, team, team_folder


def of_project() -> Contract:
    """Return the contract of the project around the working directory.

    Raises:
        SystemExit: The team's package has no contract, or one that cannot be used.
    """
    from copier_mlops.contract.legacy import from_module, has_schema

    if has_schema():
        return from_module(team("schema"))
    return _at(team_folder() / CONTRACT)


def beside(module: str) -> Contract:
    """Return the contract in the folder of a module: `beside(__file__)`.

    Raises:
        SystemExit: The file is missing or cannot be used.
    """
    return _at(Path(module).with_name(CONTRACT))


def _at(path: Path) -> Contract:
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@functools.cache
def _read(path: Path, _: int) -> Contract:
    try:
        return read(path)
    except ContractError as error:
        raise SystemExit(f"contract: {error}") from None
