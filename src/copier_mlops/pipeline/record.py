"""The record of when each stage ran last, for how long and where: `build/stages.json`, which the report draws."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path("build", "stages.json")


@dataclass(frozen=True)
class StageRecord:
    """The last time that the command of a stage ran.

    Attributes:
        seconds: How long it took.
        place: The name of the machine.
        ended: When it ended, in UTC, for example `2026-11-30T18:30:12+00:00`.
        failed: Whether it failed.
    """

    seconds: float
    place: str
    ended: str
    failed: bool = False

    @classmethod
    def now(cls, seconds: float, *, failed: bool = False) -> StageRecord:
        """Return the record of a stage that ended now, on this machine."""
        import platform  # a training with nothing to do needs none of it

        ended = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return cls(round(seconds, 2), platform.node(), ended, failed)


def read(root: Path) -> dict[str, StageRecord]:
    """Return the record of each stage by its name; none of those that cannot be read."""
    found: dict[str, StageRecord] = {}
    with contextlib.suppress(OSError, ValueError, AttributeError):
        for name, each in json.loads((root / FILE).read_text(encoding="utf-8")).items():
            with contextlib.suppress(TypeError):
                found[name] = StageRecord(**each)
    return found


def stamp(root: Path) -> int:
    """Return when the file was last written, in nanoseconds; 0 if it is not there."""
    try:
        return (root / FILE).stat().st_mtime_ns
    except OSError:
        return 0


def add(root: Path, ran: Mapping[str, StageRecord]) -> None:
    """Write the records of stages that ran; those of others stay. A full disk costs the record, and nothing else."""
    if not ran:
        return
    texts = {name: asdict(each) for name, each in {**read(root), **ran}.items()}
    draft = (root / FILE).with_suffix(".draft")
    with contextlib.suppress(OSError):
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(texts, indent=2) + "\n", encoding="utf-8")
        draft.replace(root / FILE)
