"""params.yaml as DVC reads it: its values by dotted keys, and the same text with other values, comments kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copier_mlops.tuning import TuneError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

FILE = "params.yaml"
Value = bool | int | float | str


def read(root: Path) -> str:
    """Return the text of params.yaml.

    Raises:
        TuneError: It is not here, or is not UTF-8.
    """
    try:
        return (root / FILE).read_bytes().decode("utf-8")  # line ends stay as they are
    except FileNotFoundError:
        raise TuneError(f"{FILE} is not here\n  fix: git restore {FILE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TuneError(f"{FILE} cannot be read: {error}\n  fix: git restore {FILE}") from None


def values(text: str) -> dict[str, Any]:
    """Return the values of params.yaml by dotted keys, for example `train.leaf`; a list is one value.

    Raises:
        TuneError: It is not YAML, or not a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise TuneError(f"{FILE} is not YAML: {reason:.200}\n  fix: correct it, or: git restore {FILE}") from None
    if not isinstance(document, dict):
        raise TuneError(f"{FILE} has no keys\n  fix: write the parameters as key: value")
    return dict(_flat(document))


def _flat(document: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def with_values(text: str, new: Mapping[str, Value]) -> str:
    """Return the text of params.yaml with other values; every other byte stays.

    Args:
        text: The text as it is.
        new: Values by their dotted keys, each of which has a plain value now.

    Raises:
        TuneError: A value is written so that it cannot be changed by itself, for example as an anchor.
    """
    from ruamel.yaml import YAML

    before = values(text)
    spans = dict(_scalars(YAML(typ="rt", pure=True).compose(text), ""))
    after = text
    for key in sorted(set(new) & set(spans), key=lambda key: spans[key], reverse=True):
        start, end = spans[key]
        after = after[:start] + _written(new[key]) + after[end:]
    if values(after) != before | dict(new):
        raise TuneError(
            f"{', '.join(new)}: {FILE} writes a value in a form that cannot be changed by itself\n"
            "  fix: write it as `key: value` on a line of its own, without anchors"
        )
    return after


def _scalars(node: Node | None, prefix: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the dotted key of each plain value with its place in the text."""
    from ruamel.yaml.nodes import MappingNode, ScalarNode

    for key, value in node.value if isinstance(node, MappingNode) else ():
        if isinstance(value, MappingNode):
            yield from _scalars(value, f"{prefix}{key.value}.")
        elif isinstance(value, ScalarNode):
            yield f"{prefix}{key.value}", (value.start_mark.index, value.end_mark.index)


def _written(value: Value) -> str:
    """Return a value as YAML 1.1 and 1.2 both read it: `1e-05` would be a text for the former."""
    import json

    if isinstance(value, float) and math.isfinite(value):
        mantissa, exponent, power = repr(value).partition("e")
        return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}{exponent}{power}" if exponent else mantissa
    return json.dumps(value, ensure_ascii=False)
