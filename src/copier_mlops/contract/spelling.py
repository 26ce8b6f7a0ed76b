"""Find out how the texts of a column write their values: which type, which marks, which words.

Numbers of one file share their decimal mark: `297.200` is a price of 297,200 in a file whose other columns have 87,7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from copier_mlops.contract.cast import bare, cast
from copier_mlops.contract.fields import ContractField

# Texts that mean a missing value in every column, and those that do so only between numbers or dates.
MISSING = (
    "n/a",
    "N/A",
    "NA",
    "n. a.",
    "#N/A",
    "#NV",
    "k. A.",
    "k.A.",
    "keine Angabe",
    "nan",
    "NaN",
    "NULL",
    "null",
    "<NA>",
)
MISSING_BETWEEN_VALUES = ("-", "--", "?", ".", "None", "none", "nil", "unknown", "unbekannt", "missing", "inconnu")
# The share of a sample that a type must fit. The rest is looked at afterwards.
ENOUGH = 0.9
BOOLEANS = [
    ("true", "false"),
    ("yes", "no"),
    ("y", "n"),
    ("t", "f"),
    ("ja", "nein"),
    ("wahr", "falsch"),
    ("oui", "non"),
    ("vrai", "faux"),
    ("si", "no"),
    ("sí", "no"),
    ("on", "off"),
]
DOT: list[dict[str, Any]] = [{}, *({"groupChar": mark} for mark in (",", " ", "\xa0", "'"))]
COMMA: list[dict[str, Any]] = [
    {"decimalChar": ",", **({"groupChar": mark} if mark else {})} for mark in ("", ".", " ", "\xa0")
]
# Numbers as they are, and with a currency, a percent sign or parentheses.
FORMS: list[dict[str, Any]] = [{}, {"bareNumber": False}]
# Columns that are asked for the decimal mark of the file.
VOTERS = 200
DATES = (
    "default",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%d.%m.%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d %B %Y",
)
MOMENTS = (
    "%Y-%m-%d %H:%M:%S",
    "default",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
)
_DATE_LIKE = re.compile(r"\d{1,4}[-./ ]+(\d{1,2}|[A-Za-z]{3,9})[-./ ,]+\d{2,4}")
_MONEY = r"^\(?[+−-]?\s*(\p{Sc}|[A-Z]{3}\s)?\s*[+−-]?\d[\d.,' ]*\s*(%|\p{Sc}|[A-Z]{3})?\)?$"
_UNIT = re.compile(r"[%€$£¥₹]|\b[A-Z]{3}\b")


@dataclass(frozen=True)
class Spelling:
    """How a column is written: keys of its field, the reason, and what may be wrong about it."""

    keys: dict[str, Any]
    reason: str = ""
    doubts: tuple[str, ...] = ()


@dataclass
class Column:
    """The distinct texts of a column in a sample, how often each occurs, and those that mean a missing value."""

    texts: Any
    counts: Any
    missing: tuple[str, ...] = ("", *MISSING, *MISSING_BETWEEN_VALUES)
    _shares: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Any) -> Column:
        """Return the column of n texts."""
        found = pc.value_counts(texts.drop_null())
        return cls(found.field("values"), found.field("counts"))

    def share(self, keys: dict[str, Any]) -> float:
        """Return the share of the values that are as a field with these keys says; 0 if all are missing."""
        known = str(keys)
        if known not in self._shares:
            found = cast(self.texts, ContractField.model_validate({"name": "x"} | keys), self.missing)
            all_values = pc.sum(self.counts.filter(pc.invert(found.is_missing))).as_py() or 0
            unfit = pc.sum(self.counts.filter(found.is_unfit)).as_py() or 0
            self._shares[known] = (all_values - unfit) / all_values if all_values else 0.0
        return self._shares[known]

    def values(self) -> list[str]:
        """Return the distinct texts that are values."""
        return [text for text in self.texts.to_pylist() if text.strip() not in self.missing]


def has_decimal_comma(columns: list[Column], delimiter: str) -> bool:
    """Return whether the numbers of a file have a decimal comma; columns that can only be read in one way decide."""
    votes = 0
    decimals = (column for column in columns if column.share({"type": "integer"}) < ENOUGH)
    for column in islice(decimals, VOTERS):
        plain = Column(bare(column.texts), column.counts, column.missing) if _is_money(column) else column
        is_dot, is_comma = (
            any(plain.share({"type": "number"} | style) >= ENOUGH for style in styles) for styles in (DOT, COMMA)
        )
        votes += is_comma - is_dot
    return votes > 0 or (votes == 0 and delimiter == ";")


def spell(column: Column, comma: bool, enough: float = ENOUGH) -> Spelling:
    """Return how a column is written.

    Args:
        column: Its distinct texts.
        comma: The numbers of the file have a decimal comma.
        enough: The share of the values that must be of a type.
    """
    values = column.values()
    if not values:
        return Spelling({"type": "string"}, "it has no values")
    return (
        _boolean(values)
        or _code(column, values, enough)
        or _number(column, comma, enough)
        or _moment(column, values, enough)
        or Spelling({"type": "string"}, "its values are texts")
    )


def _boolean(values: list[str]) -> Spelling | None:
    words = {value.strip().casefold() for value in values}
    for true, false in BOOLEANS:
        if words == {true, false}:
            keys = {
                "type": "boolean",
                "trueValues": sorted(value for value in values if value.strip().casefold() == true),
                "falseValues": sorted(value for value in values if value.strip().casefold() == false),
            }
            return Spelling(keys, f"its values are {true} and {false}")
    return None


def _code(column: Column, values: list[str], enough: float) -> Spelling | None:
    """Return the spelling of whole numbers that are names: zeros at their beginning would be lost."""
    if column.share({"type": "integer"}) < enough and not all(value.isdigit() for value in values):
        return None
    if any(re.fullmatch(r"0\d+", value.strip()) for value in values):
        return Spelling({"type": "string"}, "zeros at the beginning of its digits would be lost in a number")
    if any(len(value.strip().lstrip("+-")) > 18 for value in values):
        return Spelling({"type": "string"}, "it has more digits than a number keeps")
    return None


def _is_money(column: Column) -> bool:
    matches = pc.match_substring_regex(pc.utf8_trim_whitespace(column.texts), _MONEY)
    known = pc.is_in(pc.utf8_trim_whitespace(column.texts), pa.array(column.missing, pa.string()))
    fit, unknown = pc.sum(column.counts.filter(matches)).as_py() or 0, pc.sum(column.counts.filter(known)).as_py() or 0
    return bool(fit >= ENOUGH * max(1, pc.sum(column.counts).as_py() - unknown))


def _number(column: Column, comma: bool, enough: float) -> Spelling | None:
    if column.share({"type": "integer"}) >= enough:
        return Spelling({"type": "integer"}, "its values are whole numbers")
    for form in FORMS:
        if form and not _is_money(column):
            return None
        for style in [*COMMA, *DOT] if comma else [*DOT, *COMMA]:
            keys = form | style
            whole = {key: value for key, value in keys.items() if key != "decimalChar"}
            if "groupChar" in keys and column.share({"type": "integer"} | whole) >= enough:
                return _told({"type": "integer"} | whole, column)
            if column.share({"type": "number"} | keys) >= enough:
                return _told({"type": "number"} | keys, column)
    return None


def _told(keys: dict[str, Any], column: Column) -> Spelling:
    """Return the spelling of numbers, with its reason."""
    values = column.values()
    example = max(values[:1_000], key=len)
    doubts: tuple[str, ...] = ()
    if keys == {"type": "number"} and all(re.fullmatch(r"-?\d{1,3}\.\d{3}", value.strip()) for value in values[:1_000]):
        doubts = ("each value has three digits after its dot: if the dot groups thousands, set groupChar",)
    units = {found[0] for value in values[:1_000] if (found := _UNIT.search(value))}
    if len(units) == 1:
        keys["unit"] = units.pop()
    return Spelling(keys, f"its values are numbers, for example {example.strip()[:40]}", doubts)


def _moment(column: Column, values: list[str], enough: float) -> Spelling | None:
    if sum(bool(_DATE_LIKE.match(value.strip())) for value in values[:100]) < 0.5 * len(values[:100]):
        return None
    for kind, formats in (("date", DATES), ("datetime", MOMENTS)):
        for form in formats:
            keys = {"type": kind} | ({"format": form} if form != "default" else {})
            if column.share(keys) < enough:
                continue
            other = keys | {"format": form.replace("%d/%m", "%m/%d")}
            doubts: tuple[str, ...] = ()
            if "%d/%m" in form and column.share(other) >= enough:
                doubts = (f"its days and months can be read in both orders: it is read as {form}",)
            return Spelling(keys, f"its values are {kind}s, for example {values[0].strip()[:40]}", doubts)
    return None
