"""Check the values of a configuration file with the class that reads it, and tell what is allowed.

Only the file counts: an environment variable neither hides a fault nor causes one.
"""

import functools
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

Place = tuple[str | int, ...]
# The longest value that a finding repeats.
SHOWN = 60


def errors(model: type[BaseModel], values: object, given: frozenset[str] = frozenset()) -> Iterator[tuple[Place, str]]:
    """Yield the place of each wrong value and why it is wrong: the end of a sentence that begins with its name.

    Args:
        model: The class that reads the file.
        values: What the file says.
        given: Fields that the program adds to the file; their values are text.
    """
    if not isinstance(values, dict):
        yield (), f"is a group of settings, not {kind(values)}"
        return
    for name in values:
        if not isinstance(name, str):
            yield (str(name),), unknown(model.model_fields.keys() - given)
    texts = {name: value for name, value in values.items() if isinstance(name, str)}
    if issubclass(model, BaseSettings):
        model = of_file(model)
    try:
        model(**{**texts, **dict.fromkeys(given, "dev")})
    except ValidationError as error:
        found = {_place(each): each for each in reversed(error.errors(include_url=False))}
        for place, each in reversed(found.items()):  # one for each place: a value that may be of two kinds has two
            yield place, reason(model, each, given)


@functools.cache
def of_file(model: type[BaseSettings]) -> type[BaseSettings]:
    """Return a settings class that reads only its arguments, and not environment variables."""

    class OfFile(model):  # type: ignore[misc, valid-type]
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            **_: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings,)

    return OfFile


def _place(error: ErrorDetails) -> Place:
    """Return the keys that lead to a value. Pydantic adds words of its own, such as the kinds that a value may have."""
    return tuple(part for part in error["loc"] if part not in ("[key]", "int", "float", "str", "bool"))


def unknown(known: Iterable[str]) -> str:
    """Return the words for a key that no field has."""
    return f"is not a setting; known are {', '.join(sorted(known))}"


def reason(model: type[BaseModel], error: ErrorDetails, given: frozenset[str]) -> str:
    """Return what is wrong with a value and what is allowed, in the words of people who write YAML."""
    place, value = _place(error), error["input"]
    if error["type"] == "extra_forbidden":
        return unknown(_fields(model, place[:-1]).keys() - (given if len(place) == 1 else set()))
    means = _means(model, place)
    if error["type"] == "missing":
        return f"is missing{means}"
    words = REASONS.get(error["type"])
    if words is None:
        return f"{error['msg'][:1].lower()}{error['msg'][1:]}{means}"
    return f"{words(error.get('ctx', {}), value)}{means}"


def _fields(model: object, place: Place) -> dict[str, FieldInfo]:
    """Return the fields of the class behind a place; none if it is not a class with fields."""
    for part in place:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[str(part)].annotation
        else:
            model = [None, *typing.get_args(model)][-1]  # dict[str, Label], list[str]
    return model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}


def _means(model: type[BaseModel], place: Place) -> str:
    field = _fields(model, place[:-1]).get(str(place[-1])) if place else None
    return f" ({field.description})" if field and field.description else ""


def kind(value: object) -> str:
    """Return the kind of a value, in the words of people who write YAML."""
    names = {dict: "a group of values", list: "a list", bool: "true or false", int: "a whole number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), "text" if isinstance(value, str) else "a date")


def shown(value: object) -> str:
    """Return a value as Python writes it, cut if it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _is(wanted: str) -> Callable[[dict[str, Any], object], str]:
    return lambda _, value: f"is {wanted}, not {shown(value) if isinstance(value, str) else kind(value)}"


def _bound(words: str, name: str) -> Callable[[dict[str, Any], object], str]:
    return lambda context, value: f"is {words} {context[name]:.15g}, not {shown(value)}"


def _length(words: str, name: str) -> Callable[[dict[str, Any], object], str]:
    return lambda context, _: f"has at {words} {context[name]} characters"


_WHOLE, _NUMBER, _TRUTH, _GROUP = _is("a whole number"), _is("a number"), _is("true or false"), _is("a group of values")
# Our words for pydantic's types of errors; other errors keep pydantic's words.
REASONS: dict[str, Callable[[dict[str, Any], object], str]] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _TRUTH),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _GROUP),
    "string_type": _is("text"),
    "list_type": _is("a list"),
    "literal_error": lambda context, value: f"is {shown(value)}; allowed are {context['expected']}",
    "greater_than_equal": _bound("at least", "ge"),
    "greater_than": _bound("more than", "gt"),
    "less_than_equal": _bound("at most", "le"),
    "less_than": _bound("less than", "lt"),
    "string_too_short": _length("least", "min_length"),
    "string_too_long": _length("most", "max_length"),
    "value_error": lambda context, _: str(context["error"]),
    "string_pattern_mismatch": lambda context, _: f"does not look like {context['pattern']}",
}
