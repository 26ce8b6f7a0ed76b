"""Hold a repository against the criteria of all levels."""

from collections.abc import Iterator
from dataclasses import dataclass

from copier_mlops.lint.project import Project
from copier_mlops.maturity.evidence import LOOKS, Evidence
from copier_mlops.registry import registry


def title(level: int) -> str:
    """A level in words."""
    return f"Level {level}, {registry('levels')[level]['name'].lower()}"


@dataclass(frozen=True)
class Judged:
    """A criterion and what was seen of it. `next` is empty where it is met."""

    id: str
    level: int
    means: str
    met: bool
    evidence: str
    next: str


@dataclass(frozen=True)
class Report:
    """What was seen of all criteria; `answered` is the level of the answers file, None where it says none."""

    criteria: list[Judged]
    answered: int | None

    @property
    def level(self) -> int | None:
        """The highest level whose criteria and those of all below are met; None where not even level 0's are."""
        unmet = min((each.level for each in self.criteria if not each.met), default=len(registry("levels")))
        return unmet - 1 if unmet else None

    @property
    def name(self) -> str:
        """What the level is called."""
        return "No level yet" if self.level is None else registry("levels")[self.level]["name"]

    @property
    def title(self) -> str:
        """The level in words."""
        return self.name if self.level is None else title(self.level)

    @property
    def ahead(self) -> list[Judged]:
        """What is missing for the next level."""
        following = 0 if self.level is None else self.level + 1
        return [each for each in self.criteria if each.level == following and not each.met]


def judge(project: Project) -> Report:
    """Look at everything, also at what lies above a level that is not reached: it says what the next step is."""
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
    except Exception as error:  # what cannot be looked at is not met, and hides no other criterion
        return Evidence(False, f"cannot be looked at: {type(error).__name__}: {error}")
