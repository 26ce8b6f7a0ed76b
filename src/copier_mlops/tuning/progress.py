"""Say what a search does: a line for each trial that has ended, and on a terminal a bar below."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from copier_mlops.pipeline.times import spoken
from copier_mlops.tuning.outcome import said, short
from copier_mlops.tuning.search import Ended
from copier_mlops.tuning.study import Study
from copier_mlops.tuning.workers import LOG

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

# Lines of the log of a trial that are shown.
LAST_LINES = 40


class Progress:
    """The lines and the bar of a search that is running."""

    def __init__(self, study: Study, most: int, output: IO[str]) -> None:
        """Take the search, how many trials have to end, and where lines go."""
        self.study, self.most, self.output = study, most, output
        self.bar: Bar | None = None
        self.ended = len(study.ended())

    def tell(self, ended: Ended, running: int) -> None:
        """Print a line for a trial."""
        self.ended += 1
        name = self.study.search.metric.name
        best = next(iter(self.study.ranked()), None)
        if ended.value is None:
            log = self.study.folder / f"trial-{ended.number}" / LOG
            what = f"failed, its log is {log.as_posix()}"
        elif ended.same is not None:
            what = f"{name} {ended.value:.6g}, as trial {ended.same}"
        else:
            what = f"{name} {ended.value:.6g}"
        record = ", the best so far" if best is not None and best.number == ended.number else ""
        took = f"; {spoken(ended.seconds)}" if ended.same is None else ""
        self.line(f"trial {self.ended} of {self.most}: {what}{record}: {said(ended.values)}{took}")
        if self.bar:
            beside = f"best {short(best.value)}, " if best else ""
            self.bar.update(self.bar.task_ids[0], completed=self.ended, description=f"{beside}{running} running")

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        print(text, file=self.output, flush=True)


@contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Show a bar below all other output until the block ends, if this is a terminal."""
    if not progress.output.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    is_error = progress.output is sys.stderr
    with Progress(*columns, console=Console(stderr=is_error), transient=True) as bar:
        bar.add_task("starts", total=progress.most, completed=progress.ended)
        progress.bar = bar
        progress.output = sys.stderr if is_error else sys.stdout  # rich has put its own in their place
        try:
            yield
        finally:
            progress.bar = None


def last_lines(log: Path) -> str:
    """Return the end of a log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    except OSError as error:
        return f"its log cannot be read: {error}"
    return "\n".join(lines[-LAST_LINES:])
