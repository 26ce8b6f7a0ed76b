"""Findings: what a check reports about a file."""

from collections.abc import Callable
from dataclasses import dataclass, field


class LintError(Exception):
    """The lint cannot do what you asked; the text says why, and what is allowed."""


@dataclass(frozen=True, order=True)
class Finding:
    """A fault: its place, the check that found it, and one sentence about it.

    `line` is 0 if the fault is not in one line, and `path` is empty if it is not in one file. `fix` removes the fault,
    loses nothing that a person wrote, and returns whether it did; it is None if no such fix exists.
    """

    path: str
    line: int
    check: str
    message: str
    fix: Callable[[], bool] | None = field(default=None, compare=False, repr=False)
