"""Register the tracked model, or go back to an earlier version. Managed by the template."""

import argparse

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from operation.configuration.settings import ROOT, Settings, load
from operation.execution import lineage, registry, tracking

CARRIED = ("pipeline", "candidate", "git.commit", "git.dirty")


def tracked_run(client: MlflowClient, settings: Settings) -> Run:
    """The run that tracks the pipeline as it is now.

    Raises:
        SystemExit: The pipeline has not run, or its result is not tracked.
    """
    pipeline = lineage.pipeline_hash(ROOT)
    if not pipeline:
        raise SystemExit("register: the pipeline has not run yet: there is no dvc.lock\n  mend: uv run poe train")
    run = tracking.find_run(client, tracking.experiment(client, settings).experiment_id, pipeline)
    if run is None or "model.uri" not in run.data.tags:
        raise SystemExit("register: the result in dvc.lock is not tracked\n  mend: uv run poe track")
    return run


def register(client: MlflowClient, settings: Settings, run: Run) -> ModelVersion:
    """The registered version of a run's model, made where there is none yet."""
    known = [each for each in registry.versions(client, settings) if each.run_id == run.info.run_id]
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
    parser.add_argument("--env", choices=["dev", "stage", "prod"], help="environment whose alias moves (default: dev)")
    options = parser.parse_args(arguments)
    settings = load(options.env)
    client = tracking.connect(settings)
    run = tracked_run(client, settings)
    try:
        version = register(client, settings, run)
        print(f"register: {registry.point(client, settings, version)}")
    except MlflowException as error:
        raise SystemExit(f"register: {settings.tracking_uri} refused: {error}") from None


def rollback(arguments: list[str] | None = None) -> None:
    """Point the environment's alias at an earlier version of the model."""
    parser = argparse.ArgumentParser(prog="poe rollback", description=rollback.__doc__)
    parser.add_argument("--env", choices=["dev", "stage", "prod"], help="environment whose alias moves (default: dev)")
    parser.add_argument("--to", type=int, metavar="VERSION", help="version to go to (default: the one before)")
    options = parser.parse_args(arguments)
    settings = load(options.env)
    client = tracking.connect(settings)
    versions = {int(each.version): each for each in registry.versions(client, settings)}
    now = registry.current(client, settings)
    if now is None:
        raise SystemExit(f"rollback: {settings.model_name} has no version at alias {settings.model_alias}")
    earlier = [number for number in versions if number < int(now.version)]
    if options.to is None and not earlier:
        raise SystemExit(f"rollback: version {now.version} is the first; there is none to go back to")
    target = options.to if options.to is not None else max(earlier)
    if target not in versions:
        raise SystemExit(f"rollback: no version {target}; there are {', '.join(map(str, versions))}")
    print(f"rollback: {registry.point(client, settings, versions[target])}")


if __name__ == "__main__":
    main()
