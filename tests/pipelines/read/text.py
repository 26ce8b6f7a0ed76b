"""YAML as a host's text: every scalar stays what was written, aliases and merges are resolved, no key comes twice."""

import re
from pathlib import Path

import yaml

from tests.pipelines.flows import UnreadableError

MERGE = "tag:yaml.org,2002:merge"


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    yaml_implicit_resolvers = {"<": [(MERGE, re.compile(r"^<<$"))]}  # noqa: RUF012 (PyYAML's own form)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if key.tag != MERGE]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise UnreadableError(f"{twice} twice in one mapping")
        return super().construct_mapping(node, deep)


def load(path: Path) -> dict:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 (made of SafeLoader)
    except (yaml.YAMLError, OSError) as error:
        raise UnreadableError(str(error)) from error


def take(mapping: object, *allowed: str) -> list:
    """The values of these keys, None where one is missing; a key that was not expected is an error."""
    if not isinstance(mapping, dict):
        raise UnreadableError(f"{mapping!r} is not a mapping")
    if more := mapping.keys() - set(allowed):
        raise UnreadableError(f"unexpected {sorted(more)} beside {sorted(mapping.keys() & set(allowed))}")
    return [mapping.get(key) for key in allowed]


def same(value: object, *allowed: object) -> None:
    if value not in allowed:
        raise UnreadableError(f"{value!r}, but every render has {' or '.join(map(repr, allowed))}")


def pinned(uses: str, known: dict[str, str]) -> str:
    """The name of an action that is pinned to the commit which the registry knows."""
    name, _, commit = uses.partition("@")
    if known.get(name) != commit:
        raise UnreadableError(f"{uses} is not pinned to a commit that is known")
    return name
