"""Register the tracked model and point an environment's alias at it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from copier_mlops.model_file import ModelFileError
from copier_mlops.project import root
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import lineage, models, server

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

CARRIED = ("pipeline", "candidate", "git.commit", "git.dirty")


def tracked_run(client: MlflowClient, settings: Settings) -> Run:
    """Return the run that tracks the current state of the pipeline.

    Raises:
        SystemExit: The pipeline has not run, or its result is not tracked.
    """
    pipeline = lineage.pipeline_hash(root())
    if not pipeline:
        raise SystemExit("register: the pipeline has not run yet: there is no dvc.lock\n  fix: uv run poe train")
    run = server.find_run(client, server.experiment(client, settings).experiment_id, pipeline)
    if run is None or "model.uri" not in run.data.tags:
        raise SystemExit("register: the result in dvc.lock is not tracked\n  fix: uv run poe track")
    return run


def register(client: MlflowClient, settings: Settings, run: Run) -> ModelVersion:
    """Return the registered version of a run's model, and register it if there is none yet.

    Raises:
        SystemExit: The model file of the run is not the one that was tracked.
    """
    from mlflow.exceptions import MlflowException

    uri, sha256 = run.data.tags["model.uri"], run.data.tags["model.sha256"]
    try:
        models.fetch(uri, sha256)
    except ModelFileError as error:
        raise SystemExit(
            f"register: the model of run {run.info.run_id} cannot be used: {error}\n"
            f"  fix: uv run mlflow runs delete --run-id {run.info.run_id} && uv run poe track"
        ) from None
    known = [each for each in models.versions(client, settings) if each.run_id == run.info.run_id]
    if known:
        return known[-1]
    try:
        client.create_registered_model(settings.model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {name: value for name, value in run.data.tags.items() if name in CARRIED or name.startswith("dvc.md5.")}
    if md5 := run.data.tags.get("model.md5"):
        tags["md5"] = md5
    return client.create_model_version(
        settings.model_name,
        source=uri,
        run_id=run.info.run_id,
        tags={**tags, "sha256": sha256},
        model_id=uri.rpartition("/")[2],
    )


def main(arguments: list[str] | None = None) -> None:
    """Register the tracked model, unless it is registered already, and point the environment's alias at it."""
    parser = argparse.ArgumentParser(
        prog="poe register", description=main.__doc__, epilog="For example: uv run poe register --env dev"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment whose alias moves (default: dev)")
    options = parser.parse_args(arguments)
    settings = load_settings(options.env)
    client = server.connect(settings)
    from mlflow.exceptions import MlflowException

    run = tracked_run(client, settings)
    try:
        version = register(client, settings, run)
        print(f"register: {models.point(client, settings, version)}")
    except MlflowException as error:
        raise SystemExit(f"register: {settings.tracking_uri} refused: {error}") from None


if __name__ == "__main__":
    main()
