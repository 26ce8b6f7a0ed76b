"""The environment files say what the settings classes of the package ask for."""

import functools
import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import yaml

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry, team_files

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

FOLDER = "operation/configuration"
PREFIX = f"{FOLDER}/environment_"


@dataclass(frozen=True)
class Reader:
    """The settings class that reads a file, by module and name, and the values that the program gives beside it."""

    module: str
    name: str
    given: frozenset[str] = field(default_factory=frozenset)

    def model(self) -> "type[BaseSettings]":
        """Import the class; pydantic takes a moment, which a project without such files need not wait."""
        found: type[BaseSettings] = getattr(importlib.import_module(f"copier_mlops.{self.module}"), self.name)
        return found


HOST = Reader("hosts.settings", "HostSettings")
READERS = {
    "settings.yaml": Reader("project", "Settings", frozenset({"environment"})),
    "release.yaml": Reader("release.settings", "ReleaseSettings"),
    "monitoring.yaml": Reader("monitoring.settings", "MonitoringSettings"),
}


@functools.cache
def first_level(path: str) -> int:
    """Return the level that brings a file; one above all if none does, since the file is then the team's own."""
    levels = enumerate(team_files())
    brought = (number for number, yours in levels if any(fnmatchcase(f"/{path}", pattern) for pattern in yours))
    return next(brought, len(team_files()))


def reader(project: Project, path: str) -> Reader | None:
    """Return what reads a file; None if it is a file of the team's own."""
    folder, _, name = path.rpartition("/")
    if project.level < first_level(path):
        return None
    if path == f"{FOLDER}/host.yaml":
        return HOST
    if not folder.startswith(PREFIX) or folder.count("/") != PREFIX.count("/"):
        return None
    cloud = project.answers.get("cloud")
    if name == "identity.yaml" and isinstance(cloud, str) and cloud in registry("clouds"):
        return Reader(f"identity.{cloud}", "Identity")
    return READERS.get(name)


@check("MLO701")
def missing(project: Project) -> Iterator[Finding]:
    """An environment without its settings: one that the flows name, or one that has a folder."""
    names = dict.fromkeys(each["name"] for each in registry("environments"))
    names |= dict.fromkeys(path[len(PREFIX) :].split("/")[0] for path in project.files if path.startswith(PREFIX))
    for name in names:
        path = f"{PREFIX}{name}/settings.yaml"
        if path not in project.files and project.level >= first_level(path):
            yield Finding("", 0, "MLO701", f"there is no {path}, so the environment {name} has no settings")


@check("MLO702")
def invalid(project: Project) -> Iterator[Finding]:
    """A setting that is unknown, missing or of the wrong type."""
    for path in project.files:
        if not path.startswith(f"{FOLDER}/") or not (found := reader(project, path)):
            continue
        value = project.yaml(path)
        if path in project.problems:
            continue
        from copier_mlops.lint.values import errors

        for place, reason in errors(found.model(), value, found.given):
            name = ".".join(map(str, place)) or "the file"
            yield Finding(path, line_of(project.nodes(path), place), "MLO702", f"{name} {reason}")


def line_of(node: yaml.Node | None, place: tuple[str | int, ...]) -> int:
    """Return the line of a key; that of the group around it if the key is missing, 0 for the whole file."""
    line = 0
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if str(key.value) == str(part)]
            if not pairs:
                break
            key, node = pairs[-1]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
