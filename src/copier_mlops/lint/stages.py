"""The stages of a dvc.yaml with their values filled in, by the names in dvc.lock. A value that is not known is None."""

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import PurePosixPath
from typing import Any

from copier_mlops.lint.project import Project

PLACE = re.compile(r"(?<!\\)\$\{\s*([\w.\[\]-]+)\s*\}")
UNKNOWN = object()
# The name of a stage in dvc.lock, its entry, and the values of its `${…}`.
Expanded = tuple[str, dict[str, Any], dict[str, Any]]


def join(folder: str, path: str) -> str:
    """Return a path relative to the project, from one relative to a folder; `..` is resolved."""
    parts: list[str] = []
    for part in PurePosixPath(folder, path.replace("\\", "/")).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


# The kinds of parameter files that are read here. DVC reads Python as well.
READ = (".yaml", ".yml", ".toml", ".json")


def values_of(project: Project, path: str) -> dict[str, Any]:
    """Return the values of a file of parameters; empty if it is missing or of another kind."""
    if path.endswith((".yaml", ".yml")):
        found = project.dvc(path)
    elif path.endswith(".toml"):
        found = project.toml(path)
    else:
        try:
            found = json.loads(project.read(path) or b"{}") if path.endswith(".json") else {}
        except (ValueError, RecursionError):
            project.problem(path, "is not JSON")
            found = {}
    return found if isinstance(found, dict) else {}


def get(values: object, name: str) -> object:
    """Return the value of a dotted name; UNKNOWN if it is missing."""
    for part in re.split(r"[.\[\]]+", name.strip("]")):
        if isinstance(values, dict) and part in values:
            values = values[part]
        elif isinstance(values, list) and part.isdecimal() and int(part) < len(values):
            values = values[int(part)]
        else:
            return UNKNOWN
    return values


def resolve(text: object, context: dict[str, Any]) -> object:
    """Return a text with each `${name}` replaced, as DVC does; None if a value is unknown or not a scalar."""
    if not isinstance(text, str):
        return text
    if whole := PLACE.fullmatch(text):
        value = get(context, whole[1])
        return None if value is UNKNOWN else value
    names = PLACE.findall(text)
    values = {name: get(context, name) for name in names}
    if any(value is UNKNOWN or isinstance(value, dict | list) or value is None for value in values.values()):
        return None
    return PLACE.sub(lambda found: _text(values[found[1]]), text)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def command(value: object, context: dict[str, Any]) -> str | list[Any] | None:
    """Return the command of a stage; a list stays a list."""
    if isinstance(value, list):
        parts = [command(each, context) for each in value]
        return None if None in parts else parts
    found = resolve(value, context)
    return None if found is None else _text(found).strip()


def paths(entries: object, context: dict[str, Any], folder: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the files in a list of outs, deps or metrics, with their options."""
    found = []
    for entry in entries if isinstance(entries, list) else []:
        name, options = next(iter(entry.items())) if isinstance(entry, dict) and entry else (entry, {})
        resolved = resolve(name, context)
        if isinstance(resolved, str) and "://" not in resolved:
            found.append((join(folder, resolved), options if isinstance(options, dict) else {}))
    return found


def stages(project: Project, path: str) -> Iterator[Expanded]:
    """Yield each stage: its name in dvc.lock, its entry, and the values of its `${…}`."""
    document = project.dvc(path)
    entries = document.get("stages") if isinstance(document, dict) else None
    folder = path.rpartition("/")[0]
    context = dict(values_of(project, join(folder, "params.yaml")))
    variables = document.get("vars") if isinstance(document, dict) else None
    for each in variables if isinstance(variables, list) else []:
        more = values_of(project, join(folder, each.partition(":")[0])) if isinstance(each, str) else each
        context = _merged(context, more) if isinstance(more, dict) else context
    for name, entry in (entries if isinstance(entries, dict) else {}).items():
        if isinstance(entry, dict):
            yield from _expanded(str(name), entry, context)


def _merged(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return values with more, group by group, as DVC does."""
    found = dict(values)
    for name, value in more.items():
        before = found.get(name)
        found[name] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def _label(item: object, values: object) -> str:
    """Return the part of a stage's name: `true` for a value of a list, but `True` for one that `${…}` stands for."""
    return str(item) if isinstance(values, str) else _text(item)


def _expanded(name: str, entry: dict[str, Any], context: dict[str, Any]) -> Iterator[Expanded]:
    if "foreach" in entry:
        items = resolve(entry["foreach"], context)
        do = entry.get("do")
        body = do if isinstance(do, dict) else {}
        if isinstance(items, dict):
            for key, item in items.items():
                yield f"{name}@{_text(key)}", body, context | {"key": key, "item": item}
        elif isinstance(items, list):
            for position, item in enumerate(items):
                label = position if isinstance(item, dict | list) else _label(item, entry["foreach"])
                yield f"{name}@{label}", body, context | {"item": item}
    elif isinstance(entry.get("matrix"), dict):
        resolved = {axis: resolve(some, context) for axis, some in entry["matrix"].items()}
        axes = {axis: some for axis, some in resolved.items() if isinstance(some, list)}
        if len(axes) == len(resolved):
            for row in product(*(list(enumerate(some)) for some in axes.values())):
                labels = [
                    f"{axis}{position}" if isinstance(item, dict | list) else _label(item, entry["matrix"][axis])
                    for axis, (position, item) in zip(axes, row, strict=True)
                ]
                item = {axis: value for axis, (_, value) in zip(axes, row, strict=True)}
                yield f"{name}@{'-'.join(labels)}", entry, context | {"item": item}
    else:
        yield name, entry, context
