"""Read a contract: what the records of a project are, in a file that people write, check and change.

`contract.yaml` is a Table Schema v2 of Frictionless. Its key `learning` has all that the standard has no words for.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from copier_mlops.contract.fields import Category, Constraints, ContractField, MissingValue, Name, Part, as_tuple

__all__ = ["Contract", "ContractError", "ContractField", "Learning", "Sensitive", "identifier", "parse", "read"]

Problem = Literal["binary", "multiclass", "regression"]
# A contract is read by people. Above this size it is a mistake, for example a data file.
MOST_BYTES = 4_000_000
STANDARD = "https://datapackage.org/profiles/2.0/tableschema.json"


class ContractError(ValueError):
    """A contract that cannot be used; the text says which file, field and key, and the fix."""


class Sensitive(Part):
    """A field that says to which group a person belongs, so that the model is compared between groups."""

    field: Name = Field(description="The name of the field.")
    groups: dict[str, tuple[str | int | bool, ...]] = Field(
        {}, description="The values of each group. Without it, each category is a group."
    )
    bounds: tuple[int | float, ...] = Field(
        (), description="For numbers: the first value of each further group, for example [25, 60]."
    )

    _lists = field_validator("bounds", mode="before")(as_tuple)

    @field_validator("groups", mode="before")
    @classmethod
    def _lists_of_groups(cls, value: Any) -> Any:
        return {key: as_tuple(each) for key, each in value.items()} if isinstance(value, dict) else value


class Learning(Part):
    """The target of a model, and the fields that have a part in learning it."""

    target: Name = Field(description="The field that a model predicts.")
    problem: Problem = Field(description="The kind of value that the target has.")
    positive: str | int | bool | None = Field(
        None, description="Of a binary problem: the value whose probability a model gives."
    )
    time: Name | None = Field(
        None, description="The field whose order the split keeps: the newest records are the test."
    )
    group: Name | None = Field(
        None, description="The field whose records stay together in a split, for example a patient."
    )
    ignore: tuple[Name, ...] = Field((), description="Fields that are checked but never given to a model.")
    text: tuple[Name, ...] = Field((), description="String fields that hold free text.")
    new_categories: tuple[Name, ...] = Field(
        (), description="Fields in which a value outside of the categories is accepted, as a category that is unknown."
    )
    sensitive: tuple[Sensitive, ...] = Field((), description="Fields that name groups of persons.")
    unlogged: tuple[Name, ...] = Field((), description="Fields that no log may hold.")

    _lists = field_validator("ignore", "text", "new_categories", "sensitive", "unlogged", mode="before")(as_tuple)

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield each key that names a field, and the name."""
        for key in ("target", "time", "group"):
            if name := getattr(self, key):
                yield key, name
        for key in ("ignore", "text", "new_categories", "unlogged"):
            yield from ((to_camel(key), name) for name in getattr(self, key))
        yield from (("sensitive", each.field) for each in self.sensitive)


