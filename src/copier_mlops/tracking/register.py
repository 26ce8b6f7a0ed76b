"""Register the tracked model, or go back to an earlier version."""

import argparse

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from copier_mlops.project import Settings, load_settings, root
from copier_mlops.tracking import lineage, models, server

CARRIED = ("pipeline", "candidate", "git.commit", "git.dirty")


def tracked_run(client: MlflowClient, settings: Settings) -> Run:
    """The run that tracks the pipeline as it is now.

    Raises:
        SystemExit: The pipeline has not run, or its result is not tracked.
    """
    pipeline = lineage.pipeline_hash(root())
    if not pipeline:
        raise SystemExit("register: the pipeline has not run yet: there is no dvc.lock\n  mend: uv run poe train")
    run = server.find_run(client, server.experiment(client, settings).experiment_id, pipeline)
    if run is None or "model.uri" not in run.data.tags:
        raise SystemExit("register: the result in dvc.lock is not tracked\n  mend: uv run poe track")
    return run


def register(client: MlflowClient, settings: Settings, run: Run) -> ModelVersion:
    """The registered version of a run's model, made where there is none yet."""
    known = [each for each in models.versions(client, settings) if each.run_id == run.info.run_id]
    if known:
        return known[-1]
    try:
        client.create_registered_model(settings.model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {name: value for name, value in run.data.tags.items() if name in CARRIED or name.startswith("dvc.md5.")}
    return client.create_model_version(
        settings.model_name,
        source=run.data.tags["model.uri"],
        run_id=run.info.run_id,
        tags={**tags, "sha256": run.data.tags["model.sha256"]},
        model_id=run.data.tags["model.uri"].rpartition("/")[2],
    )


def main(arguments: list[str] | None = None) -> None:
    """Register the tracked model and point the environment's alias at it; the same result is never registered twice."""
    parser = argparse.ArgumentParser(prog="poe register", description=main.__doc__)
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment whose alias moves (default: dev)")
    parser.add_argument("--release", action="store_true", help="register what was promoted; no alias moves")
    options = parser.parse_args(arguments)
    settings = load_settings(options.env)
    client = server.connect(settings)
    if options.release:
        from copier_mlops.release import enter

        enter.main(client, settings)
        return
    run = tracked_run(client, settings)
    try:
        version = register(client, settings, run)
        print(f"register: {models.point(client, settings, version)}")
    except MlflowException as error:
        raise SystemExit(f"register: {settings.tracking_uri} refused: {error}") from None


if __name__ == "__main__":
    main()
