"""What differs between the places where this project is deployed, read from YAML and the environment, with types.

`environment_dev`, `environment_stage` and `environment_prod` are those places; OPERATION_ENVIRONMENT names the one to
use. Any value can be set by an environment variable, OPERATION_PORT for `port`. Managed by the template; the YAML files
are yours.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import yaml
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[2]

Environment = Literal["dev", "stage", "prod"]


class FileSettings(BaseSettings):
    """Values of a YAML file, each of which an environment variable can set."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over files."""
        return env_settings, init_settings

    @classmethod
    def read(cls, path: Path, **values: object) -> Self:
        """The values of `path`, and those given beside it.

        Raises:
            SystemExit: The file cannot be read, or a value is missing, unknown or of the wrong type; the text names it.
        """
        try:
            return cls(**{**yaml.safe_load(path.read_text(encoding="utf-8")), **values})
        except (OSError, yaml.YAMLError, TypeError) as error:
            raise SystemExit(f"settings: {path} cannot be read: {error}") from None
        except ValidationError as error:
            wrong = "\n  ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            prefix = cls.model_config["env_prefix"]
            raise SystemExit(f"settings: {path} or a variable {prefix}… is wrong:\n  {wrong}") from None


class Settings(FileSettings):
    """The settings of one environment."""

    model_config = SettingsConfigDict(env_prefix="OPERATION_", extra="forbid", frozen=True)

    environment: Environment
    project_name: str
    tracking_uri: Annotated[str, Field(description="MLflow's address; MLFLOW_TRACKING_URI comes first where it is set")]
    experiment: str
    model_name: str
    model_alias: Annotated[str, Field(description="alias of the registered model that this environment serves")]
    host: Annotated[str, Field(description="address that the service listens on")]
    port: Annotated[int, Field(ge=0, le=65535, description="0 takes a free one")]
    max_records: Annotated[int, Field(ge=1, description="most records of one request")]
    max_body_bytes: Annotated[int, Field(ge=1, description="largest body of one request")]


def folder_of(environment: str | None) -> Path:
    """The folder of an environment: the given one, that of OPERATION_ENVIRONMENT where none is given, or else dev's.

    Raises:
        SystemExit: There is no such environment.
    """
    name = environment or os.environ.get("OPERATION_ENVIRONMENT") or "dev"
    if name not in get_args(Environment):
        raise SystemExit(f"settings: unknown environment {name!r}: expected {', '.join(get_args(Environment))}")
    return ROOT / "operation" / "configuration" / f"environment_{name}"


def load(environment: str | None = None) -> Settings:
    """The settings of an environment.

    Raises:
        SystemExit: There is no such environment, or its file is wrong; the text says where.
    """
    folder = folder_of(environment)
    settings = Settings.read(folder / "settings.yaml", environment=folder.name.removeprefix("environment_"))
    uri = os.environ.get("MLFLOW_TRACKING_URI") or settings.tracking_uri
    return settings.model_copy(update={"tracking_uri": absolute(uri)})


def absolute(uri: str) -> str:
    """A SQLite file named relative to the project, whatever the working directory; other addresses as they are."""
    scheme, found, file = uri.partition(":///")
    return f"{scheme}:///{(ROOT / file).as_posix()}" if found and scheme == "sqlite" else uri
