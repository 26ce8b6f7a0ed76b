"""The last run that this machine tracked: `build/train/run.json`, which later jobs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from copier_mlops import handover
from copier_mlops.address import redacted
from copier_mlops.project import root
from copier_mlops.settings import load_settings, sqlite_file
from copier_mlops.tracking import lineage

if TYPE_CHECKING:
    from mlflow.entities import Run


def write(run: Run) -> None:
    """Write what later jobs, and a training with nothing to do, know of a tracked run."""
    tags = run.data.tags
    document = {
        "run_id": run.info.run_id,
        "candidate": tags["candidate"],
        "commit": tags["git.commit"],
        "dirty": tags["git.dirty"],
        "pipeline": tags["pipeline"],
        "data": lineage.data_of(tags),
        "metrics": run.data.metrics,
        "model_uri": tags["model.uri"],
        "sha256": tags["model.sha256"],
        # A run of 0.2.0 has none: its model was written again, and is not the file of dvc.lock.
        "md5": tags.get("model.md5", ""),
        "tracked_at": _place(),
    }
    handover.write("train", "run", document)


def of_result() -> str:
    """Return the id of the last run if it tracked the result that is here, where the settings say now.

    It is empty if that run was of code without a commit, since `poe track` may know the commit by now.
    """
    try:
        known: dict[str, Any] = handover.read("train", "run")
    except SystemExit:
        return ""
    file = sqlite_file(load_settings().tracking_uri)
    is_this = known.get("pipeline") == lineage.pipeline_hash(root()) and known.get("tracked_at") == _place()
    is_kept = known.get("dirty") != "true" and (file is None or file.is_file())
    return str(known.get("run_id", "")) if is_this and is_kept else ""


def _place() -> str:
    """Return the tracking server and the experiment, without what a login has."""
    settings = load_settings()
    return f"{redacted(settings.tracking_uri)} {settings.experiment}"
