"""A check of the lint: what a person reads about it, and the function that looks.

Each check is a class in the module of its page below `checks/`. For example `ConflictMarker` in `checks/leftovers.py`
is MLO101, and docs/reference/lint/leftovers.md has its text. An id never changes its meaning and is never given again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from copier_mlops.lint.finding import Finding

if TYPE_CHECKING:
    from copier_mlops.lint.project import Project

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Example:
    """A fault as it looks in a file, and what to write instead.

    `file` is a path, or a command (`git ls-files`) if the fault is that a file is or is not there.
    """

    file: str
    wrong: str
    instead: str


class Check(ABC):
    """The base of all checks: a subclass fills in the attributes and `look`."""

    id: ClassVar[str]
    # A name for people, for example `conflict-marker`. Settings and options take it, and the class has it as well.
    name: ClassVar[str]
    # Names that it once had: settings that use them keep working.
    old_names: ClassVar[tuple[str, ...]] = ()
    # A warning never fails the lint.
    severity: ClassVar[str] = ERROR
    # Its page in docs/reference/lint.
    page: ClassVar[str]
    finds: ClassVar[str]
    why: ClassVar[str]
    fix: ClassVar[str]
    example: ClassVar[Example]
    # The option without which it does not run, for example `--drift`.
    needs: ClassVar[str] = ""
    # Whether `--fix` can fix it in the cases in which nothing is lost.
    fixes_itself: ClassVar[bool] = False

    @abstractmethod
    def look(self, project: Project) -> Iterable[Finding]:
        """Yield each fault of a project."""

    def found(self, path: str, line: int, message: str, fix: Callable[[], bool] | None = None) -> Finding:
        """Return a finding of this check."""
        return Finding(path, line, self.id, message, fix)
