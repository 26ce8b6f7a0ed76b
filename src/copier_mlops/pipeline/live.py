"""The stages of a run as a picture in the terminal, which changes while they run; elsewhere, lines have to do.

A stage stands below those that it needs, indented by how many of them follow each other.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from copier_mlops.pipeline.engines import StageState, State
from copier_mlops.pipeline.times import spoken

if TYPE_CHECKING:
    from rich.table import Table

SIGNS = {
    State.WAITING: ("·", "dim"),
    State.RUNNING: ("▶", "bold blue"),
    State.SUCCEEDED: ("✓", "green"),
    State.FAILED: ("✗", "bold red"),
    State.SKIPPED: ("-", "dim"),
    State.CANCELLED: ("-", "yellow"),
}


class Picture:
    """The stages of a run with the state, the time and the place of each."""

    def __init__(self, needs: Mapping[str, tuple[str, ...]]) -> None:
        """Take the stages, each after those that it needs."""
        self.depth = depths(needs)
        self.states = dict.fromkeys(needs, StageState(State.WAITING))
        self.began: dict[str, float] = {}
        self.took: dict[str, float] = {}

    def set(self, name: str, state: State, place: str = "") -> None:
        """Note the state of a stage; of data, nothing is shown."""
        if name not in self.depth:
            return
        now = time.monotonic()
        if state is State.RUNNING:
            self.began.setdefault(name, now)
        elif state.has_ended and name in self.began:
            self.took.setdefault(name, now - self.began[name])
        self.states[name] = StageState(state, place)

    def __rich__(self) -> Table:
        """Return the table that `rich` shows."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, found in self.states.items():
            sign, style = SIGNS[found.state]
            seconds = self.took.get(name)
            if seconds is None and name in self.began:
                seconds = time.monotonic() - self.began[name]
            said = Text("  " * self.depth[name] + f"{sign} {name}", style=style)
            table.add_row(said, Text("" if seconds is None else spoken(seconds)), Text(found.place, style="dim"))
        return table


def depths(needs: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return for each stage how many others have to follow each other before it; stages come after what they need."""
    found: dict[str, int] = {}
    for name, needed in needs.items():
        found[name] = max((found[each] + 1 for each in needed if each in found), default=0)
    return found


@contextmanager
def shown(picture: Picture) -> Iterator[bool]:
    """Show a picture below all other output until the block ends, if this is a terminal; yield whether it is."""
    if not sys.stdout.isatty():
        yield False
        return
    from rich.console import Console
    from rich.live import Live

    with Live(picture, console=Console(), refresh_per_second=4), _dvc_prints_above():
        yield True


@contextmanager
def _dvc_prints_above() -> Iterator[None]:
    """Let DVC's messages go where `print` goes, above the picture; they would be written into it otherwise."""
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_objects", "dvc_data")]
    handlers = {each for logger in loggers for each in logger.handlers if isinstance(each, logging.StreamHandler)}
    before = {handler: handler.setStream(sys.stdout) for handler in handlers}
    try:
        yield
    finally:
        for handler, stream in before.items():
            handler.setStream(stream or handler.stream)
