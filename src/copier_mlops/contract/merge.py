"""Write a contract as YAML, and bring new findings into one that people have changed: nothing of theirs is lost.

A field that is there stays as it is, with its comments. Only columns that are new are added, unless you ask for more.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import yaml

from copier_mlops.contract.contract import ContractError

if TYPE_CHECKING:
    from ruamel.yaml import YAML

HEADER = """\
The contract of the records, in the terms of Table Schema: https://datapackage.org/standard/table-schema/
It is yours: add titles, descriptions, units and limits. `poe adopt-data` adds new columns and keeps the rest.
"""
# Lists of names in `learning`, to which new columns are added.
LISTS = ("ignore", "text", "newCategories")
# A list whose text is longer has an item a line.
SHORT = 90


def written(document: dict[str, Any]) -> str:
    """Return a new contract as YAML."""
    from ruamel.yaml.comments import CommentedMap

    found = _styled(document)
    if isinstance(found, CommentedMap):
        found.yaml_set_start_comment(HEADER)
    return _dumped(found)


def merged(text: str, document: dict[str, Any], force: bool) -> tuple[str, list[str]]:
    """Return a contract with what is new in a document, and a sentence for each difference.

    Args:
        text: The YAML of a valid contract.
        document: What was inferred.
        force: Take what was inferred if both say something; a key that only the contract has stays.

    Raises:
        ContractError: The YAML cannot be changed with its comments kept.
    """
    from ruamel.yaml.error import YAMLError

    try:
        found = _round_trip().load(text)
    except YAMLError as error:  # it is stricter than PyYAML, for example about a key that is there twice
        reason = " ".join(str(error).split())[:200]
        raise ContractError(f"the contract cannot be changed: {reason}\n  fix: correct that line") from None
    plain = yaml.safe_load(text)
    said = []
    have = {field["name"]: place for place, field in enumerate(plain["fields"])}
    added = [field for field in document["fields"] if field["name"] not in have]
    names = {field["name"] for field in document["fields"]}
    said += [f"{name!r} is not in the data; the contract keeps it" for name in have if name not in names]
    for field in document["fields"]:
        if field["name"] in have:
            place = have[field["name"]]
            said += _compare(found["fields"][place], plain["fields"][place], field, repr(field["name"]), force)
    said += [f"{field['name']!r} is new" for field in added]
    found["fields"].extend(_styled(field) for field in added)
    said += _merge_learning(found, plain, document, {field["name"] for field in added}, force)
    for key in ("missingValues", "primaryKey"):
        if key in document and set(_values(plain.get(key, []))) != set(document[key]):
            said += _differs(found, plain, document, key, key, force)
    return (_dumped(found) if added or (force and said) else text), said


def _merge_learning(
    found: Any, plain: dict[str, Any], document: dict[str, Any], added: set[str], force: bool
) -> Iterator[str]:
    ours, theirs = document["learning"], plain["learning"]
    for key, value in ours.items():
        if key in LISTS:
            new = [name for name in value if name in added]
            if new:
                found["learning"].setdefault(key, _styled([]))
                found["learning"][key].extend(_styled(new))
        elif theirs.get(key) != value:
            yield from _differs(found["learning"], theirs, ours, key, f"learning.{key}", force)


def _compare(found: Any, plain: dict[str, Any], field: dict[str, Any], where: str, force: bool) -> Iterator[str]:
    """Yield a sentence for each key of a field about which contract and data differ."""
    for key, value in field.items():
        if key == "constraints":
            if force:
                found.setdefault(key, _styled({}))
            theirs = plain.get(key, {})
            for limit in value:
                if theirs.get(limit) != value[limit]:
                    yield from _differs(found.get(key, {}), theirs, value, limit, f"{where}, {limit}", force)
        elif isinstance(value, list) and set(_values(plain.get(key, []))) == set(value):
            continue
        elif plain.get(key) != value:
            yield from _differs(found, plain, field, key, f"{where}, {key}", force)


def _differs(
    found: Any, plain: dict[str, Any], ours: dict[str, Any], key: str, where: str, force: bool
) -> Iterator[str]:
    said = f"{plain[key]!r:.80}" if key in plain else "nothing"
    if force:
        found[key] = _styled(ours[key])
        yield f"{where}: {ours[key]!r:.80} in place of {said}"
    else:
        yield f"{where}: the contract keeps {said}, and the data suggests {ours[key]!r:.80}"


def _values(listed: list[Any] | str) -> list[Any]:
    """Return the values of a list in any form that a contract allows: with labels, or one value without a list."""
    items = [listed] if isinstance(listed, str) else listed
    return [each["value"] if isinstance(each, dict) else each for each in items]


def _round_trip() -> YAML:
    from ruamel.yaml import YAML

    parser = YAML()
    parser.width = 120
    parser.preserve_quotes = True
    parser.indent(mapping=2, sequence=4, offset=2)
    parser.allow_unicode = True
    return parser


def _dumped(document: Any) -> str:
    stream = io.StringIO()
    _round_trip().dump(document, stream)
    return stream.getvalue()


def _styled(value: Any) -> Any:
    """Return a value as ruamel.yaml writes it well: short lists on a line, texts in quotes if they look like others."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, dict):
        return CommentedMap({_styled(key): _styled(each) for key, each in value.items()})
    if isinstance(value, list | tuple):
        items = CommentedSeq(_styled(each) for each in value)
        if not any(isinstance(each, dict) for each in value) and len(str(value)) < SHORT:
            items.fa.set_flow_style()
        return items
    if isinstance(value, str) and not _is_plain(value):
        return DoubleQuotedScalarString(value)
    return value


def _is_plain(text: str) -> bool:
    # YAML 1.1, which PyYAML reads, has more words for booleans than 1.2, which ruamel.yaml writes.
    try:
        return bool(yaml.safe_load(f"[{text}]") == [text]) and text.isprintable()
    except yaml.YAMLError:
        return False
