"""Store the history of an environment in tags of the registered model, so that every machine sees the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from copier_mlops.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

# This many fit into a tag.
KEPT = 20


def _read(client: MlflowClient, settings: Settings, name: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        tags = client.get_registered_model(settings.model_name).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None  # nothing is registered yet
    return json.loads(tags.get(f"{name}.{settings.environment}", "null"))


def _write(client: MlflowClient, settings: Settings, name: str, document: object) -> None:
    text = json.dumps(document)
    client.set_registered_model_tag(settings.model_name, f"{name}.{settings.environment}", text)


def versions(client: MlflowClient, settings: Settings, now: str | None) -> list[str]:
    """Return the versions that the environment ran, in order; the last is `now`, the version of its alias."""
    found = [str(each) for each in _read(client, settings, "deployed") or []]
    if now and found[-1:] != [now]:
        found.append(now)  # the alias was moved by hand
    return found


def keep(client: MlflowClient, settings: Settings, found: list[str]) -> None:
    """Store the versions that the environment ran."""
    _write(client, settings, "deployed", found[-KEPT:])


def service(client: MlflowClient, settings: Settings) -> dict[str, Any] | None:
    """Return the target's description of the process that serves the environment, or None."""
    found: dict[str, Any] | None = _read(client, settings, "service")
    return found


def keep_service(client: MlflowClient, settings: Settings, document: dict[str, Any] | None) -> None:
    """Store the description of the process that serves the environment."""
    _write(client, settings, "service", document)
