"""The fields of a contract, in the terms of Frictionless Table Schema v2.

The descriptions are what an editor shows, so they are written for the reader of `contract.yaml`.
"""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic.alias_generators import to_camel

Type = Literal["integer", "number", "string", "boolean", "date", "datetime"]
Bound = int | float | datetime | date
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# The words for true and false of the standard, if a field has none of its own.
TRUE, FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")
# The keys that only some types of a field know.
KEYS_OF = {
    "decimal_char": ("number",),
    "group_char": ("integer", "number"),
    "bare_number": ("integer", "number"),
    "true_values": ("boolean",),
    "false_values": ("boolean",),
    "categories": ("string", "integer"),
    "categories_ordered": ("string", "integer"),
}
LIMITS_OF = {
    "minimum": ("integer", "number", "date", "datetime"),
    "maximum": ("integer", "number", "date", "datetime"),
    "min_length": ("string",),
    "max_length": ("string",),
    "pattern": ("string",),
}


def as_tuple(value: Any) -> Any:
    """Return a list of YAML as a tuple, which cannot be changed; other values as they are."""
    return tuple(value) if isinstance(value, list) else value


class Part(BaseModel):
    """A part of a contract: it cannot be changed, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True)


class Category(Part):
    """A value that a field can have, and what it means."""

    value: str | int = Field(description="The value as it is in the data.")
    label: str = Field("", description="The meaning of the value, in words.")


class MissingValue(Part):
    """A text that means that a value is missing, and why it is."""

    value: str = Field(description="The text as it is in the data.")
    label: str = Field("", description="Why the value is missing, in words.")


class Constraints(Part):
    """Limits of the values of a field."""

    required: bool = Field(False, description="No record may lack the value.")
    minimum: Bound | None = Field(None, description="The least value that is allowed.")
    maximum: Bound | None = Field(None, description="The greatest value that is allowed.")
    min_length: int | None = Field(None, ge=0, description="The fewest characters of a text.")
    max_length: int | None = Field(None, ge=1, description="The most characters of a text.")
    pattern: str | None = Field(None, description="A regular expression that the whole text matches.")
    enum: tuple[str | int | float | bool, ...] | None = Field(None, min_length=1, description="The allowed values.")

    _lists = field_validator("enum", mode="before")(as_tuple)

    @field_validator("minimum", "maximum", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> Any:
        """YAML has dates and JSON has not: a text in their form is one."""
        for kind in (date, datetime) if isinstance(value, str) else ():
            with contextlib.suppress(ValueError):
                return kind.fromisoformat(value)
        return value

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return value


class ContractField(Part):
    """One field of the records: a column of a file, a key of a JSON object."""

    name: Name = Field(description="The name, exactly as it is in the header of the file.")
    type: Type = Field(description="The type of the values.")
    title: str = Field("", description="A name for people.")
    description: str = Field("", description="The meaning of the values.")
    unit: str = Field("", description="The unit of the values, for example `EUR` or `m²`.")
    format: str = Field(
        "default",
        description="How text files write a date: `default` is ISO 8601, `%d.%m.%Y` a pattern. "
        "A string that is `binary` is an image, PNG or JPEG: its content in base64, or in a table its path. "
        "Other types: `default`.",
    )
    decimal_char: str = Field(".", min_length=1, max_length=1, description="The decimal mark in text files.")
    group_char: str | None = Field(
        None, min_length=1, max_length=1, description="The mark between groups of three digits in text files."
    )
    bare_number: bool = Field(
        True, description="With `false`, numbers in text files can have a currency, a percent sign or parentheses."
    )
    true_values: tuple[str, ...] = Field(TRUE, description="The words for true in text files.")
    false_values: tuple[str, ...] = Field(FALSE, description="The words for false in text files.")
    missing_values: tuple[str | MissingValue, ...] | None = Field(
        None, description="The texts that mean a missing value in this field, in place of those of all fields."
    )
    categories: tuple[str | int | Category, ...] | None = Field(
        None, min_length=1, description="All values of the field, each with a label if you like."
    )
    categories_ordered: bool = Field(False, description="The order of the categories has a meaning.")
    constraints: Constraints = Field(Constraints(), description="Limits of the values.")

    _lists = field_validator("true_values", "false_values", "missing_values", "categories", mode="before")(as_tuple)

    @model_validator(mode="after")
    def _fits_its_type(self) -> ContractField:
        for part, allowed in ((self, KEYS_OF), (self.constraints, LIMITS_OF)):
            for key, types in allowed.items():
                if key in part.model_fields_set and getattr(part, key) is not None and self.type not in types:
                    raise ValueError(f"{to_camel(key)} is for {' and '.join(types)}, and the type is {self.type}")
        if self.type == "number" and self.group_char == self.decimal_char:
            raise ValueError(f"groupChar and decimalChar are both {self.decimal_char!r}")
        self._check_format()
        self._check_bounds()
        self._check_allowed()
        return self

    @property
    def values(self) -> tuple[str | int, ...] | None:
        """The values of the categories; `None` if the field has none."""
        if self.categories is None:
            return None
        return tuple(each.value if isinstance(each, Category) else each for each in self.categories)

    @property
    def allowed(self) -> tuple[str | int | float | bool, ...] | None:
        """The values of `enum`, or else those of the categories; `None` if all are allowed."""
        return self.constraints.enum if self.constraints.enum is not None else self.values

    @property
    def is_image(self) -> bool:
        """Whether the values are images: the content of their files, in base64."""
        return self.type == "string" and self.format == "binary"

    @property
    def labels(self) -> dict[str | int, str]:
        """The label of each category that has one."""
        return {each.value: each.label for each in self.categories or () if isinstance(each, Category) and each.label}

    def _check_format(self) -> None:
        if self.is_image:
            limits = self.constraints
            for key, value in (
                ("categories", self.categories),
                ("enum", limits.enum),
                ("pattern", limits.pattern),
            ):
                if value is not None:
                    raise ValueError(f"{key} is for words and numbers, and format binary is an image")
            return
        if self.format == "default" or (self.type in ("date", "datetime") and "%" in self.format):
            return
        other = " or a pattern like %d.%m.%Y" if self.type in ("date", "datetime") else ""
        other = " or binary" if self.type == "string" else other
        raise ValueError(f"format is {self.format!r}, and a {self.type} has default{other}")

    def _check_bounds(self) -> None:
        low, high = self.constraints.minimum, self.constraints.maximum
        for name, bound in (("minimum", low), ("maximum", high)):
            if bound is None:
                continue
            kind = {"integer": int, "number": int | float, "date": date, "datetime": date}[self.type]
            has_time = self.type == "date" and isinstance(bound, datetime)
            is_finite = not isinstance(bound, float) or math.isfinite(bound)
            if not isinstance(bound, kind) or isinstance(bound, bool) or has_time or not is_finite:
                raise ValueError(f"{name} is {bound}, which is not a {self.type}")
        if low is not None and high is not None and as_moment(low) > as_moment(high):
            raise ValueError(f"minimum is {low}, which is more than maximum {high}")

    def _check_allowed(self) -> None:
        kind = {"integer": int, "number": int | float, "boolean": bool}.get(self.type, str)
        for name, values in (("enum", self.constraints.enum), ("categories", self.values)):
            for value in values or ():
                if not isinstance(value, kind) or (isinstance(value, bool) and self.type != "boolean"):
                    raise ValueError(
                        f"{name} has {value!r}, which is not a {self.type}" + (": quote it" if kind is str else "")
                    )
            if len(set(values or ())) < len(values or ()):
                raise ValueError(f"{name} has a value twice")


def as_moment(bound: Any) -> Any:
    """Return a bound in a form that compares with others of its field: dates become moments in UTC."""
    if isinstance(bound, datetime):
        return bound if bound.tzinfo else bound.replace(tzinfo=UTC)
    if isinstance(bound, date):
        return datetime(bound.year, bound.month, bound.day, tzinfo=UTC)
    return bound
