"""The checks, as checks.yml describes them."""

import functools
from dataclasses import dataclass
from pathlib import Path

from copier_mlops.lint.finding import LintError
from copier_mlops.lint.reading import parse

CHECKS = Path(__file__).resolve().with_name("checks.yml")
ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Check:
    """An entry of checks.yml."""

    id: str
    name: str
    severity: str
    page: str
    finds: str
    why: str
    fix: str
    needs: str = ""
    fixes_itself: bool = False


@functools.cache
def checks() -> dict[str, Check]:
    """Return every check by its id."""
    entries = parse(CHECKS.read_bytes())
    return {id: Check(id=id, **{"severity": ERROR} | entry) for id, entry in entries.items()}


def named(prefixes: list[str], where: str) -> tuple[str, ...]:
    """Return prefixes of ids, each the start of one; the name of a check stands for its id.

    Raises:
        LintError: There is no such check.
    """
    by_name = {check.name: id for id, check in checks().items()}
    found = tuple(by_name.get(prefix, prefix) for prefix in prefixes)
    unknown = [each for each in found if not each or not any(id.startswith(each) for id in checks())]
    if unknown:
        raise LintError(f"{where} names no check: {', '.join(map(repr, unknown))}; `mlops lint --list` has all")
    return found
