"""What an environment runs and ran before, kept as tags of the registered model: every machine sees the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from copier_mlops.project import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

# So many fit into a tag, and more would.
KEPT = 20


def _read(client: MlflowClient, settings: Settings, name: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        tags = client.get_registered_model(settings.model_name).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None  # nothing was registered yet
    return json.loads(tags.get(f"{name}.{settings.environment}", "null"))


def _write(client: MlflowClient, settings: Settings, name: str, document: object) -> None:
    text = json.dumps(document)
    client.set_registered_model_tag(settings.model_name, f"{name}.{settings.environment}", text)


def versions(client: MlflowClient, settings: Settings, now: str | None) -> list[str]:
    """Return the versions that the environment ran, one after the other; the last is `now`, where its alias points."""
    found = [str(each) for each in _read(client, settings, "deployed") or []]
    if now and found[-1:] != [now]:
        found.append(now)  # somebody has moved the alias by hand
    return found


def keep(client: MlflowClient, settings: Settings, found: list[str]) -> None:
    """Remember the versions that the environment ran."""
    _write(client, settings, "deployed", found[-KEPT:])


def service(client: MlflowClient, settings: Settings) -> dict[str, Any] | None:
    """Return the process that serves the environment, as its target has described it; None if there is none."""
    found: dict[str, Any] | None = _read(client, settings, "service")
    return found


def keep_service(client: MlflowClient, settings: Settings, document: dict[str, Any] | None) -> None:
    """Remember the process that serves the environment."""
    _write(client, settings, "service", document)
