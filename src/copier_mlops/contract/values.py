"""Decide on one value of a field: whether it is missing, and which rule it breaks.

The rules are the same for a file, a request and a table in memory:

- A value is missing if it is null, NaN or one of the contract's texts for it.
- A whole number can be written as 42 or as 42.0, and has at most 64 bits. `true` is not a number.
- A number is finite. A text has no half characters (lone surrogates).
- A date is a date, or a text as 2026-12-31; a moment is a datetime, or a text as 2026-12-31T23:59:59Z.
"""

from __future__ import annotations

import math
import numbers
import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from copier_mlops import images
from copier_mlops.contract.fields import as_moment

if TYPE_CHECKING:
    from copier_mlops.contract.contract import Contract
    from copier_mlops.contract.fields import ContractField

LEAST, MOST = -(2**63), 2**63 - 1
# Beyond this, floats skip whole numbers.
EXACT = 2**53
# The most characters of a text whose field has no maxLength: more is a mistake, or an attempt to fill the log.
MOST_TEXT = 10_000
WHOLE, REAL = "a whole number of at most 64 bits", "a finite number"
DAY, MOMENT = "a date as 2026-12-31", "a moment as 2026-12-31T23:59:59Z"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


class Rules:
    """The rules of one field, ready to decide on many values."""

    def __init__(self, contract: Contract, field: ContractField) -> None:
        self.field = field
        self.is_required = contract.is_required(field)
        self.missing = frozenset(contract.missing(field))
        is_open = field.name in contract.learning.new_categories
        self.allowed = field.constraints.enum if is_open else field.allowed
        limits = field.constraints
        self.low, self.high = as_moment(limits.minimum), as_moment(limits.maximum)
        self.shortest, self.longest = limits.min_length or 0, limits.max_length or MOST_TEXT
        if field.is_image:
            images.require()
            self.longest = limits.max_length or images.MOST_TEXT
        self.pattern = re.compile(limits.pattern) if limits.pattern is not None else None

    def is_missing(self, value: Any) -> bool:
        """Return whether a value means that there is none."""
        if isinstance(value, str):
            return value in self.missing
        return value is None or _is_nothing(value)

    def broken(self, value: Any) -> str:
        """Return what is expected of a value; it is empty if the value is as the contract says."""
        if self.is_missing(value):
            return "a value, because the field is required" if self.is_required else ""
        return _BY_TYPE[self.field.type](self, value)

    def between(self) -> str:
        """Return the bounds in words."""
        low, high = self.field.constraints.minimum, self.field.constraints.maximum
        if low is not None and high is not None:
            return f"{low} to {high}"
        return f"at least {low}" if low is not None else f"at most {high}"

    def out_of_bounds(self, value: Any) -> str:
        """Return the bounds in words if a value is outside of them."""
        is_inside = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        return "" if is_inside else self.between()

    def not_allowed(self, value: Any) -> str:
        """Return the allowed values, at most ten of them, if a value is not one of them."""
        if self.allowed is None or value in self.allowed:
            return ""
        listed = ", ".join(map(repr, self.allowed[:10]))
        return f"one of {listed}" + (f" and {len(self.allowed) - 10} more" if len(self.allowed) > 10 else "")


def whole(value: Any) -> int | None:
    """Return a value as a whole number of at most 64 bits; `None` if it is not one."""
    if isinstance(value, numbers.Integral):
        number = int(value)
        return number if LEAST <= number <= MOST and not isinstance(value, bool) else None
    found = real(value)
    # A float of 2 ** 63 is one more than the greatest whole number.
    return int(found) if found is not None and found.is_integer() and LEAST <= found < MOST else None


def real(value: Any) -> float | None:
    """Return a value as a finite number; `None` if it is not one."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def day(value: Any) -> date | None:
    """Return a value as a date; `None` if it is not one. A datetime is one at midnight, as pandas has dates."""
    if isinstance(value, datetime):
        is_midnight = value.tzinfo is None and (value.hour, value.minute, value.second, value.microsecond) == (
            0,
            0,
            0,
            0,
        )
        return value.date() if is_midnight else None
    return value if isinstance(value, date) else _parsed(date, value) if isinstance(value, str) else None


def moment(value: Any) -> datetime | None:
    """Return a value as a datetime, in UTC if it names no zone; `None` if it is not one."""
    found = value if isinstance(value, datetime) else _parsed(datetime, value) if isinstance(value, str) else None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


@lru_cache(maxsize=10_000)
def _parsed(kind: type, text: str) -> Any:
    pattern = _DATE if kind is date else _MOMENT
    try:
        return kind.fromisoformat(text) if pattern.fullmatch(text) else None  # type: ignore[attr-defined]
    except ValueError:
        return None


def _is_nothing(value: Any) -> bool:
    # NaN, and NaT of pandas, differ from themselves; NA of pandas cannot say whether it does.
    if isinstance(value, float | datetime | numbers.Number):
        return bool(value != value)
    return type(value).__name__ == "NAType"


def _integer(rules: Rules, value: Any) -> str:
    number = whole(value)
    if number is None:
        return WHOLE
    return rules.not_allowed(number) or rules.out_of_bounds(number)


def _number(rules: Rules, value: Any) -> str:
    number = real(value)
    return REAL if number is None else rules.not_allowed(number) or rules.out_of_bounds(number)


def _boolean(rules: Rules, value: Any) -> str:
    # numpy's type is not a subclass of Python's, and its name is older than that of numpy 2.
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        return "true or false"
    return rules.not_allowed(bool(value))


def _string(rules: Rules, value: Any) -> str:
    if not isinstance(value, str) or not _can_be_written(value):
        return "a text"
    if not rules.shortest <= len(value) <= rules.longest:
        return f"{rules.shortest} to {rules.longest:,} characters"
    if rules.field.is_image:
        return images.fault(value)
    if rules.pattern is not None and not rules.pattern.fullmatch(value):
        return f"a text that matches {rules.pattern.pattern}"
    return rules.not_allowed(value)


def _date(rules: Rules, value: Any) -> str:
    found = day(value)
    return DAY if found is None else rules.out_of_bounds(as_moment(found))


def _datetime(rules: Rules, value: Any) -> str:
    found = moment(value)
    return MOMENT if found is None else rules.out_of_bounds(found)


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_BY_TYPE = {
    "integer": _integer,
    "number": _number,
    "string": _string,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
}
