"""When the model of an environment is trained again, read from YAML and the environment, with types.

The values are in monitoring.yaml beside settings.yaml; a variable can set any, MONITORING_MAX_AGE_DAYS for
`max_age_days`.
"""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.project import FileSettings, environment_folder


class MonitoringSettings(FileSettings):
    """When a model of an environment is trained again."""

    model_config = SettingsConfigDict(env_prefix="MONITORING_", extra="forbid", frozen=True)

    max_age_days: Annotated[float, Field(gt=0, description="days after which a model is trained again")]


def load(environment: str | None = None) -> MonitoringSettings:
    """Return the settings of an environment: the given one, that of OPERATION_ENVIRONMENT, or else dev.

    Raises:
        SystemExit: There is no such environment, or its file is wrong; the text says where.
    """
    return MonitoringSettings.read(environment_folder(environment) / "monitoring.yaml")
