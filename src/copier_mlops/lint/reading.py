"""Read YAML that may be malicious: it runs no code, and no bomb or deep nesting ends the process."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import yaml

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a PyYAML without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

T = TypeVar("T")
MOST_NODES = 1_000_000
DEEPEST = 200


class UnreadableError(Exception):
    """A file does not have the format of its name; the text says why."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


class Loader(_Loader):
    """Scalars as in PyYAML, which copier and the project use: `yes` is true, `12e4567` is text."""


class DvcLoader(Loader):
    """Scalars as in YAML 1.2, which DVC uses: `yes` is text, `1e-3` is a number."""


_DIGITS = "-+0123456789"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
# The tag, the pattern of its values, and their first letters.
_SCALARS = [
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*_DIGITS]),
    ("float", _FLOAT, [*_DIGITS, "."]),
    ("merge", r"<<", ["<"]),
]
DvcLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _letters in _SCALARS:
    DvcLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _letters)


def _integer(loader: Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _unknown(loader: Loader, _: str, node: yaml.Node) -> object:
    """Read a tag that only one host knows, for example GitLab's `!reference`, as if it were not there."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


DvcLoader.add_constructor("tag:yaml.org,2002:int", _integer)
Loader.add_multi_constructor("", _unknown)


def compose(content: bytes) -> yaml.Node | None:
    """Return the nodes of a YAML text with their lines; several documents are a list, an empty text is None.

    Raises:
        UnreadableError: It is not YAML, or more than any person writes.
    """

    def documents(loader: Loader) -> yaml.Node | None:
        nodes = []
        while loader.check_node():
            nodes.append(loader.get_node())
        return nodes[0] if len(nodes) == 1 else yaml.SequenceNode("", nodes) if nodes else None

    return _load(content, documents)


def parse(content: bytes, loader: type[Loader] = Loader) -> Any:
    """Return the value of a YAML text.

    Raises:
        UnreadableError: It is not YAML, or more than any person writes.
    """

    def construct(loader: Loader) -> object:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {}, set())
        return loader.construct_document(node)

    return _load(content, construct, loader)


def _load(content: bytes, use: Callable[[Loader], T], kind: type[Loader] = Loader) -> T:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("is not UTF-8", content[: error.start].count(b"\n") + 1) from None
    try:
        _refuse_depth(text)
        loader = kind(text)
        try:
            return use(loader)
        finally:
            loader.dispose()
    except UnreadableError:
        raise
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UnreadableError(f"is not YAML: {error.problem or error.context}", line) from None
    except Exception as error:  # anything else that a malicious text makes a parser do
        raise UnreadableError(f"cannot be read as YAML: {type(error).__name__}") from None


def _refuse_depth(text: str) -> None:
    """Refuse deep nesting before the parser follows it; a text with few brackets and blanks is not parsed here."""
    marks = (" " * DEEPEST, "- - - - -", "? ? ?")
    if text.count("[") + text.count("{") <= DEEPEST and not any(mark in text for mark in marks):
        return
    depth = 0
    line = 0
    for event in yaml.parse(text, Loader=Loader):
        line = event.start_mark.line + 1 if event.start_mark else line
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise UnreadableError(f"nests more than {DEEPEST} levels deep", line)


def _size(node: yaml.Node, known: dict[int, int], open_nodes: set[int]) -> int:
    """Return how many nodes there are after every alias is followed."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in open_nodes:
        raise UnreadableError("has an alias of itself", node.start_mark.line + 1)
    open_nodes.add(id(node))
    if isinstance(node, yaml.MappingNode):
        children = [each for pair in node.value for each in pair]
    else:
        children = node.value if isinstance(node, yaml.SequenceNode) else []
    size = 1 + sum(_size(child, known, open_nodes) for child in children)
    open_nodes.discard(id(node))
    if size > MOST_NODES:
        raise UnreadableError(f"has more than {MOST_NODES} values once its aliases are followed")
    known[id(node)] = size
    return size


def text(content: bytes) -> str:
    """Return a text in UTF-8.

    Raises:
        UnreadableError: It has a NUL, so git does not treat it as text.
        UnicodeDecodeError: It is not UTF-8.
    """
    if b"\0" in content:
        raise UnreadableError("has a NUL, as texts in UTF-16 do", content[: content.index(b"\0")].count(b"\n") + 1)
    return content.decode("utf-8")
