"""Add a stage to dvc.yaml, and its values to params.yaml; every other line stays as it is, comments as well."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

from copier_mlops.notebooks.cells import NotebookError

PLAIN = re.compile(r"[\w./-]+(?: [\w./-]+)*")
Value = bool | int | float | str


@dataclass(frozen=True)
class Stage:
    """A stage as dvc.yaml describes it.

    Attributes:
        name: Its name, which is that of its module and of its section in params.yaml.
        module: The module, for example `houses.clean`.
        source: The file of the module.
        notebook: Where it came from.
        options: The options of its files, by path.
        parameters: Its values.
        deps, outs, metrics: Its files.
    """

    name: str
    module: str
    source: str
    notebook: str
    options: dict[str, str]
    parameters: dict[str, Value]
    deps: list[str]
    outs: list[str]
    metrics: list[str]


def pipeline(text: str, stage: Stage, force: bool, keeps: bool = False) -> str:
    """Return dvc.yaml with a stage; `force` and `keeps` as in `put`.

    Raises:
        NotebookError: It has one of that name, or one that writes the same file; or its form is not understood.
    """
    document = _loaded(text, "dvc.yaml")
    others = {name: each for name, each in (document.get("stages") or {}).items() if name != stage.name}
    for name, each in others.items():
        for path in _outputs(each):
            if path in (*stage.outs, *stage.metrics):
                raise NotebookError(
                    f"stage {stage.name} writes {path}, and so does {name}\n  fix: give it another name in the notebook"
                )
    return put(text, "dvc.yaml", ("stages",), stage.name, _lines(stage), force, keeps)


def _outputs(stage: Any) -> list[str]:
    if not isinstance(stage, dict):
        return []
    entries = [*(stage.get("outs") or ()), *(stage.get("metrics") or ())]
    return [next(iter(each)) if isinstance(each, dict) and each else str(each) for each in entries]


def _lines(stage: Stage) -> list[str]:
    """Return the lines of a stage, from its name on, without the indentation that all have."""
    # With `=`, a value may begin with a minus.
    words = [f"--{option(name)}={_word(name, value, stage.name)}" for name, value in stage.parameters.items()]
    files = [f"--{name} {_quoted(path)}" for path, name in stage.options.items()]
    lines = [f"{stage.name}:", f"  desc: {_text(f'Cells of {stage.notebook}')}"]
    if files or words:
        lines += ["  cmd: >-", f"    python -m {stage.module}", *(f"    {each}" for each in (*files, *words))]
    else:
        lines += [f"  cmd: python -m {stage.module}"]
    lines += ["  deps:", *(f"    - {_text(path)}" for path in sorted({*stage.deps, stage.source}))]
    if stage.parameters:
        lines += [f"  params: [{stage.name}]"]
    if stage.outs:
        lines += ["  outs:", *(f"    - {_text(path)}" for path in sorted(stage.outs))]
    if stage.metrics:
        lines += ["  metrics:"]
        for path in sorted(stage.metrics):
            lines += [f"    - {_text(path)}:", "        cache: false"]
    return lines


def option(name: str) -> str:
    """Return the option of a name, for example `min-rooms`."""
    return name.replace("_", "-")


def _word(name: str, value: Value, stage: str) -> str:
    place = f"${{{stage}.{name}}}"
    return f'"{place}"' if isinstance(value, str) else place


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path or "#" in path else path


def _text(text: str) -> str:
    return text if PLAIN.fullmatch(text) and yaml.safe_load(text) == text else json.dumps(text, ensure_ascii=False)


def parameters(text: str, stage: Stage, force: bool, keeps: bool = False) -> str:
    """Return params.yaml with the values of a stage, if it has any; `force` and `keeps` as in `put`.

    Raises:
        NotebookError: It has a section of that name, or its form is not understood.
    """
    if not stage.parameters:
        return text
    lines = [f"{stage.name}:", *(f"  {name}: {_value(value)}" for name, value in stage.parameters.items())]
    return put(text, "params.yaml", (), stage.name, lines, force, keeps)


def _value(value: Value) -> str:
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    return json.dumps(value, ensure_ascii=False)


def _loaded(text: str, file: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NotebookError(f"{file} is damaged: {' '.join(str(error).split())[:200]}\n  fix: correct it") from None
    if document is not None and not isinstance(document, dict):
        raise NotebookError(f"{file} is not a mapping\n  fix: git checkout {file}")
    return document or {}


def put(
    text: str, file: str, parents: tuple[str, ...], name: str, block: list[str], force: bool, keeps: bool = False
) -> str:
    """Return a YAML file with a new entry at the end of a mapping, or in the place of the entry with its name.

    Args:
        text: The file as it is.
        file: Its name, for the text of a refusal.
        parents: The keys that lead to the mapping.
        name: The key of the entry.
        block: Its lines, from the key on.
        force: Take the place of an entry that is there.
        keeps: Leave an entry that is there as it is.

    Raises:
        NotebookError: The entry is there, or the file has a form in which nothing can be added.
    """
    before = _loaded(text, file)
    lines = text.splitlines()
    indent, start, end, is_there = _place(text, lines, file, parents, name)
    if is_there and keeps and not force:
        return text
    if is_there and not force:
        raise NotebookError(f"{file} has {name} already\n  fix: choose another name, or add --force")
    added = [" " * indent + line for line in block]
    following = []
    if parents and not is_there:  # entries of dvc.yaml are paragraphs
        is_first = start == 0 or not lines[start - 1].strip() or lines[start - 1].rstrip().endswith(f"{parents[-1]}:")
        added = added if is_first else ["", *added]
        following = [""] if lines[end : end + 1] and lines[end].strip() else []
    after = "\n".join([*lines[:start], *added, *following, *lines[end:]]) + "\n"
    if _without(_loaded(after, file), parents, name) != _without(before, parents, name):
        raise NotebookError(f"{file} has a form in which nothing can be added\n  fix: add the stage by hand")
    return after


def _without(document: dict[str, Any], parents: tuple[str, ...], name: str) -> dict[str, Any]:
    copied = json.loads(json.dumps(document, default=str))
    inner = copied
    for parent in parents:
        inner = inner.setdefault(parent, {}) or {}
    inner.pop(name, None)
    for parent in parents:
        copied[parent] = inner
    return dict(copied)


def _place(text: str, lines: list[str], file: str, parents: tuple[str, ...], name: str) -> tuple[int, int, int, bool]:
    """Return the indentation of an entry, the lines that it takes the place of, and whether it is there already."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import MappingNode

    try:
        node = YAML().compose(text)
    except YAMLError as error:
        raise NotebookError(f"{file} is damaged: {str(error).splitlines()[0]}\n  fix: correct it") from None
    indent, last = 0, len(lines)
    for parent in parents:
        pairs = node.value if isinstance(node, MappingNode) else []
        found = [(key, value) for key, value in pairs if key.value == parent]
        if not found:
            raise NotebookError(f"{file} has no {parent}\n  fix: write `{parent}:` on a line of its own")
        (key, node), indent = found[0], 2
        last = key.start_mark.line + 1
    if node is None or (not isinstance(node, MappingNode) and node.value in ("", "null", "~")):
        return indent, last, last, False
    if not isinstance(node, MappingNode) or node.flow_style:
        raise NotebookError(f"{file} is written in braces\n  fix: write one entry a line")
    for key, value in node.value:
        indent = key.start_mark.column
        last = _end(lines, key.start_mark.line, value, indent)
        if key.value == name:
            return indent, key.start_mark.line, last, True
    return indent, last, last, False


def _end(lines: list[str], start: int, value: Any, indent: int) -> int:
    """Return the line after an entry; empty lines and comments that follow it are not a part of it."""
    mark = value.end_mark
    is_within = mark.line < len(lines) and lines[mark.line][: mark.column].strip()
    last = min(mark.line + bool(is_within), len(lines))
    while last > start + 1:
        line = lines[last - 1]
        is_comment = line.lstrip().startswith("#") and len(line) - len(line.lstrip()) <= indent
        if line.strip() and not is_comment:
            break
        last -= 1
    return int(last)
