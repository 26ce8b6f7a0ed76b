"""Read the settings of the project's environments, and the address of its tracking server.

Each environment has a folder of `operation/configuration`, for example `environment_prod`, and `OPERATION_ENVIRONMENT`
names the one to use. Variables override the values of files, for example `OPERATION_PORT` overrides `port`.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from copier_mlops.address import without_login
from copier_mlops.project import CONFIGURATION, answer, root
from copier_mlops.registry import load_yaml, registry

PREFIX = "environment_"


class FileSettings(BaseSettings):
    """Values of a YAML file, each of which an environment variable can override, unless it is empty."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let variables override files."""
        return env_settings, init_settings

    @classmethod
    def read(cls, path: Path, **values: object) -> Self:
        """Return the values of a YAML file, and the given ones.

        Raises:
            SystemExit: The file cannot be read, or a value is missing, unknown or of the wrong type; the text names it.
        """
        try:
            found = {**load_yaml(path.read_text(encoding="utf-8")), **values}
        except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
            raise SystemExit(f"settings: {path} cannot be read: {error}") from None
        return cls.made_of(found, str(path))

    @classmethod
    def made_of(cls, values: dict[str, Any], place: str) -> Self:
        """Return settings of these values, and of variables, which override them.

        Raises:
            SystemExit: A value is missing, unknown or of the wrong type; the text names it and the place.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise SystemExit(f"settings: {place} cannot be read: {error}") from None
        except SettingsError as error:
            raise SystemExit(f"settings: {error}, which is not JSON\n  fix: write it as JSON, or unset it") from None
        except ValidationError as error:
            wrong = "\n  ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            prefix = cls.model_config.get("env_prefix", "")
            raise SystemExit(f"settings: {place} or a variable {prefix}… is wrong:\n  {wrong}") from None


class Settings(FileSettings):
    """The settings of one environment: `operation/configuration/environment_<name>/settings.yaml`."""

    model_config = SettingsConfigDict(env_prefix="OPERATION_", extra="forbid", frozen=True)

    environment: str
    project_name: Annotated[str, Field(description="name in the cards and on the page of the service")]
    tracking_uri: Annotated[
        str, Field(description="MLflow; empty: the answer tracking_uri; MLFLOW_TRACKING_URI overrides it")
    ] = ""
    experiment: Annotated[str, Field(description="experiment of MLflow that gets the runs")]
    model_name: Annotated[str, Field(description="registered model of MLflow")]
    model_alias: Annotated[
        str, Field(description="alias of the registered model that this environment serves, for example champion")
    ]
    bind: Annotated[str, Field(description="address that the service listens on, for example 127.0.0.1")]
    port: Annotated[int, Field(ge=0, le=65535, description="0 takes a free one")]
    max_records: Annotated[int, Field(ge=1, description="largest number of records in a request")]
    max_body_bytes: Annotated[int, Field(ge=1, description="largest body of a request, in bytes")]
    max_receive_seconds: Annotated[
        float, Field(gt=0, description="most seconds that a client may take to send a header, or a body")
    ] = 20

    @model_validator(mode="before")
    @classmethod
    def _take_name_before_0_4(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take `host`, as `bind` was called before 0.4: the files are the team's, so no update renames it."""
        if "host" not in values or ("bind" in values and not os.environ.get("OPERATION_BIND")):
            return values
        others = {name: each for name, each in values.items() if name != "host"}
        return {"bind": values["host"]} | others


def environments() -> list[str]:
    """Return the names of the project's environments, in the order of a release.

    Raises:
        SystemExit: The working directory is not in a project.
    """
    folders = sorted(path.name.removeprefix(PREFIX) for path in (root() / CONFIGURATION).glob(f"{PREFIX}*"))
    known = [each["name"] for each in registry("environments")]
    return [name for name in known if name in folders] + [name for name in folders if name not in known]


def environment_folder(environment: str | None) -> Path:
    """Return the folder of an environment (default: `OPERATION_ENVIRONMENT`, or dev).

    Raises:
        SystemExit: The project does not have the environment.
    """
    name = environment or os.environ.get("OPERATION_ENVIRONMENT") or "dev"
    known = environments()
    if name not in known:
        raise SystemExit(f"settings: unknown environment {name!r}: expected {', '.join(known)}")
    return root() / CONFIGURATION / f"{PREFIX}{name}"


def answered_tracking_uri() -> str:
    """Return the tracking server of the answers, which an environment's file may override."""
    return str(answer("tracking_uri") or "sqlite:///mlflow.db")


def _tracking_uri_of_this_machine() -> str:
    """Return MLFLOW_TRACKING_URI; MLflow reads its user and password from variables, so that no address has them."""
    for name in {name for each in registry("trackers").values() for name in each["secrets"]}:
        # Without such a secret, GitHub sets an empty text, and Azure DevOps the text in parentheses.
        if os.environ.get(name) in ("", f"$({name})"):
            del os.environ[name]
    uri, user, password = without_login(os.environ.get("MLFLOW_TRACKING_URI", ""))
    if user:
        login = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
        os.environ.update(login | {"MLFLOW_TRACKING_URI": uri})
    return uri


def load_settings(environment: str | None = None) -> Settings:
    """Return the settings of an environment.

    Raises:
        SystemExit: The project does not have the environment, or its file is wrong; the text says where.
    """
    folder = environment_folder(environment)
    if old := os.environ.get("OPERATION_HOST"):
        os.environ.setdefault("OPERATION_BIND", old)
    settings = Settings.read(folder / "settings.yaml", environment=folder.name.removeprefix(PREFIX))
    uri = _tracking_uri_of_this_machine() or settings.tracking_uri or answered_tracking_uri()
    return settings.model_copy(update={"tracking_uri": absolute(uri), "experiment": _at(uri, settings.experiment)})


def tracker(uri: str) -> dict[str, Any]:
    """Return what the registry says about the kind of tracking server at an address; nothing if it is unknown."""
    return dict(registry("trackers").get(uri.partition(":")[0], {}))


def _at(uri: str, experiment: str) -> str:
    """Return the name of an experiment as its server takes it: Databricks knows only paths."""
    return experiment if experiment.startswith("/") else tracker(uri).get("experiments", "") + experiment


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite tracking URI, or None for another URI."""
    scheme, _, file = uri.partition("?")[0].partition(":///")
    return Path(file) if scheme == "sqlite" and file else None


def absolute(uri: str) -> str:
    """Return the tracking URI with an absolute path for a SQLite file."""
    scheme, found, file = uri.partition(":///")
    return f"{scheme}:///{(root() / file).as_posix()}" if found and scheme == "sqlite" else uri
