"""The settings of releases, read from YAML and environment variables, with types.

The values are in release.yaml, beside settings.yaml. Variables override them, for example RELEASE_TARGET.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.settings import FileSettings, environment_folder


class Gate(BaseModel):
    """The condition on which a new model replaces the champion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Annotated[str, Field(description="a metric of metrics/test.json, for example roc_auc")]
    direction: Annotated[Literal["higher", "lower"], Field(description="which value of the metric is better")]
    margin: Annotated[float, Field(ge=0, description="least difference by which it must be better, for example 0.01")]


class ReleaseSettings(FileSettings):
    """The settings of releases to one environment."""

    model_config = SettingsConfigDict(env_prefix="RELEASE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    gate: Gate
    target: Annotated[Literal["local", "compose", "kubernetes"], Field(description="where the service runs")]
    url: Annotated[
        str,
        Field(
            pattern="^https?://", description="where the deployed service answers, for example http://127.0.0.1:8080"
        ),
    ]
    outlives_job: Annotated[
        bool,
        Field(
            default=False,
            description="what a CI job starts stays when the job ends: its runner is the server itself, not in a "
            "container; only for local and compose",
        ),
    ]
    uncommitted: Annotated[
        bool,
        Field(
            default=False,
            description="models that were trained from uncommitted code may come here; for the job judge that of prod",
        ),
    ]
    prepare_package: Annotated[
        list[str],
        Field(
            default=[],
            description="commands that only a CI machine runs, before it builds the image: it installs docker or "
            "podman, and logs in to the registry; for all environments those of prod",
        ),
    ]
    prepare_deploy: Annotated[
        list[str],
        Field(
            default=[],
            description="commands that only a CI machine runs, before it deploys, plans or applies: it installs "
            "kubectl, and logs in to the cluster",
        ),
    ]
    image: Annotated[
        str,
        Field(
            default="",
            description="repository of the image, for all environments that of prod; empty: the model's name",
        ),
    ]

    image_groups: Annotated[
        list[str],
        Field(
            default=[],
            description="groups of pyproject.toml that the image gets beside `dependencies`, for example cpu; for all "
            "environments those of prod",
        ),
    ]


def load(environment: str | None = None) -> ReleaseSettings:
    """Return the settings of releases to an environment (default: OPERATION_ENVIRONMENT, or dev).

    Raises:
        SystemExit: There is no such environment, or its file is wrong; the text says where.
    """
    return ReleaseSettings.read(environment_folder(environment) / "release.yaml")
