"""What a check says of a file."""

from collections.abc import Callable
from dataclasses import dataclass, field


class LintError(Exception):
    """The lint cannot do what it was asked for; the text says why, and what is allowed."""


@dataclass(frozen=True, order=True)
class Finding:
    """A fault: where it is, which check found it, and what it is in one sentence.

    `line` is 0 where the fault is no line of the file, `path` is empty where it is no file. `fix`, where there is one,
    takes the fault away, loses nothing that a person wrote, and says whether it did.
    """

    path: str
    line: int
    check: str
    message: str
    fix: Callable[[], bool] | None = field(default=None, compare=False, repr=False)
