"""The target `kubernetes`: apply the environment's manifests with the package's image, and wait for the rollout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from copier_mlops.command import CommandError, run, show
from copier_mlops.lint import kustomize
from copier_mlops.project import root
from copier_mlops.release import containers
from copier_mlops.release.targets import Deployment
from copier_mlops.settings import Settings, environment_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The manifests, relative to the folder of an environment, and their path in projects of 0.2.0.
MANIFESTS = "../../execution/kubernetes"
OLD_MANIFESTS = "../../execution/release/kubernetes"


def check(settings: Settings) -> None:
    """Check that the manifests can be built.

    Raises:
        SystemExit: They name the place that the shared manifests had in 0.2.0.
    """
    own(settings.environment)


def start(deployment: Deployment) -> None:
    """Apply the manifests and wait until the new pods answer; undo a rollout that fails.

    Raises:
        SystemExit: The image was not built, the manifests moved, kubectl or the cluster refuse, or the pods do not
            become ready.
    """
    folder = str(write(deployment))
    try:
        rendered = list(yaml.safe_load_all(run("kubectl", "kustomize", folder)))
    except CommandError as error:
        fix = "  fix: install kubectl, or correct kustomization.yaml of the environment"
        raise SystemExit(f"deploy: the manifests cannot be built: {error}\n{fix}") from None
    show("deploy", "kubectl", "apply", "--kustomize", folder)
    for each in rendered:
        if each["kind"] == "Deployment":
            place = [f"deployment/{each['metadata']['name']}"]
            if namespace := each["metadata"].get("namespace"):
                place.append(f"--namespace={namespace}")
            try:
                show("deploy", "kubectl", "rollout", "status", *place, "--timeout=180s")
            except SystemExit:
                show("deploy", "kubectl", "rollout", "undo", *place)
                raise


def own(environment: str) -> Path:
    """Return the folder with the manifests of an environment.

    Raises:
        SystemExit: They name the place that the shared manifests had in 0.2.0.
    """
    folder = environment_folder(environment)
    file = folder / "kustomization.yaml"
    if kustomize.old_line(root(), file):
        raise SystemExit(
            f"{file.relative_to(root()).as_posix()} names {OLD_MANIFESTS}, and the manifests are in {MANIFESTS} now\n"
            f"  fix: {kustomize.way_out(root(), file)}"
        )
    return folder


def write(deployment: Deployment) -> Path:
    """Write the manifests of the environment, with the image and the version of the package, to a folder of build/."""
    repository, tag = deployment.image()
    if not containers.is_elsewhere(repository):
        print(f"deploy: {repository} names no registry: the cluster's nodes must have the image already")
    folder = deployment.folder / "kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    base = os.path.relpath(own(deployment.settings.environment), folder)
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [base.replace(os.sep, "/")],
        "images": [{"name": "service", "newName": repository, "newTag": tag}],
        "commonAnnotations": {"model": deployment.package["model"], "model-version": deployment.package["version"]},
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return folder


def is_running(settings: Settings, _: MlflowClient) -> bool:
    """Return whether the cluster has any resource of the environment's manifests."""
    return bool(
        run("kubectl", "get", f"--kustomize={own(settings.environment)}", "--ignore-not-found", "--output=name")
    )


def stop(settings: Settings, _: MlflowClient) -> None:
    """Delete the resources of the environment's manifests."""
    run("kubectl", "delete", f"--kustomize={own(settings.environment)}", "--ignore-not-found", "--wait")
