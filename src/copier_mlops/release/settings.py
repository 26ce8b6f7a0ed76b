"""How a model is released to an environment, read from YAML and the environment, with types.

The values are in release.yaml beside settings.yaml; any can be set by an environment variable, RELEASE_TARGET for
`target`. Managed by the template; the YAML files are yours.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.project import FileSettings, environment_folder


class Gate(BaseModel):
    """When a new model replaces the champion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Annotated[str, Field(description="a metric of the tracked run, by its name in metrics/test.json")]
    direction: Literal["higher", "lower"]
    margin: Annotated[float, Field(ge=0, description="by how much it must be better, in the unit of the metric")]


class ReleaseSettings(FileSettings):
    """What releasing to one environment needs."""

    model_config = SettingsConfigDict(env_prefix="RELEASE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    gate: Gate
    target: Annotated[Literal["local", "compose", "kubernetes"], Field(description="where the service runs")]
    url: Annotated[str, Field(pattern="^https?://", description="where the deployed service answers")]
    image: Annotated[
        str,
        Field(default="", description="repository of the image; all environments run prod's; empty: the model's name"),
    ]


def load(environment: str | None = None) -> ReleaseSettings:
    """How to release to an environment: the given one, that of OPERATION_ENVIRONMENT, or else dev.

    Raises:
        SystemExit: There is no such environment, or its file is wrong; the text says where.
    """
    return ReleaseSettings.read(environment_folder(environment) / "release.yaml")
