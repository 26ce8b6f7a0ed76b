"""Find the parts of a project: its root, its answers, the team's own package and its entry points."""

import functools
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from copier_mlops.registry import load_yaml

if TYPE_CHECKING:
    from copier_mlops.settings import Settings as Settings
    from copier_mlops.settings import load_settings as load_settings

ANSWERS = ".copier-answers.yml"
# The name in an image: some git hosts drop hidden files from artifacts.
PACKAGED_ANSWERS = "copier-answers.yml"
# In the team's package.
CONTRACT = "contract.yaml"
ADOPT = "uv run poe adopt-data FILE --target COLUMN"
CONFIGURATION = Path("operation", "configuration")
# Tasks that work in any repository of DVC take answers from it, if this template did not render the repository.
_stand_in: Callable[[Path], dict[str, Any]] | None = None
# From this level on, models are released to environments; below, only an alias moves.
DEPLOYS = 3


def __getattr__(name: str) -> object:
    """Give what files of teams import from here, but load pydantic, which takes 0.1 s, only for them."""
    if name not in ("Settings", "load_settings"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("copier_mlops.settings"), name)


def accept_any_repository(answers: Callable[[Path], dict[str, Any]]) -> None:
    """Let this process work in any repository of DVC, and take answers from a function if the repository has none.

    Args:
        answers: Returns the answers of a repository, whose root it gets.
    """
    global _stand_in
    _stand_in = answers


def is_rendered() -> bool:
    """Return whether this template rendered the repository; otherwise a task accepted any of DVC.

    Raises:
        SystemExit: The working directory is not in a repository.
    """
    folder = root()
    return any((folder / name).is_file() for name in (ANSWERS, PACKAGED_ANSWERS))


def root() -> Path:
    """Return the root of the project around the working directory.

    Raises:
        SystemExit: The working directory is not in a project.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_file() for name in (ANSWERS, PACKAGED_ANSWERS)):
            return folder
    if _stand_in:
        for folder in (here, *here.parents):
            if (folder / ".dvc" / "config").is_file():
                return folder
        raise SystemExit(
            f"mlops: no repository of DVC here: neither {here} nor a folder above it has .dvc/config\n"
            "  fix: change into one; to make one: dvc init"
        )
    raise SystemExit(
        f"mlops: no project here: neither {here} nor a folder above it has {ANSWERS}\n"
        "  fix: change into a project; a new one comes from `uvx copier copy TEMPLATE FOLDER`"
    )


def answers() -> dict[str, Any]:
    """Return the project's answers to the questions of the template.

    Raises:
        SystemExit: The working directory is not in a project, or its answers file cannot be read.
    """
    folder = root()
    path = folder / ANSWERS if (folder / ANSWERS).is_file() else folder / PACKAGED_ANSWERS
    if _stand_in and not path.is_file():
        return _stand_in(folder)
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
        SystemExit: The working directory is not in a project, or its answers file cannot be read.
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
