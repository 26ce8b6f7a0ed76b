"""The settings of monitoring, read from YAML and environment variables, with types.

The values are in monitoring.yaml, beside settings.yaml. Variables override them, for example MONITORING_MAX_AGE_DAYS.
"""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.settings import FileSettings, environment_folder


class MonitoringSettings(FileSettings):
    """The settings that say when the model of an environment is trained again."""

    model_config = SettingsConfigDict(env_prefix="MONITORING_", extra="forbid", frozen=True)

    max_age_days: Annotated[float, Field(gt=0, description="days after which a model is trained again, for example 90")]


def load(environment: str | None = None) -> MonitoringSettings:
    """Return the settings of an environment (default: OPERATION_ENVIRONMENT, or dev).

    Raises:
        SystemExit: There is no such environment, or its file is wrong; the text says where.
    """
    return MonitoringSettings.read(environment_folder(environment) / "monitoring.yaml")
