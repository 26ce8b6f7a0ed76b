"""Check records of files as the service checks those of requests, and say in few words what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Codes are short; a longer text is a mistake, or an attempt to fill the log.
MOST_OF_A_CODE = 64
# Problems that a refusal lists, and characters of a value that it shows.
SENTENCES, VALUE = 5, 60


def shown(text: str, most: int) -> str:
    """Return at most so many characters of a text, which every encoding can write."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return cut.encode("utf-8", "replace").decode("utf-8")


def refuse(problems: Iterable[str], source: Path) -> None:
    """Refuse records that have a problem.

    Raises:
        ValueError: They have; the text names the first few.
    """
    found = list(islice(problems, SENTENCES + 1))
    if found:
        listed = found[:SENTENCES] + ["… and more"] * (len(found) > SENTENCES)
        raise ValueError(f"{source} breaks the data contract:\n  " + "\n  ".join(listed))


def mistyped(table: pd.DataFrame, schema: ModuleType, numbers: set[type]) -> Iterator[str]:
    """Yield a sentence for each value of a typed file whose type is not that of its column.

    Args:
        table: n records as they were read; a column of another name may hold numbers or texts.
        numbers: The types of a number in this format. `True` is not one of them.
    """
    for name, column in table.items():
        allowed, expected = numbers | {str}, "a whole number or a text"
        if name in schema.NUMBERS:
            allowed, expected = numbers, "a whole number"
        elif name in schema.CATEGORIES:
            allowed, expected = {str}, "a text"
        wrong = ~column.astype(object).map(type).isin(list(allowed))
        yield from _sentences(str(name), column[wrong], expected)


def out_of_range(records: pd.DataFrame, schema: ModuleType) -> Iterator[str]:
    """Yield a sentence for each value of the schema's columns that `/predict` would refuse as well.

    A code that is not in the schema passes: the predictor can handle it.
    """
    for feature in schema.FEATURES:
        column = records.get(feature.name)
        if column is None:
            continue
        if hasattr(feature, "codes"):
            wrong = column.isin([value for value in column.unique() if not _is_code(value)])
            yield from _sentences(feature.name, column[wrong], f"a text of at most {MOST_OF_A_CODE} characters")
        else:
            wrong = ~column.between(feature.low, feature.high)
            yield from _sentences(feature.name, column[wrong], f"{feature.low} to {feature.high}")


def _is_code(value: Any) -> bool:
    # "\ud800" is half a character, which JSON can say and no encoding can write.
    return isinstance(value, str) and shown(value, MOST_OF_A_CODE) == value


def _sentences(name: str, wrong: pd.Series, expected: str) -> Iterator[str]:
    for record, value in wrong.items():
        yield f"record {record}: {shown(name, VALUE)} is {shown(repr(value), VALUE)}, expected {expected}"
