"""A generated project for the checks: its files and their content, each read once."""

import functools
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from yaml import Node

from copier_mlops.lint import reading
from copier_mlops.lint.config import Config
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.listing import list_files
from copier_mlops.registry import registry

ANSWERS = ".copier-answers.yml"
T = TypeVar("T")
READ_LIMIT = 5_000_000
HELD_LIMIT = 64_000_000
YAML = (".yml", ".yaml")


def subtable(table: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a table of a TOML file by its name in the table around it; an empty one if it is not there."""
    found = table.get(name)
    return found if isinstance(found, dict) else {}


class Project:
    """The files of a project. If one cannot be read, it is None, and the project remembers a finding for all checks."""

    def __init__(self, root: Path, config: Config | None = None) -> None:
        self.root = root
        self.config = config or Config()
        self.listing = list_files(root)
        self.files = self.listing.files
        self.tracked = self.listing.tracked
        self.problems: dict[str, Finding] = {}
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0

    def problem(self, path: str, reason: str, line: int = 0) -> None:
        """Remember that a file cannot be used."""
        self.problems.setdefault(path, Finding(path, line, "MLO001", f"{path} {reason}"))

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if it is missing, cannot be read or is longer than any text."""
        if path in self._held:
            return self._held[path]
        if self.files.get(path, READ_LIMIT + 1) > READ_LIMIT:
            return None
        try:
            with open(os.path.join(self.root, path), "rb") as file:  # noqa: PTH118, PTH123 (called for every file)
                content = file.read(READ_LIMIT)
        except OSError as error:
            self.problem(path, f"cannot be read: {error.strerror or error}")
            return None
        if self._held_bytes + len(content) <= HELD_LIMIT:
            self._held[path] = content
            self._held_bytes += len(content)
        return content

    def texts(self, *suffixes: str) -> Iterator[tuple[str, bytes]]:
        """Yield every file that is text, or only those with these suffixes."""
        for path in self.files:
            if not suffixes or path.endswith(suffixes):
                content = self.read(path)
                if content and b"\0" not in content[:8000]:
                    yield path, content

    def _parsed(self, path: str, parse: Callable[[bytes], T]) -> T | None:
        if path not in self.files:
            return None
        content = self.read(path)
        if content is None:
            self.problem(path, f"has more than {READ_LIMIT} bytes and was not read")
            return None
        try:
            return parse(content)
        except reading.UnreadableError as error:
            self.problem(path, str(error), min(error.line, len(content.splitlines())))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            line = re.search(r"at line (\d+)", str(error))
            self.problem(path, f"cannot be read: {str(error) or 'it nests too deep'}", int(line[1]) if line else 0)
        return None

    @functools.cache  # noqa: B019 (one project a process)
    def yaml(self, path: str) -> object:
        """Return the value of a YAML file; None if it is missing or cannot be read."""
        return self._parsed(path, reading.parse)

    @functools.cache  # noqa: B019
    def dvc(self, path: str) -> object:
        """Return the value of a YAML file as DVC reads it."""
        return self._parsed(path, lambda content: reading.parse(content, reading.DvcLoader))

    @functools.cache  # noqa: B019
    def nodes(self, path: str) -> Node | None:
        """Return the nodes of a YAML file, with their lines."""
        return self._parsed(path, reading.compose)

    @functools.cache  # noqa: B019
    def toml(self, path: str) -> dict[str, Any]:
        """Return the value of a TOML file; empty if it is missing or cannot be read."""
        return self._parsed(path, lambda content: tomllib.loads(content.decode("utf-8"))) or {}

    @functools.cache  # noqa: B019
    def text(self, path: str) -> str:
        """Return the text of a file; empty if it is missing or not UTF-8."""
        return self._parsed(path, reading.text) or ""

    @functools.cached_property
    def answers(self) -> dict[str, object]:
        """The answers; empty if their file is missing or broken."""
        found = self.yaml(ANSWERS)
        return (
            {name: value for name, value in found.items() if isinstance(name, str)} if isinstance(found, dict) else {}
        )

    @functools.cached_property
    def host(self) -> str:
        """The answered git host; empty if the template does not know it."""
        host = self.answers.get("git_host")
        return host if isinstance(host, str) and host in registry("hosts") else ""

    @functools.cached_property
    def level(self) -> int:
        """The highest level that the project ever had; -1 if the answers do not say it."""
        said = [self.answers.get(name) for name in ("maturity_level", "reached_level")]
        return max((each for each in said if isinstance(each, int)), default=-1)

    def line_of(self, path: str, pattern: str) -> int:
        """Return the first line that matches; 0 if none does."""
        found = re.search(pattern.encode(), self.read(path) or b"", re.MULTILINE)
        return found.string[: found.start()].count(b"\n") + 1 if found else 0

    def flows(self, host: str) -> list[str]:
        """Return the CI files of a host that the project has."""
        entry = registry("hosts")[host]
        wanted = [entry["flow"].replace("FLOW", "*")] if entry.get("flow") else []
        wanted += [path for path in entry["paths"] if path.endswith(YAML)]
        patterns = [re.escape(each.strip("/")).replace(r"\*", "[^/]*") for each in wanted]
        return [path for path in self.files if any(re.fullmatch(pattern, path) for pattern in patterns)]

    def placed(self, host: str) -> list[str]:
        """Return the files in the places of a host."""
        places = [path.strip("/") for path in registry("hosts")[host]["paths"]]
        return [path for path in self.files if any(path == place or path.startswith(f"{place}/") for place in places)]

    @functools.cached_property
    def pipelines(self) -> list[str]:
        """The YAML files in the places of all hosts."""
        found = {path for host in registry("hosts") for path in self.placed(host) if path.endswith(YAML)}
        return [path for path in self.files if path in found]
