"""Find the parts of a project: its root, its answers, the settings of its environments and the team's own package.

Each environment has a folder of `operation/configuration`, for example `environment_prod`, and `OPERATION_ENVIRONMENT`
names the one to use. Variables override the values of files, for example `OPERATION_PORT` overrides `port`.
"""

import functools
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from copier_mlops.address import without_login
from copier_mlops.registry import load_yaml, registry

ANSWERS = ".copier-answers.yml"
# The name in an image: some git hosts drop hidden files from artifacts.
PACKAGED_ANSWERS = "copier-answers.yml"
# In the team's package.
CONTRACT = "contract.yaml"
ADOPT = "uv run poe adopt-data FILE --target COLUMN"
CONFIGURATION = Path("operation", "configuration")
PREFIX = "environment_"
# From this level on, models are released to environments; below, only an alias moves.
DEPLOYS = 3


def root() -> Path:
    """Return the root of the project around the working directory.

    Raises:
        SystemExit: There is no project.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_file() for name in (ANSWERS, PACKAGED_ANSWERS)):
            return folder
    raise SystemExit(
        f"mlops: no project here: neither {here} nor a folder above it has {ANSWERS}\n"
        "  fix: change into a project; a new one comes from `uvx copier copy TEMPLATE FOLDER`"
    )


def answers() -> dict[str, Any]:
    """Return the project's answers to the questions of the template.

    Raises:
        SystemExit: There is no project, or its answers file cannot be read.
    """
    folder = root()
    path = folder / ANSWERS if (folder / ANSWERS).is_file() else folder / PACKAGED_ANSWERS
    return _read_answers(path, path.stat().st_mtime_ns)


@functools.cache
def _read_answers(path: Path, _: int) -> dict[str, Any]:
    try:
        found = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SystemExit(f"mlops: {path} cannot be read: {reason}\n  fix: git restore {ANSWERS}") from None
    if not isinstance(found, dict):
        raise SystemExit(f"mlops: {path} has no answers\n  fix: git restore {ANSWERS}")
    return found


def answer(name: str, default: Any = None) -> Any:
    """Return one answer, or `default` if the project was not asked.

    Raises:
        SystemExit: There is no project, or its answers file cannot be read.
    """
    return answers().get(name, default)


def level() -> int:
    """Return the highest maturity level that the project has reached, 0 to 4."""
    said = [answer("maturity_level"), answer("reached_level")]
    return max((each for each in said if isinstance(each, int)), default=0)


def has_contract(root: Path, package: str) -> bool:
    """Return whether a project has data yet: a contract, or the `schema.py` of an older project."""
    folder = root / "src" / package
    return not folder.is_dir() or any((folder / name).is_file() for name in (CONTRACT, "schema.py"))


def team(module: str) -> ModuleType:
    """Import a module of the team's package, `team("schema")` for `<package>.schema`.

    Raises:
        SystemExit: The package is not installed, comes from another project, or has no such module.
    """
    package = str(answer("package_name"))
    try:
        found = importlib.import_module(f"{package}.{module}")
    except ModuleNotFoundError as error:
        if error.name not in (package, f"{package}.{module}"):
            raise
        where = f"src/{package}" if error.name == package else f"src/{package}/{module}.py"
        raise SystemExit(f"mlops: {error.name} cannot be imported; it is {where}\n  fix: uv sync") from None
    _own(Path(str(found.__file__)), package)
    return found


def team_folder() -> Path:
    """Return the folder of the team's package: in the project, or where an image has it installed.

    Raises:
        SystemExit: The package is not installed, or comes from another project.
    """
    return Path(_team_origin()).parent


def check_virtual_environment() -> None:
    """Refuse a virtual environment that is not the one of this project.

    Raises:
        SystemExit: The team's package is not installed in it, or comes from another project.
    """
    _team_origin()


def _team_origin() -> str:
    package = str(answer("package_name"))
    found = importlib.util.find_spec(package)
    if found is None:
        raise SystemExit(f"mlops: {package} is not installed in the environment {sys.prefix}\n  fix: uv sync")
    origin = found.origin or f"{next(iter(found.submodule_search_locations or ['']))}/__init__.py"
    _own(Path(origin), package)
    return origin


def _own(file: Path, package: str) -> None:
    """Refuse a file of the team's package that is not from this project."""
    place, folder = file.resolve(), root().resolve()
    is_installed = Path(sys.prefix).resolve() in place.parents
    if (folder / "src" / package).is_dir() and folder not in place.parents and not is_installed:
        raise SystemExit(
            f"mlops: {package} comes from {place.parent}, not from {folder}: two projects share the environment "
            f"{sys.prefix}\n  fix: unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT && uv sync"
        )


def entry(path: str, name: str) -> Callable[..., Any]:
    """Return a function of an entry point: a file of the team, which the package loads by its path.

    Args:
        path: The file, relative to the project's root, for example `operation/execution/serve.py`.
        name: The function.

    Raises:
        SystemExit: The file is missing, cannot be imported or has no such function. The text names file and line. An
            error while the function runs is reported in the same way.
    """
    file = root() / path
    if not file.is_file():
        raise SystemExit(f"mlops: {path} is not here\n  fix: git restore {path}")
    known_as = f"entry_{file.stem}"
    found = importlib.util.spec_from_file_location(known_as, file)
    if found is None or found.loader is None:
        raise SystemExit(f"mlops: {path} is not a Python file")
    module = importlib.util.module_from_spec(found)
    # Annotations of its classes are looked up by the name of the module.
    sys.modules[known_as] = module
    try:
        found.loader.exec_module(module)
    except Exception as error:
        raise _broken(path, error) from None
    function = getattr(module, name, None)
    if not callable(function):
        raise SystemExit(f"mlops: {path} has no function {name}\n  fix: git log -p {path}")

    @functools.wraps(function)
    def called(*arguments: object) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            raise _broken(path, error) from None

    return called


def _broken(path: str, error: Exception) -> SystemExit:
    """Return the message for an entry point that failed: the error, and the line of the file that caused it."""
    file, line = root() / path, 0
    if isinstance(error, SyntaxError) and error.filename == str(file):
        line = error.lineno or 0
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == str(file)), 0)
    reason = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return SystemExit(
        f"mlops: {path}, line {line}: {type(error).__name__}: {reason}\n  fix: correct that line of {path}"
    )


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
            return cls(**{**load_yaml(path.read_text(encoding="utf-8")), **values})
        except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
            raise SystemExit(f"settings: {path} cannot be read: {error}") from None
        except SettingsError as error:
            raise SystemExit(f"settings: {error}, which is not JSON\n  fix: write it as JSON, or unset it") from None
        except ValidationError as error:
            wrong = "\n  ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            prefix = cls.model_config.get("env_prefix", "")
            raise SystemExit(f"settings: {path} or a variable {prefix}… is wrong:\n  {wrong}") from None


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
        SystemExit: There is no project.
    """
    folders = sorted(path.name.removeprefix(PREFIX) for path in (root() / CONFIGURATION).glob(f"{PREFIX}*"))
    known = [each["name"] for each in registry("environments")]
    return [name for name in known if name in folders] + [name for name in folders if name not in known]


def environment_folder(environment: str | None) -> Path:
    """Return the folder of an environment (default: `OPERATION_ENVIRONMENT`, or dev).

    Raises:
        SystemExit: There is no such environment.
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
        SystemExit: There is no such environment, or its file is wrong; the text says where.
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
