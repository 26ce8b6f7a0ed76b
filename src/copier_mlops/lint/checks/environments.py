"""Files of operation/configuration: the classes of the package can read them."""

import functools
import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import yaml

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry, team_files

if TYPE_CHECKING:
    from pydantic import BaseModel

FOLDER = "operation/configuration"
PREFIX = f"{FOLDER}/environment_"
ENGINES = f"{FOLDER}/engines"
# From this level on, `poe tune` reads the file that it has written or you have.
TUNES = 2


@dataclass(frozen=True)
class Reader:
    """The class that reads a file, by module and name, and the values that the program adds."""

    module: str
    name: str
    given: frozenset[str] = field(default_factory=frozenset)

    def model(self) -> "type[BaseModel]":
        """Import the class: only here, since importing pydantic is slow and some projects have no such file."""
        found: type[BaseModel] = getattr(importlib.import_module(f"copier_mlops.{self.module}"), self.name)
        return found


HOST = Reader("hosts.settings", "HostSettings")
SEARCH = Reader("tuning.space", "Search")
READERS = {
    "settings.yaml": Reader("settings", "Settings", frozenset({"environment"})),
    "release.yaml": Reader("release.settings", "ReleaseSettings"),
    "monitoring.yaml": Reader("monitoring.settings", "MonitoringSettings"),
}


@functools.cache
def first_level(path: str) -> int:
    """Return the level that brings a file; for a file that is the team's own, a number above all levels."""
    levels = enumerate(team_files())
    brought = (number for number, yours in levels if any(fnmatchcase(f"/{path}", pattern) for pattern in yours))
    return next(brought, len(team_files()))


def reader(project: Project, path: str) -> Reader | None:
    """Return the class that reads a file; None for a file of the team's own."""
    folder, _, name = path.rpartition("/")
    if path == f"{FOLDER}/search.yaml" and project.level >= TUNES:
        return SEARCH
    if project.level < first_level(path):
        return None
    if path == f"{FOLDER}/host.yaml":
        return HOST
    if folder == ENGINES and name.removesuffix(".yaml") in registry("engines"):
        return Reader(f"pipeline.engines.{name.removesuffix('.yaml')}", "Settings")
    if not folder.startswith(PREFIX) or folder.count("/") != PREFIX.count("/"):
        return None
    cloud = project.answers.get("cloud")
    if name == "identity.yaml" and isinstance(cloud, str) and cloud in registry("clouds"):
        return Reader(f"identity.{cloud}", "Identity")
    return READERS.get(name)


class EnvironmentMissing(Check):
    """An environment without settings: one that the flows use, or one that has a folder."""

    id = "MLO701"
    name = "environment-missing"
    page = "environments"
    finds = (
        "An environment without `settings.yaml`: `dev`, `stage` or `prod`, or one that has a folder "
        "`operation/configuration/environment_NAME`."
    )
    why = "The first command with that environment stops."
    fix = "Restore the file, or copy the one of another environment."
    example = Example(
        "ls operation/configuration/environment_prod",
        "kustomization.yaml  release.yaml\n",
        "kustomization.yaml  release.yaml  settings.yaml\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Look for the settings of each environment."""
        names = dict.fromkeys(each["name"] for each in registry("environments"))
        names |= dict.fromkeys(path[len(PREFIX) :].split("/")[0] for path in project.files if path.startswith(PREFIX))
        for name in names:
            path = f"{PREFIX}{name}/settings.yaml"
            if path not in project.files and project.level >= first_level(path):
                yield self.found("", 0, f"there is no {path}, so the environment {name} has no settings")


class SettingInvalid(Check):
    """A setting that is unknown, missing or of the wrong type."""

    id = "MLO702"
    name = "setting-invalid"
    page = "environments"
    finds = (
        "A key that is unknown or missing, or a value that has the wrong type or is out of bounds. The lint reads "
        "`settings.yaml`, `release.yaml`, `identity.yaml`, `monitoring.yaml`, `host.yaml`, `search.yaml` and those of "
        "engines, for example `engines/slurm.yaml`. It uses the classes that read these files when a task runs, with "
        "the values of the file and not with environment variables. It does not check your own files in "
        "`operation/configuration`."
    )
    why = "Otherwise you learn it from a deployment, at the worst moment: nothing reads a file for prod before prod."
    fix = "Correct the value; the finding tells you what is allowed."
    example = Example("operation/configuration/environment_prod/settings.yaml", "port: high\n", "port: 8080\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Read each environment file with its class."""
        for path in project.files:
            if not path.startswith(f"{FOLDER}/") or not (found := reader(project, path)):
                continue
            value = project.yaml(path)
            if path in project.problems:
                continue
            from copier_mlops.lint.values import errors

            for place, reason in errors(found.model(), value, found.given):
                name = ".".join(map(str, place)) or "the file"
                yield self.found(path, line_of(project.nodes(path), place), f"{name} {reason}")


def line_of(node: yaml.Node | None, place: tuple[str | int, ...]) -> int:
    """Return the line of a key; if the key is missing, the line of the group around it; for the whole file, 0."""
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
