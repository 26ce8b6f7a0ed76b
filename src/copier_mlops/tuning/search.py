"""The loop of a search: start trials while places are free, note what each gives, and stop when there are enough."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from copier_mlops.tuning import trial
from copier_mlops.tuning.parameters import Value
from copier_mlops.tuning.study import METRICS, RAN, Study
from copier_mlops.tuning.workers import Workers

# Seconds between two looks at the clock while trials run.
PAUSE = 0.5


@dataclass(frozen=True)
class Ended:
    """A trial that has ended.

    Attributes:
        number: Its number, from 0 on.
        values: The values of its parameters.
        value: The metric; None if it failed.
        seconds: How long it took; 0 if an earlier trial had the same values.
        same: The number of that trial.
    """

    number: int
    values: dict[str, Value]
    value: float | None
    seconds: float
    same: int | None = None


@dataclass
class Loop:
    """A search that is running.

    Attributes:
        study: Its trials.
        root, commit, stage: What each trial runs.
        workers: Where.
        most: How many trials have to end, those of earlier calls counted.
        until: The time of `time.monotonic` after which none starts.
        first: Whether others wait for the first trial, and then find the results of earlier stages in the cache.
        tell: Is called with each trial that has ended, and the number of those that are running.
    """

    study: Study
    root: Path
    commit: str
    stage: str
    workers: Workers
    most: int
    until: float
    first: bool
    tell: Callable[[Ended, int], None]
    running: dict[Future[int], tuple[int, dict[str, Value], float]] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    is_late: bool = False

    def run(self) -> None:
        """Run trials until enough have ended, or the time is over.

        Raises:
            KeyboardInterrupt: Ctrl-C; the trials that were running have ended without a result, and can go on.
        """
        try:
            while True:
                self._fill()
                if not self.running:
                    return
                done, _ = wait(self.running, PAUSE, FIRST_COMPLETED)
                for each in sorted(done, key=lambda future: self.running[future][0]):
                    self._take(each)
        finally:
            self.workers.end()

    def _fill(self) -> None:
        """Start trials on the places that are free."""
        while len(self.running) < self.workers.jobs:
            if self.first and self.running and not self.study.ended():
                return
            if len(self.study.ended()) + len(self.failed) + len(self.running) >= self.most:
                return
            if time.monotonic() >= self.until:
                self.is_late = True
                return
            number, values = self.study.next(self.workers.jobs)
            if twin := self.study.twin(number, values):
                result = {"value": twin.value, METRICS: twin.user_attrs[METRICS], RAN: []}
                self.study.note(number, result, twin.number)
                self.tell(Ended(number, values, twin.value, 0.0, twin.number), len(self.running))
                continue
            folder = self.folder(number)
            self._request(folder, values)
            self.running[self.workers.start(self.root, folder)] = number, values, time.monotonic()

    def folder(self, number: int) -> Path:
        """Return the folder of a trial."""
        return folder_of(self.study.folder, number)

    def _request(self, folder: Path, values: dict[str, Value]) -> None:
        """Write what a trial has to run, and delete the result of one that was ended."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / trial.RESULT).unlink(missing_ok=True)
        request = {
            "root": str(self.root),
            "commit": self.commit,
            "stage": self.stage,
            "metric": self.study.search.metric.model_dump(),
            "parameters": values,
        }
        (folder / trial.REQUEST).write_text(json.dumps(request, indent=2) + "\n", encoding="utf-8")

    def _take(self, future: Future[int]) -> None:
        """Note what a trial that has ended gave."""
        number, values, began = self.running.pop(future)
        result = self._result(number) if future.result() == 0 else None
        self.study.note(number, result)
        value = self.study.study.get_trials(deepcopy=False)[number].value
        if value is None:
            self.failed.append(number)
        self.tell(Ended(number, values, value, time.monotonic() - began), len(self.running))

    def _result(self, number: int) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads((self.folder(number) / trial.RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found


def folder_of(folder: Path, number: int) -> Path:
    """Return the folder of a trial in that of its search, for example `trial-7`."""
    return folder / f"trial-{number}"