class Contract(Part):
    """The contract of a project: its fields, its key and what is learned."""

    schema_: str = Field("", alias="$schema", description=f"The standard: {STANDARD}")
    title: str = Field("", description="A name for the data.")
    description: str = Field("", description="The meaning of a record, and the source of the data.")
    learning: Learning = Field(description="The target, and the parts of other fields. The standard allows such keys.")
    missing_values: tuple[str | MissingValue, ...] = Field(
        ("",), description="The texts that mean a missing value, in each field that does not say it otherwise."
    )
    primary_key: tuple[Name, ...] = Field(
        (),
        description="The field, or fields, that tell records apart. Never a feature.",
        json_schema_extra={"type": ["array", "string"]},
    )
    fields: tuple[ContractField, ...] = Field(min_length=1, description="The fields, in the order of the file.")

    _lists = field_validator("fields", "missing_values", mode="before")(as_tuple)

    @field_validator("primary_key", mode="before")
    @classmethod
    def _key(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else as_tuple(value)

    @model_validator(mode="after")
    def _agrees(self) -> Contract:
        same = clash([field.name for field in self.fields])
        if same:
            raise ValueError(f"fields {same[0]!r} and {same[1]!r} are one name to a program: {identifier(same[1])}")
        names = [field.name for field in self.fields]
        for key, name in (*self.learning.named(), *(("primaryKey", name) for name in self.primary_key)):
            if name not in names:
                raise ValueError(f"{key} names {name!r}, which is not a field{_near(name, names)}")
        _check_target(self)
        _check_roles(self)
        return self

    def field(self, name: str) -> ContractField:
        """Return the field of a name.

        Raises:
            KeyError: The contract has no such field.
        """
        return {field.name: field for field in self.fields}[name]

    @property
    def target(self) -> ContractField:
        """The field that is predicted."""
        return self.field(self.learning.target)

    @property
    def inputs(self) -> tuple[ContractField, ...]:
        """The fields of a record that asks for a prediction: all but the target."""
        return tuple(field for field in self.fields if field.name != self.learning.target)

    @property
    def features(self) -> tuple[ContractField, ...]:
        """The fields that a model may use: no key, no group, nothing that is ignored."""
        left_out = {*self.primary_key, *self.learning.ignore, self.learning.group}
        return tuple(field for field in self.inputs if field.name not in left_out)

    @property
    def images(self) -> tuple[ContractField, ...]:
        """The fields that are images."""
        return tuple(field for field in self.fields if field.is_image)

    def missing(self, field: ContractField) -> tuple[str, ...]:
        """Return the texts that mean a missing value in a field."""
        values = self.missing_values if field.missing_values is None else field.missing_values
        return tuple(each.value if isinstance(each, MissingValue) else each for each in values)

    def is_required(self, field: ContractField) -> bool:
        """Return whether a record must have a value: those of the key always must."""
        return field.constraints.required or field.name in self.primary_key


def identifier(name: str) -> str:
    """Return a name that programs can use, for example `device_os` for `device "os"`; letters of all scripts stay."""
    plain = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name).casefold()).strip("_")
    return plain if plain[:1].isalpha() else f"field_{plain}"


