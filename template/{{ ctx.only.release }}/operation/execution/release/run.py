"""What later jobs must know of a tracked run: which model, from which code and data. Managed by the template."""

from mlflow.entities import Run

DATA = "dvc.md5."


def summary(run: Run) -> dict:
    """A tracked run as the document that build/train/run.json holds."""
    tags = run.data.tags
    return {
        "run_id": run.info.run_id,
        "candidate": tags["candidate"],
        "commit": tags["git.commit"],
        "pipeline": tags["pipeline"],
        "data": {name.removeprefix(DATA): md5 for name, md5 in sorted(tags.items()) if name.startswith(DATA)},
        "metrics": run.data.metrics,
        "model_uri": tags["model.uri"],
        "sha256": tags["model.sha256"],
    }
