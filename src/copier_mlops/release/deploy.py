"""Deploy a packaged version to an environment, then move the environment's alias to that version."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copier_mlops import handover, hosts
from copier_mlops.hosts.gates import gate_of
from copier_mlops.model_file import ModelFileError, check
from copier_mlops.project import root
from copier_mlops.release import approval, context, history, judge, lasting, package, runner
from copier_mlops.release import settings as release
from copier_mlops.release.targets import Deployment, target
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import models, server

if TYPE_CHECKING:
    from mlflow import MlflowClient


def check_context(packaged: dict[str, Any], job: str) -> Path:
    """Return the build context of a package, after a check that neither it nor its model file was changed.

    Raises:
        SystemExit: It is missing or was changed.
    """
    folder = handover.build() / job / "image"
    if not packaged["context"]:
        return folder
    try:
        check(folder / "model" / "model.skops", packaged["sha256"])
    except ModelFileError as error:
        raise SystemExit(
            f"deploy: build/{job}/image does not contain the model of the release: {error}\n  fix: uv run poe package"
        ) from None
    if context.digest(folder) != packaged["context"]:
        raise SystemExit(
            f"deploy: build/{job}/image is damaged or was changed: it is not what package.json names\n"
            "  fix: uv run poe package"
        )
    return folder


def run_service(client: MlflowClient, settings: Settings, packaged: dict[str, Any], job: str) -> str:
    """Run the package on the environment's target, and return the target's name; `alias` if nothing runs.

    Raises:
        SystemExit: The package is damaged, the target cannot run it, or it would end with this machine. The version
            before still runs.
    """
    folder = check_context(packaged, job)
    if context.service() != "online":
        ready = f"; {folder.relative_to(root()).as_posix()} is its batch" if packaged["context"] else ""
        print(f"deploy: the project has no HTTP service; only the alias moves{ready}")
        return "alias"
    lasting.require_lasting(settings.environment)
    goal = release.load(settings.environment)
    runner.prepare(goal.prepare_deploy, "deploy")
    place = handover.folder(f"deploy-{settings.environment}")
    target(goal.target).start(Deployment(settings, goal.url.rstrip("/"), packaged, folder, place, client))
    return goal.target


def deploy(
    client: MlflowClient, settings: Settings, packaged: dict[str, Any], job: str, approved: dict[str, Any] | None
) -> dict[str, Any]:
    """Run a package, move the alias to its version, and record the deployment.

    Returns:
        The content of build/deploy-<environment>/deployment.json.

    Raises:
        SystemExit: The package cannot be run and the alias stays, or the registry refuses.
    """
    from mlflow.exceptions import MlflowException

    version, environment = packaged["version"], settings.environment
    found = models.current(client, settings)
    before = str(found.version) if found else None
    target = run_service(client, settings, packaged, job)
    document = {
        "released": True,
        "environment": environment,
        "target": target,
        "model": packaged["model"],
        "version": version,
        "sha256": packaged["sha256"],
        "md5": packaged.get("md5", ""),
        "image": packaged["image"],
        "before": before,
        "url": release.load(environment).url.rstrip("/"),
        "deployed_at": handover.now(),
        "approval": approved,
        "commit": packaged["commit"],
        "data": hashlib.sha256(json.dumps(packaged["data"], sort_keys=True).encode()).hexdigest(),
    }
    try:
        print(f"deploy: {models.point(client, settings, client.get_model_version(settings.model_name, version))}")
        # The last one is the alias's version before, even if somebody has moved the alias by hand.
        ran = history.versions(client, settings, before)
        history.keep(client, settings, ran if before == version else [*ran, version])
        client.set_model_version_tag(settings.model_name, version, f"deployed.{environment}", json.dumps(document))
    except MlflowException as error:
        raise SystemExit(
            f"deploy: version {version} runs, but the registry could not record it: {error}\n"
            f"  fix: uv run poe deploy --env {environment} again"
        ) from None
    handover.write(f"deploy-{environment}", "deployment", document)
    return document


def allowed(client: MlflowClient, environment: str, version: str) -> dict[str, Any] | None:
    """Return the approval of the deployment, or None if the environment has no gate.

    Raises:
        SystemExit: There is a gate, and nobody has approved this version, or it was judged beside another champion.
    """
    job = f"deploy-{environment}"
    if not gate_of(job):
        return None
    approved = approval.require(job)
    record = handover.read("release", "release")
    if (released := str(record.get("version"))) != version:
        raise SystemExit(f"deploy: the approval is for version {released}, not for {version}")
    judge.require_same_champion(client, record, "deploy")
    return approved


def tags_of(client: MlflowClient, settings: Settings, version: str) -> dict[str, str]:
    """Return the tags of a registered version; none if the registry refuses, as the deployment says itself."""
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_model_version(settings.model_name, version).tags)
    except MlflowException:
        return {}


def main(arguments: list[str] | None = None) -> None:
    """Deploy the package, or a registered version, to an environment."""
    parser = argparse.ArgumentParser(
        prog="poe deploy", description=__doc__, epilog="For example: uv run poe deploy --env stage"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment to deploy to (default: dev)")
    parser.add_argument("--version", help="a registered version, for example 3 (default: the packaged one)")
    parser.add_argument("--check", action="store_true", help="only check that the flow cd can deploy from this machine")
    options = parser.parse_args(arguments)
    if options.check:
        lasting.check()
        return
    settings = load_settings(options.env)
    job, source = f"deploy-{settings.environment}", package.JOB
    packaged = None if options.version else handover.read(package.JOB, "package")
    if packaged and not packaged["released"]:
        handover.write(job, "deployment", {"released": False, "reason": packaged["reason"]})
        print(f"deploy: nothing to release: {packaged['reason']}")
        return
    version = str(packaged["version"] if packaged else options.version)
    client = server.connect(settings)
    approved = allowed(client, settings.environment, version)
    if packaged is None:
        packaged, source = package.of_version(client, settings, version, job), job
    if settings.environment in lasting.stages():
        judge.require_committed(tags_of(client, settings, version), settings.environment, "deploy")
    document = deploy(client, settings, packaged, source, approved)
    approval.use_up(job)
    if document["target"] != "alias":
        hosts.show_service(document["url"], handover.folder(job))


if __name__ == "__main__":
    main()
