"""What came of a flow."""

from dataclasses import dataclass, field


@dataclass
class Result:
    """The jobs that started, by their names, whether the flow failed, and all that was printed."""

    jobs: list[str] = field(default_factory=list)
    failed: bool = False
    printed: str = ""
