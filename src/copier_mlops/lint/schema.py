"""What the values of an environment file must be, read from the project's own classes without running them.

The classes of operation/configuration are the one place where keys and types are said. What this reader does not know
of Python's types is taken as "any value": it never refuses what the project itself would take.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

ANY = object()
Errors = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Field:
    """A value of a class: its type, as it is written, and what its `Field(…)` adds."""

    type: ast.expr | None
    required: bool
    limits: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Schema:
    """The classes of a module, the names that stand for types, and the values that code gives beside the file."""

    classes: dict[str, dict[str, Field]]
    strict: set[str]
    names: dict[str, ast.expr]
    root: str
    given: set[str]

    def errors(self, value: object) -> Errors:
        """Each key that is wrong, and why."""
        yield from self._of_class(self.root, value, "", self.given)

    def _of_class(self, name: str, value: object, place: str, given: set[str] = frozenset()) -> Errors:
        if not isinstance(value, dict):
            yield place.rstrip("."), f"is a group of settings, not {kind(value)}"
            return
        fields = self.classes[name]
        for key in value:
            if key not in fields and name in self.strict:
                yield f"{place}{key}", f"is no setting; known are {', '.join(sorted(fields.keys() - given))}"
        for key, each in fields.items():
            if key in value:
                yield from self._of_type(each.type, value[key], f"{place}{key}", each.limits)
            elif each.required and key not in given:
                yield f"{place}{key}", "is missing"

    def _of_type(self, type_: ast.expr | None, value: object, place: str, limits: dict) -> Errors:
        if isinstance(type_, ast.BinOp) and isinstance(type_.op, ast.BitOr):
            sides = [list(self._of_type(side, value, place, limits)) for side in (type_.left, type_.right)]
            yield from () if not all(sides) else sides[0]
        elif isinstance(type_, ast.Constant) and type_.value is None:
            yield from () if value is None else [(place, "is empty")]
        elif isinstance(type_, ast.Name):
            yield from self._of_name(type_.id, value, place, limits)
        elif isinstance(type_, ast.Subscript) and isinstance(type_.value, ast.Name):
            yield from self._of_generic(type_.value.id, type_.slice, value, place, limits)

    def _of_name(self, name: str, value: object, place: str, limits: dict) -> Errors:
        if name in self.names:
            yield from self._of_type(self.names[name], value, place, limits)
        elif name in self.classes:
            yield from self._of_class(name, value, f"{place}.")
        elif reason := scalar(name, value) or limit(value, limits):
            yield place, reason

    def _of_generic(self, name: str, inner: ast.expr, value: object, place: str, limits: dict) -> Errors:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Annotated":
            more = dict(limits)
            for part in parts[1:]:
                more |= keywords(part)
            yield from self._of_type(parts[0], value, place, more)
        elif name == "Literal":
            allowed = [part.value for part in parts if isinstance(part, ast.Constant)]
            if len(allowed) == len(parts) and value not in allowed:
                yield place, f"is {value!r}; allowed are {', '.join(map(str, allowed))}"
        elif name == "Optional":
            yield from () if value is None else self._of_type(parts[0], value, place, limits)
        elif name in ("list", "set", "frozenset"):
            if not isinstance(value, list):
                yield place, f"is a list, not {kind(value)}"
            else:
                for position, each in enumerate(value):
                    yield from self._of_type(parts[0], each, f"{place}.{position}", {})
        elif name == "dict" and len(parts) == 2:
            if not isinstance(value, dict):
                yield place, f"is a group of values, not {kind(value)}"
            else:
                for key, each in value.items():
                    yield from self._of_type(parts[1], each, f"{place}.{key}", {})


def kind(value: object) -> str:
    """A value in the words of a person who writes YAML."""
    names = {dict: "a group of values", list: "a list", bool: "true or false", int: "a whole number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), "text")


def scalar(name: str, value: object) -> str:
    """Why a value is not of a simple type, as pydantic would say; nothing where it is, or the type is another one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # A float counts as a whole number only as far as 64 bits reach.
    is_whole = is_number and (isinstance(value, int) or (value.is_integer() and abs(value) < 2**63))
    text = value if isinstance(value, str) else ""
    fits = {
        "str": isinstance(value, str),
        "int": is_whole or isinstance(value, bool) or bool(re.fullmatch(r"\s*[-+]?\d+(\.0*)?\s*", text)),
        "float": is_number or isinstance(value, bool) or bool(re.fullmatch(r"\s*[-+]?[\d.]+([eE][-+]?\d+)?\s*", text)),
        "bool": value in (0, 1) or text.lower() in ("true", "false", "yes", "no", "on", "off"),
    }
    expected = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
    return "" if fits.get(name, True) else f"is {expected[name]}, not {kind(value)}"


def limit(value: object, limits: dict) -> str:
    """Why a value is out of the bounds of its `Field(…)`."""
    tests = {
        "ge": lambda most: value < most and f"is at least {most}",
        "gt": lambda most: value <= most and f"is more than {most}",
        "le": lambda most: value > most and f"is at most {most}",
        "lt": lambda most: value >= most and f"is less than {most}",
        "min_length": lambda most: len(value) < most and f"has at least {most} characters",
        "max_length": lambda most: len(value) > most and f"has at most {most} characters",
        "pattern": lambda most: is_quick(most, value) and not re.search(most, value) and f"does not look like {most}",
    }
    for name, most in limits.items():
        try:
            reason = name in tests and tests[name](most)
        except (TypeError, re.error):
            continue
        if reason:
            return f"{reason}, not {value!r}" if name[0] in "gl" else reason
    return ""


def is_quick(pattern: str, value: str) -> bool:
    """Whether a pattern can be tried: repetitions of repetitions may take for ever."""
    return len(value) < 1000 and not re.search(r"[+*}]\)*[+*{]", pattern)


def keywords(call: ast.expr) -> dict[str, object]:
    """The constant arguments of `Field(…)`."""
    found = call.keywords if isinstance(call, ast.Call) else []
    simple = {each.arg: each.value.value for each in found if each.arg and isinstance(each.value, ast.Constant)}
    return simple | {each.arg: ANY for each in found if each.arg and not isinstance(each.value, ast.Constant)}
