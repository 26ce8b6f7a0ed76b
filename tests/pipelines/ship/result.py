"""What came of a flow."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.pipelines.described import described


@dataclass
class Result:
    """The jobs that started, by their names, whether the flow failed, and all that was printed."""

    jobs: list[str] = field(default_factory=list)
    failed: bool = False
    printed: str = ""


def in_order(flow: str, names: Iterable[str]) -> list[str]:
    """The jobs that started, in the order of the description: a host may start several at once."""
    started = set(names)
    return [job.name for job in described(3)[flow].jobs.values() if job.name in started]
