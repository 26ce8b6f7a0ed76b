"""Change single values in a YAML file of the team's; all other bytes stay, with comments, order and layout."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from copier_mlops.lint import reading

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import Node, ScalarNode

# The place of a value: the keys and positions that lead to it.
Place = tuple[Any, ...]
BOM = b"\xef\xbb\xbf"
# In bytes. A file of a person takes ruamel.yaml a moment, but so many brackets or blanks would take seconds.
LONGEST = 30_000
BEFORE_COMMENT = re.compile(r" +#")


class LeftAloneError(Exception):
    """A file cannot be changed safely; the text says why, as the end of a sentence that begins with `it`."""


def with_values(content: bytes, choose: Callable[[Place, str], str]) -> bytes:
    """Return a YAML text with other values.

    `choose` is asked for each text value, with its place (`("resources", 0)`), and returns it or another one.
    ruamel.yaml changes the document as well: the text is returned only if it reads as what ruamel.yaml would write,
    comments and quotes included.

    Raises:
        LeftAloneError: It is not one YAML document in UTF-8, has anchors or a key twice, or writes a value that would
            change over several lines or with escapes.
    """
    if len(content) > LONGEST:
        raise LeftAloneError(f"has more than {LONGEST} bytes")
    try:
        reading.compose(content)  # refuses what is hostile, before a parser in Python follows it
    except reading.UnreadableError as error:
        raise LeftAloneError(f"{error}{f' (line {error.line})' if error.line else ''}") from None
    text = content.decode("utf-8-sig")
    parser, document, root = _read(text)
    spans = []
    for place, node in _texts(root, ()):
        wanted = choose(place, node.value)
        if wanted == node.value:
            continue
        start, end = node.start_mark.index, node.end_mark.index
        if text[start:end].count(node.value) != 1:
            raise LeftAloneError(f"writes a value over several lines or with escapes (line {node.start_mark.line + 1})")
        spans.append((start, end, text[start:end].replace(node.value, wanted)))
        _put(document, place, wanted)
    after = text
    for start, end, written in reversed(spans):
        after = after[:start] + written + after[end:]
    if _written(parser, _read(after)[1]) != _written(parser, document):
        raise LeftAloneError("would not have the meant values afterwards")
    return BOM * content.startswith(BOM) + after.encode("utf-8")


def _read(text: str) -> tuple[YAML, Any, Node | None]:
    """Return the parser of ruamel.yaml, the document with its comments, and its nodes with their positions."""
    # Imported here: most projects have nothing to change.
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.events import DocumentStartEvent

    parser = YAML(typ="rt")
    parser.preserve_quotes = True
    parser.width = LONGEST
    try:
        events = list(parser.parse(text))
        if sum(isinstance(each, DocumentStartEvent) for each in events) != 1:
            raise LeftAloneError("does not hold exactly one document")
        if any(getattr(each, "anchor", None) for each in events):
            raise LeftAloneError("has anchors, so that a value may stand for several")
        return parser, parser.load(text), parser.compose(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise LeftAloneError(f"has a key twice (line {line})") from None
    except YAMLError as error:
        raise LeftAloneError(f"is not YAML for ruamel.yaml: {str(error).splitlines()[0]}") from None


def _texts(node: Node | None, place: Place) -> Iterator[tuple[Place, ScalarNode]]:
    """Yield each text value below a node, in the order of the file."""
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _texts(value, (*place, key.value))
    elif isinstance(node, SequenceNode):
        for position, value in enumerate(node.value):
            yield from _texts(value, (*place, position))
    elif isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:str":
        yield place, node


def _put(document: Any, place: Place, value: str) -> None:
    """Set a value of the document, with the quotes that it had."""
    try:
        for part in place[:-1]:
            document = document[part]
        document[place[-1]] = type(document[place[-1]])(value)
    except LookupError:
        raise LeftAloneError("has a key that is not text") from None


def _written(parser: YAML, document: Any) -> str:
    """Return the text of ruamel.yaml with one blank before each comment, since it would keep their old columns."""
    stream = io.StringIO()
    parser.dump(document, stream)
    return BEFORE_COMMENT.sub(" #", stream.getvalue())
