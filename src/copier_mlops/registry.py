"""Read the template's registries: hosts, levels, clouds, flows and others."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # a PyYAML without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

PACKAGED = Path(__file__).resolve().parent / "registries"
# In a checkout of the template, the package reads the template's own files.
EXTENSIONS = Path(__file__).resolve().parents[2] / "extensions"


def load_yaml(text: str) -> Any:
    """Parse a YAML document as `yaml.safe_load` does, eight times as fast where PyYAML has libyaml.

    Raises:
        yaml.YAMLError: It is not YAML.
    """
    return yaml.load(text, Loader)


@functools.cache
def registry(name: str) -> Any:
    """Return a registry of `extensions/`, for example `hosts` or `flows/ci`; `copier` returns the questions.

    Raises:
        FileNotFoundError: There is no registry of that name.
    """
    return next(_documents(name))


@functools.cache
def team_files() -> tuple[list[str], ...]:
    """Return patterns, as in .gitignore, of the files that are the team's: a list for each level that brings them."""
    return tuple(_documents("yours"))


def _documents(name: str) -> Iterator[Any]:
    """Parse the YAML documents of a registry one by one: the second of `copier` has tags that only copier knows."""
    if PACKAGED.is_dir():
        path = PACKAGED / f"{name}.yml"
    else:
        path = (EXTENSIONS.parent if name == "copier" else EXTENSIONS) / f"{name}.yml"
    return yaml.load_all(path.read_bytes(), Loader)


def questions() -> dict[str, dict[str, Any]]:
    """Return the questions whose answers a project stores, by their names."""
    found = {name: each for name, each in registry("copier").items() if not name.startswith("_")}
    return {name: each for name, each in found.items() if each.get("when") is not False and not each.get("secret")}


def flows(level: int) -> dict[str, dict[str, Any]]:
    """Return the flows of `extensions/flows` that a project of a maturity level has, by their ids."""
    names = [name for each in registry("levels")[: level + 1] for name in each["flows"]]
    return {id: flow for name in names for id, flow in registry(f"flows/{name}").items()}
