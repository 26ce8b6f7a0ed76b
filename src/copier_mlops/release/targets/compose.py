"""The target `compose`: the image as a container of docker or podman."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from copier_mlops.command import run, show
from copier_mlops.project import root
from copier_mlops.release import containers
from copier_mlops.release.targets import Deployment
from copier_mlops.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILE = "operation/execution/compose.yaml"


def check(_: Settings) -> None:
    """Accept everything: this target reads only settings, which have types."""


def start(deployment: Deployment) -> None:
    """Replace the running container by one of the package's image.

    Raises:
        SystemExit: It was not built, neither docker nor podman answers, or the container is not healthy within two
            minutes.
    """
    repository, tag = deployment.image()
    found = need_program()
    values = {
        "PROJECT": project(deployment.settings),
        "IMAGE": f"{repository}:{tag}",
        "ENVIRONMENT": deployment.settings.environment,
        "PORT": urlsplit(deployment.url).port or 80,
    }
    variables = deployment.folder / "compose.env"
    variables.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    command = [found, "compose", f"--env-file={variables}", f"--file={root() / FILE}"]
    show("deploy", *command, "up", "--detach", "--wait", "--wait-timeout=120")


def is_running(settings: Settings, _: MlflowClient) -> bool:
    """Return whether the environment has a container on this machine."""
    return bool(run(need_program(), "compose", f"--project-name={project(settings)}", "ps", "--quiet"))


def stop(settings: Settings, _: MlflowClient) -> None:
    """Stop and remove the environment's container."""
    run(need_program(), "compose", f"--project-name={project(settings)}", "down")


def project(settings: Settings) -> str:
    """Return the name of the environment's compose project."""
    return f"{settings.model_name}-{settings.environment}"


def need_program() -> str:
    """Return `docker` or `podman`, whichever answers.

    Raises:
        SystemExit: Neither answers.
    """
    found = containers.find()
    if found is None:
        raise SystemExit("deploy: neither docker nor podman answers\n  fix: start one, or choose another target")
    return found
