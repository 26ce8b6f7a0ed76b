"""A generated project as the checks see it: its files, and what they say, each read once."""

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
    """Asked for a file that cannot be read, it answers None and remembers a finding, so that no check has to care."""

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
        """The content of a file; None where there is none, where it cannot be read or is longer than any text."""
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
        """Every file that is text, or those that end like this."""
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
        """The value of a YAML file; None where there is none or it cannot be read."""
        return self._parsed(path, reading.parse)

    @functools.cache  # noqa: B019
    def dvc(self, path: str) -> object:
        """The value of a YAML file as DVC reads it."""
        return self._parsed(path, lambda content: reading.parse(content, reading.DvcLoader))

    @functools.cache  # noqa: B019
    def nodes(self, path: str) -> Node | None:
        """The nodes of a YAML file, with their lines."""
        return self._parsed(path, reading.compose)

    @functools.cache  # noqa: B019
    def toml(self, path: str) -> dict[str, Any]:
        """The value of a TOML file; nothing where there is none or it cannot be read."""
        return self._parsed(path, lambda content: tomllib.loads(content.decode("utf-8"))) or {}

    @functools.cache  # noqa: B019
    def text(self, path: str) -> str:
        """The text of a file; nothing where there is none or it is not UTF-8."""
        return self._parsed(path, reading.text) or ""

    @functools.cached_property
    def answers(self) -> dict[str, object]:
        """The answers file; nothing where it is missing or broken."""
        found = self.yaml(ANSWERS)
        return (
            {name: value for name, value in found.items() if isinstance(name, str)} if isinstance(found, dict) else {}
        )

    @functools.cached_property
    def host(self) -> str:
        """The git host that was answered; empty where the answers do not say one that the template knows."""
        host = self.answers.get("git_host")
        return host if isinstance(host, str) and host in registry("hosts") else ""

    @functools.cached_property
    def level(self) -> int:
        """The highest level that the project had reached; -1 where the answers do not say."""
        said = [self.answers.get(name) for name in ("maturity_level", "reached_level")]
        return max((each for each in said if isinstance(each, int)), default=-1)

    def line_of(self, path: str, pattern: str) -> int:
        """The first line that matches; 0 where none does."""
        found = re.search(pattern.encode(), self.read(path) or b"", re.MULTILINE)
        return found.string[: found.start()].count(b"\n") + 1 if found else 0

    def flows(self, host: str) -> list[str]:
        """The CI files of a host that the project has."""
        entry = registry("hosts")[host]
        wanted = [entry["flow"].replace("FLOW", "*")] if entry.get("flow") else []
        wanted += [path for path in entry["paths"] if path.endswith(YAML)]
        patterns = [re.escape(each.strip("/")).replace(r"\*", "[^/]*") for each in wanted]
        return [path for path in self.files if any(re.fullmatch(pattern, path) for pattern in patterns)]

    def placed(self, host: str) -> list[str]:
        """The files in the places of a host."""
        places = [path.strip("/") for path in registry("hosts")[host]["paths"]]
        return [path for path in self.files if any(path == place or path.startswith(f"{place}/") for place in places)]

    @functools.cached_property
    def pipelines(self) -> list[str]:
        """Every YAML file in the places of any host."""
        found = {path for host in registry("hosts") for path in self.placed(host) if path.endswith(YAML)}
        return [path for path in self.files if path in found]
