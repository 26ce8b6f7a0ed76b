"""The code of a run for Azure ML: the files of its commit in a folder, which Azure's client uploads."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from copier_mlops.pipeline import snapshot
from copier_mlops.pipeline.engines import EngineError
from copier_mlops.pipeline.engines.azureml_job import SETTINGS
from copier_mlops.pipeline.plan import Plan

# Azure's client takes it for .gitignore, which may name files that git has.
IGNORED = ".amlignore"


@contextmanager
def of(plan: Plan, shared_folder: str) -> Iterator[Path]:
    """Give a folder with the files of the commit, until the block ends.

    Args:
        plan: What runs.
        shared_folder: A folder that each node sees at the same path; empty if there is none.

    Raises:
        EngineError: A node would not reach the data remote, or a link leaves the project.
        PipelineError: Git cannot read the commit, or DVC the project.
    """
    remote = _folder_of_remote(plan, shared_folder)
    with tempfile.TemporaryDirectory(prefix="mlops-") as place:
        folder = Path(place).resolve() / plan.project  # a name that stays, since Azure makes it part of the address
        snapshot.export(plan.folder, plan.commit, folder)
        _check_links(folder)
        (folder / IGNORED).touch()
        if remote:
            _name(folder / ".dvc" / "config.local", *remote)
        yield folder


def _folder_of_remote(plan: Plan, shared_folder: str) -> tuple[str, str]:
    """Return the name and the folder of the data remote if it is one; nothing for an object store.

    Raises:
        EngineError: It is not below the shared folder.
    """
    from copier_mlops.pipeline.apart import opened

    with opened(plan.folder) as repo:
        remote = repo.cloud.get_remote(command="train")
        name, path, is_folder = remote.name, remote.path, remote.fs.protocol == "local"
    if not is_folder:
        return "", ""
    if not shared_folder or not Path(path).resolve().is_relative_to(Path(shared_folder).resolve()):
        raise EngineError(
            f"the data remote is the folder {path}, which the nodes of Azure ML do not reach\n"
            f"  fix: take an object store, for example azure://data/churn; or set shared_folder in {SETTINGS}"
        )
    return name, str(Path(path).resolve())


def _check_links(folder: Path) -> None:
    """Refuse a link to a file outside, which Azure's client would follow."""
    for each in folder.rglob("*"):
        if each.is_symlink() and not each.resolve().is_relative_to(folder):
            raise EngineError(
                f"{each.relative_to(folder).as_posix()} is a link to a file outside of the project\n"
                "  fix: put a copy of the file in its place"
            )


def _name(config: Path, remote: str, path: str) -> None:
    """Let DVC in the copy find the data remote from any folder."""
    config.parent.mkdir(exist_ok=True)
    config.write_text(f"['remote \"{remote}\"']\n    url = {json.dumps(path, ensure_ascii=False)}\n", encoding="utf-8")