def clash(names: list[str]) -> tuple[str, str] | None:
    """Return the first two names that are the same once they are identifiers; `None` if all differ."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(identifier(name), name)
        if other is not name:
            return other, name
    return None


def read(path: Path) -> Contract:
    """Return the contract of a file.

    Raises:
        ContractError: It is missing, is not YAML, or breaks a rule; the text names file, field and key.
    """
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ContractError(f"{path} has {size:,} bytes, which is not a contract\n  fix: name the contract.yaml")
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ContractError(f"{path} is missing\n  fix: uv run poe adopt-data FILE --target COLUMN") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path} cannot be read: {error}\n  fix: git restore {path}") from None
    return parse(content, str(path))


def parse(content: str, source: str) -> Contract:
    """Return the contract of a YAML text.

    Args:
        content: The YAML.
        source: What an error names as the file.

    Raises:
        ContractError: As `read`.
    """
    try:
        found = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ContractError(f"{source} is not YAML: {reason}\n  fix: correct that line") from None
    if not isinstance(found, dict):
        raise ContractError(f"{source} has no keys\n  fix: it needs `fields` and `learning`")
    try:
        return Contract.model_validate(found)
    except ValidationError as error:
        raise ContractError(_explained(error, found, source)) from None


def _explained(error: ValidationError, found: dict[str, Any], source: str) -> str:
    """Return the first problem of a contract as a sentence with its fix."""
    problems = error.errors(include_url=False, include_input=True)
    # A list of values or mappings reports what each of both would need: an unknown key of a mapping says most.
    problem = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    place: list[str] = []
    owner = ""
    keys: list[Any] = [each for each in problem["loc"] if not (str(each) in _NAMES or "[" in str(each))]
    if keys[:1] == ["fields"] and len(keys) > 1:
        field = found["fields"][keys[1]]
        has_name = isinstance(field, dict) and "name" in field
        owner = f", field {str(field['name'])!r:.80}" if has_name else f", {keys[1] + 1}. field"
        keys = keys[2:]
    for key in keys:
        place.append(f"[{key}]" if isinstance(key, int) else f".{key}" if place else str(key))
    where = f"{source}{owner}" + (f", {''.join(place)}" if place else "")
    return f"{where}: {_reason(problem, keys, bool(owner))}"


# Parts of a location that pydantic adds for the member of a union.
_NAMES = {"str", "int", "float", "bool", "date", "Category", "MissingValue", "tuple"}


def _reason(problem: Any, keys: list[Any], is_of_field: bool) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return f"is missing\n  fix: write `{keys[-1] if keys else 'fields'}: …`"
    if kind == "extra_forbidden":
        known = _known(keys, ContractField if is_of_field else Contract)
        key = str(keys[-1])
        return f"is not a key of a contract{_near(key, known)}\n  fix: one of {', '.join(sorted(known))}"
    if kind == "literal_error":
        return f"{problem['input']!r:.60} is not allowed\n  fix: one of {context['expected']}"
    if kind == "value_error":
        return f"{context['error']}\n  fix: change one of the two, so that they agree"
    text = str(problem["msg"]).replace("tuple", "list")
    text = re.sub(r"valid dictionary or instance of \w+", "mapping of keys to values", text)
    return f"{problem['input']!r:.60} is not allowed: {text[0].lower()}{text[1:]}\n  fix: write such a value"


def _known(keys: list[Any], part: type[Part]) -> list[str]:
    """Return the keys that are known at the place of an unknown one."""
    parts: dict[Any, type[Part]] = {
        "constraints": Constraints,
        "learning": Learning,
        "sensitive": Sensitive,
        "categories": Category,
        "missingValues": MissingValue,
    }
    for key in keys[:-1]:
        part = parts.get(key, part)
    return [each.alias or name for name, each in part.model_fields.items()]


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _check_target(contract: Contract) -> None:
    """Refuse a target whose type does not fit its problem."""
    learning, target = contract.learning, contract.target
    if learning.problem == "regression":
        if target.type not in ("integer", "number") or target.categories is not None:
            raise ValueError(f"the target {target.name!r} is of type {target.type}, and regression needs numbers")
        if learning.positive is not None:
            raise ValueError("positive is for a binary problem, and the problem is regression")
        return
    values = (True, False) if target.type == "boolean" else target.values
    if values is None:
        raise ValueError(f"the target {target.name!r} needs categories: its classes")
    if learning.problem == "multiclass":
        if len(values) < 3 or learning.positive is not None:
            raise ValueError(f"multiclass has three classes or more and no positive; {target.name!r} has {len(values)}")
    elif len(values) != 2:
        raise ValueError(f"a binary target has two classes, and {target.name!r} has {len(values)}")
    elif (learning.positive, type(learning.positive)) not in [(value, type(value)) for value in values]:
        raise ValueError(f"positive is {learning.positive!r}, and the classes are {values[0]!r} and {values[1]!r}")


def _check_roles(contract: Contract) -> None:
    """Refuse a field that has two parts that exclude each other, or a part that its type cannot have."""
    learning = contract.learning
    for key, names in (("primaryKey", contract.primary_key), ("ignore", learning.ignore), ("group", (learning.group,))):
        if learning.target in names:
            raise ValueError(f"{key} names the target {learning.target!r}")
    if learning.time and contract.field(learning.time).type not in ("date", "datetime", "integer", "number"):
        raise ValueError(f"time names {learning.time!r}, whose type {contract.field(learning.time).type} has no order")
    for name in learning.text:
        if contract.field(name).type != "string" or contract.field(name).categories is not None:
            raise ValueError(f"text names {name!r}, which is not a string without categories")
    for name in learning.new_categories:
        if contract.field(name).categories is None:
            raise ValueError(f"newCategories names {name!r}, which has no categories")
    for key, name in (*learning.named(), *(("primaryKey", name) for name in contract.primary_key)):
        if key != "ignore" and key != "unlogged" and contract.field(name).is_image:
            raise ValueError(f"{key} names {name!r}, which is an image")
    if not contract.features:
        raise ValueError("no field is left for a model")
