"""The model registry: which version an alias points at, and the predictor behind it."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copier_mlops import serving
from copier_mlops.model_file import ModelFileError, check
from copier_mlops.project import root
from copier_mlops.settings import Settings, environments, load_settings
from copier_mlops.tracking import lineage, server
from copier_mlops.tracking.mlflow_model import FILE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from copier_mlops.serving import Predictor


def current(client: MlflowClient, settings: Settings) -> ModelVersion | None:
    """Return the version that the environment's alias points at, or None before the first registration."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(settings.model_name, settings.model_alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise server.TrackingError(f"registry: {error}") from None


def figures(client: MlflowClient, version: ModelVersion | None) -> dict[str, float]:
    """Return the metrics of the run that a version comes from, by their names; none without a version or a run."""
    return dict(client.get_run(str(version.run_id)).data.metrics) if version and version.run_id else {}


def versions(client: MlflowClient, settings: Settings) -> list[ModelVersion]:
    """Return all versions of this project's model, the oldest first."""
    found = client.search_model_versions(f"name = '{settings.model_name}'")
    return sorted(found, key=lambda version: int(version.version))


def point(client: MlflowClient, settings: Settings, version: ModelVersion) -> str:
    """Move the environment's alias to a version, and return a sentence about the move."""
    before = current(client, settings)
    client.set_registered_model_alias(settings.model_name, settings.model_alias, version.version)
    was = f" (was version {before.version})" if before and before.version != version.version else ""
    return f"{settings.model_name}@{settings.model_alias} is version {version.version}{was}"


def fetch(uri: str, sha256: str) -> Path:
    """Download the file of a logged or registered model, and check its hash.

    Args:
        uri: MLflow's name of the model, `models:/NAME/VERSION` or `models:/ID`.
        sha256: The expected SHA-256 of the file, in hexadecimal.

    Raises:
        ModelFileError: It cannot be downloaded, or is another file.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        file = Path(mlflow.artifacts.download_artifacts(uri)) / FILE
    except (OSError, MlflowException) as error:
        raise ModelFileError(f"{uri} cannot be downloaded: {error}") from None
    check(file, sha256)
    return file


def predictor(settings: Settings) -> Predictor:
    """Return the model of the environment's alias, after a check of its registered SHA-256.

    Raises:
        SystemExit: The server does not answer, or the model is not registered, missing, damaged or not trusted.
    """
    version = current(server.connect(settings), settings)
    if version is None:
        raise SystemExit(
            f"registry: {settings.model_name} has no version at alias {settings.model_alias}\n"
            f"  fix: uv run poe train, then uv run poe register --env {settings.environment}"
        )
    number, sha256 = str(version.version), version.tags.get("sha256", "unknown")
    try:
        return serving.load(fetch(f"models:/{settings.model_name}/{number}", sha256), number, sha256)
    except ValueError as error:
        raise SystemExit(
            f"registry: version {number} of {settings.model_name} cannot be used: {error}\n"
            f"  fix: uv run poe rollback --env {settings.environment}, or register the model again"
        ) from None


def about(version: ModelVersion) -> dict[str, object]:
    """Return a version with its lineage: run, commit, model file, and data by path and MD5."""
    return {
        "version": str(version.version),
        "registered": datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        "run": version.run_id,
        "commit": version.tags.get("git.commit", ""),
        "sha256": version.tags.get("sha256", ""),
        "md5": version.tags.get("md5", ""),
        "data": lineage.data_of(version.tags),
        "deployed": sorted(name for name in environments() if f"deployed.{name}" in version.tags),
    }


def overview() -> dict[str, Any]:
    """Return all versions, the version of each environment's alias, and the run of the current pipeline.

    Raises:
        SystemExit: A server does not answer, or a setting is wrong.
    """
    settings = load_settings("dev")
    client = server.connect(settings)
    run = server.find_run(client, server.experiment(client, settings).experiment_id, lineage.pipeline_hash(root()))
    aliases = {}
    for name in environments():
        each = load_settings(name)
        version = current(server.connect(each), each)
        aliases[name] = {"alias": each.model_alias, "version": version and str(version.version)}
    return {
        "model": settings.model_name,
        "run": run and run.info.run_id,
        "environments": aliases,
        "versions": [about(version) for version in versions(client, settings)],
    }


def main(arguments: list[str] | None = None) -> None:
    """List the versions of the model, and the environments' aliases that point at them."""
    parser = argparse.ArgumentParser(
        prog="poe models", description=main.__doc__, epilog="For example: uv run poe models --json"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    found = overview()
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['model']}: the run of the pipeline as it is now is {found['run'] or 'not there: uv run poe train'}")
    for name, each in found["environments"].items():
        print(f"{name:>5}: {each['alias']} is {'version ' + each['version'] if each['version'] else 'no version yet'}")
    for each in found["versions"]:
        commit, where = each["commit"][:7] or "none", ", ".join(each["deployed"]) or "nowhere"
        print(f"version {each['version']}: registered {each['registered']}, commit {commit}, deployed to: {where}")


if __name__ == "__main__":
    main()
