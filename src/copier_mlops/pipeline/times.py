"""Say how long each stage took while DVC runs a pipeline, and how many are done.

DVC says itself when a stage starts or does not have to run. Its own records of that are read here, so that nothing of
DVC changes: if a later version words them differently, no times are printed.
"""

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from copier_mlops.pipeline import record
from copier_mlops.pipeline.record import StageRecord
from copier_mlops.registry import load_yaml

# The loggers of DVC whose records are read. The first also gets those of the modules below it.
LOGGERS = (STAGE, *BETWEEN) = ("dvc.stage", "dvc.repo.reproduce", "dvc.repo.scm_context")
# How its records about stages begin.
STARTED = "Running stage '%s'"
DONE_WITHOUT = ("Stage '%s' didn't change", "Stage '%s' is cached")
# With other options, other stages may run than those of dvc.yaml.
ALL_STAGES = {"repro", "--pull", "--force", "-f"}


def spoken(seconds: float) -> str:
    """Return a time in words, for example `1.2 s` or `3 min 5 s`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def count(pipeline: object) -> int:
    """Return the number of stages of dvc.yaml, a matrix and a list multiplied; 0 if it cannot be known."""
    stages = pipeline.get("stages") if isinstance(pipeline, dict) else None
    if not isinstance(stages, dict):
        return 0
    each = [_variants(stage) for stage in stages.values()]
    return sum(each) if all(each) else 0


def _variants(stage: Any) -> int:
    if not isinstance(stage, dict):
        return 0
    if "foreach" in stage:
        return len(stage["foreach"]) if isinstance(stage["foreach"], (list, dict)) else 0
    if "matrix" not in stage:
        return 1
    values = stage["matrix"].values() if isinstance(stage["matrix"], dict) else [""]
    return math.prod(len(value) if isinstance(value, list) else 0 for value in values)


class StageTimes(logging.Handler):
    """Hear DVC's records of stages, and print a line after each stage that ran, and one at the end."""

    def __init__(self, total: int) -> None:
        """Take the number of stages; 0 if it is not known."""
        super().__init__(logging.INFO)
        self.total = total
        self.started = time.monotonic()
        self.running: dict[int, tuple[str, float]] = {}
        self.seen: set[str] = set()
        self.records: dict[str, StageRecord] = {}
        self.ran = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record of DVC: a stage started, did not have to run, or ended."""
        text = str(record.msg)
        names = record.args if isinstance(record.args, tuple) else ()
        thread = record.thread or 0
        if record.name in BETWEEN:
            self.end(thread)
        elif text.startswith(STARTED) and names:
            self.end(thread)
            self.running[thread] = (str(names[0]), time.monotonic())
        elif text.startswith(DONE_WITHOUT) and names:
            self.end(thread)
            self.seen.add(str(names[0]))

    def end(self, thread: int) -> None:
        """Say how long the stage took that ran in a thread until now, if there is one."""
        if thread not in self.running:
            return
        name, since = self.running.pop(thread)
        self.seen.add(name)
        self.ran += 1
        self.records[name] = StageRecord.now(time.monotonic() - since)
        place = f" {len(self.seen)} of {self.total}," if len(self.seen) <= self.total else ""
        print(f"stage{place} {name}: {spoken(time.monotonic() - since)}", flush=True)

    def finish(self, code: int) -> None:
        """Record what ran, and say what all stages took together, if one ran; after a failure, say nothing."""
        if code == 0:
            for thread in list(self.running):
                self.end(thread)
            if self.ran:
                of = f" of {self.total}" if len(self.seen) == self.total else ""
                word = "stage" if self.ran == 1 and not of else "stages"
                print(f"{self.ran}{of} {word} ran, in {spoken(time.monotonic() - self.started)}", flush=True)
        now = time.monotonic()
        failed = {name: StageRecord.now(now - since, failed=True) for name, since in self.running.values()}
        record.add(Path(), self.records | failed)


def hear(arguments: Sequence[str]) -> StageTimes | None:
    """Begin to take the times of the stages that a command of DVC runs; None if it runs none."""
    if arguments[:1] != ["repro"] or {"--dry", "--help", "-h"} & set(arguments):
        return None
    try:
        pipeline = load_yaml(Path("dvc.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        pipeline = None  # DVC names the fault
    times = StageTimes(count(pipeline) if set(arguments) <= ALL_STAGES else 0)
    for name in LOGGERS:
        logging.getLogger(name).addHandler(times)
    return times
