"""Judge a repository by the criteria of all levels."""

from collections.abc import Iterator
from dataclasses import dataclass

from copier_mlops.lint.project import Project
from copier_mlops.maturity.evidence import LOOKS, Evidence
from copier_mlops.registry import registry


def title(level: int) -> str:
    """Return the title of a level, for example `Level 2, automated training`."""
    return f"Level {level}, {registry('levels')[level]['name'].lower()}"


@dataclass(frozen=True)
class Judged:
    """A criterion and its evidence. `next` is empty if the criterion is met."""

    id: str
    level: int
    means: str
    met: bool
    evidence: str
    next: str


@dataclass(frozen=True)
class Report:
    """All criteria with their evidence; `answered` is the level of the answers file, or None."""

    criteria: list[Judged]
    answered: int | None

    @property
    def level(self) -> int | None:
        """The highest level whose criteria, and those of all levels below, are met; None if there is none."""
        unmet = min((each.level for each in self.criteria if not each.met), default=len(registry("levels")))
        return unmet - 1 if unmet else None

    @property
    def name(self) -> str:
        """The name of the level."""
        return "No level yet" if self.level is None else registry("levels")[self.level]["name"]

    @property
    def title(self) -> str:
        """The title of the level."""
        return self.name if self.level is None else title(self.level)

    @property
    def ahead(self) -> list[Judged]:
        """The criteria that are missing for the next level."""
        following = 0 if self.level is None else self.level + 1
        return [each for each in self.criteria if each.level == following and not each.met]


def judge(project: Project) -> Report:
    """Check every criterion, those above the reached level as well: they name the next step."""
    return Report(list(_judged(project)), project.level if project.level >= 0 else None)


def _judged(project: Project) -> Iterator[Judged]:
    for id, entry in registry("maturity").items():
        seen = [_look(project, kind, value) for kind, value in entry["looks"].items()]
        met = all(each.met for each in seen)
        shown = "; ".join(each.text for each in seen if each.met == met)
        yield Judged(id, entry["level"], entry["means"], met, shown, "" if met else entry["next"])


def _look(project: Project, kind: str, value: object) -> Evidence:
    try:
        return LOOKS[kind](project, value)
    except Exception as error:  # a criterion that cannot be checked is not met, and hides no other
        return Evidence(False, f"cannot be checked: {type(error).__name__}: {error}")
