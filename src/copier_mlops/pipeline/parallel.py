"""Run stages of dvc.yaml side by side in one work tree, each as soon as those before it have ended.

DVC does all of its own work: what is planned, what has changed, the cache, the lock. It is not made for threads, so one
thread at a time may use it, and lets go while the command of its stage runs. Two functions of DVC are replaced, in this
process only: the loop over the stages, and the one that starts a command.

For example: `python -m copier_mlops.pipeline.dvc_cli --side-by-side=4 repro --pull` runs up to four commands at once.
"""

from __future__ import annotations

import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from dvc.dvcfile import LOCK_FILE  # type: ignore[import-untyped]
from dvc.env import DVC_STAGE  # type: ignore[import-untyped]
from dvc.repo import reproduce as planned  # type: ignore[import-untyped]
from dvc.stage import run as commands  # type: ignore[import-untyped]
from dvc.stage.exceptions import StageCmdFailedError  # type: ignore[import-untyped]

from copier_mlops.pipeline import cores, lock_file
from copier_mlops.pipeline.engines import State
from copier_mlops.pipeline.live import Picture, shown
from copier_mlops.pipeline.logs import StageLog
from copier_mlops.pipeline.times import StageTimes

# Libraries that start a thread for each core, unless one of these says otherwise.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Stage = Any
in_sequence, start_command = planned._reproduce, commands._run


@dataclass
class Plan:
    """The stages that are left to do, in DVC's order, with those that each needs, and the outcome of the others."""

    waiting: list[Stage]
    needs: dict[Stage, set[Stage]]
    graph: Any
    forced: set[Stage]
    forces_downstream: bool
    on_error: str
    ended: set[Stage] = field(default_factory=set)
    ran: list[Stage] = field(default_factory=list)
    failed: dict[Stage, BaseException] = field(default_factory=dict)

    def ready(self) -> list[Stage]:
        """Return the stages that wait for no other one."""
        return [stage for stage in self.waiting if self.needs[stage] <= self.ended]

    def skip(self, stages: Iterable[Stage]) -> None:
        """Leave out stages that cannot run any more."""
        left_out = set(stages)
        self.waiting = [stage for stage in self.waiting if stage not in left_out]

    def follow(self, stage: Stage, result: Future[Stage | None]) -> None:
        """Note what came of a stage, and what that means for those that wait for it."""
        self.ended.add(stage)
        if (error := result.exception()) is not None:
            self.failed[stage] = error
            fails = self.on_error == "fail"
            self.skip(self.waiting if fails else planned.handle_error(self.graph, self.on_error, error, stage))
        elif result.result():
            self.ran.append(stage)
        if self.forces_downstream and (stage in self.ran or stage in self.forced):
            self.forced.update(self.graph.predecessors(stage))


class SideBySide:
    """The loop over the stages and the start of a command, in the place of DVC's own."""

    def __init__(self, jobs: int, times: StageTimes | None) -> None:
        """Take the number of commands that may run at once, and what says how long each stage took."""
        self.jobs = jobs
        self.times = times
        self.cores = cores()
        self.turn = threading.Lock()
        self.threads: dict[str, int] = {}
        self.logged: set[str] = set()

    def reproduce(
        self,
        stages: list[Stage],
        graph: Any = None,
        force_downstream: bool = False,
        on_error: str = "fail",
        force: bool = False,
        repro_fn: Callable[..., Stage | None] = planned._reproduce_stage,
        **options: Any,
    ) -> list[Stage]:
        """Reproduce stages as DVC does, but those at once that do not need each other; return those that ran.

        Raises:
            ReproductionError: A stage failed. Those that ran beside it have ended, and their results are saved.
        """
        inside = set(stages)
        needs = {each: inside & set(graph.successors(each)) for each in stages} if graph is not None else {}
        if not needs or is_chain(stages, needs) or options.get("dry") or options.get("interactive"):
            found: list[Stage] = in_sequence(
                stages, graph, force_downstream, on_error, force=force, repro_fn=repro_fn, **options
            )
            return found
        plan = Plan(list(stages), needs, graph, inside if force else set(), force_downstream, on_error)

        def work(stage: Stage) -> Stage | None:
            with self.turn:
                stage.repo.lock.lock()
                try:
                    upstream = list(graph.successors(stage))
                    return repro_fn(stage, upstream=upstream, force=stage in plan.forced, **options)
                finally:
                    stage.repo.lock.unlock()
                    if self.times:
                        self.times.end(threading.get_ident())

        names = by_lock_file(stages)
        before = {file: list(lock_file.entries(file)) for file in names}
        lock = stages[0].repo.lock
        lock.unlock()
        try:
            self.run_all(plan, work)
        finally:
            lock.lock()
            # A new entry stands where DVC itself would have written it, whichever stage ended first.
            for file, order in names.items():
                lock_file.put_in_order(file, order, before[file])
        if plan.failed and on_error != "ignore":
            only = next(iter(plan.failed.values())) if on_error == "fail" else None
            planned._raise_error(only, *plan.failed)
        return plan.ran

    def run_all(self, plan: Plan, work: Callable[[Stage], Stage | None]) -> None:
        """Start each stage when it is ready and a place is free, until all have ended."""
        running: dict[Future[Stage | None], Stage] = {}
        steps = [stage for stage in plan.waiting if stage.cmd]
        picture = Picture({each.addressing: tuple(need.addressing for need in plan.needs[each]) for each in steps})
        with shown(picture), ThreadPoolExecutor(self.jobs, "stage") as pool:
            try:
                while True:
                    ready = plan.ready()
                    share = self.cores // max(1, min(len(running) + len(ready), self.jobs))
                    for stage in ready[: self.jobs - len(running)]:
                        self.threads[stage.addressing] = max(1, share)
                        plan.waiting.remove(stage)
                        running[pool.submit(work, stage)] = stage
                        picture.set(stage.addressing, State.RUNNING)
                    if not running:
                        return
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for each in done:
                        stage = running.pop(each)
                        plan.follow(stage, each)
                        picture.set(stage.addressing, State.FAILED if each.exception() else State.SUCCEEDED)
            except KeyboardInterrupt:
                # The terminal has told the commands as well: the pool waits until they have ended.
                plan.skip(plan.waiting)
                raise

    def run(self, executable: str | None, command: str, **options: Any) -> None:
        """Run a command of a stage; let other stages use DVC meanwhile, and keep what it prints apart from theirs.

        Raises:
            StageCmdFailedError: It ended with another code than 0.
        """
        name = options["env"][DVC_STAGE]
        if name not in self.threads:  # nothing runs beside it
            start_command(executable, command, **options)
            return
        options["env"] = with_threads(options["env"], self.threads[name], self.cores) | {"PYTHONUNBUFFERED": "1"}
        self.turn.release()
        try:
            with StageLog(name, goes_on=name in self.logged) as log:
                self.logged.add(name)
                whole = commands._make_cmd(executable, command)
                with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) as process:
                    log.follow(process.stdout or ())
                code = process.returncode
        finally:
            self.turn.acquire()
        if code:
            raise StageCmdFailedError(f"{command} (its output: {log.place})", code)


def is_chain(stages: list[Stage], needs: dict[Stage, set[Stage]]) -> bool:
    """Whether no two stages with commands can run at once: each comes directly after the one before."""
    steps = [each for each in stages if each.cmd]
    return all(before in needs[stage] for before, stage in pairwise(steps))


def with_threads(environment: dict[str, str], threads: int, cores: int) -> dict[str, str]:
    """Return an environment in which libraries start as many threads, unless it says otherwise itself."""
    if threads >= cores:
        return environment
    return dict.fromkeys(THREADS, str(threads)) | environment


def by_lock_file(stages: list[Stage]) -> dict[Path, list[str]]:
    """Return the names of the stages that each dvc.lock has entries of, in DVC's order."""
    found: dict[Path, list[str]] = defaultdict(list)
    for stage in stages:
        if stage.cmd:
            found[Path(stage.path).with_name(LOCK_FILE)].append(stage.name)
    return found


def install(jobs: int, times: StageTimes | None) -> None:
    """Let DVC in this process run up to so many stages at once."""
    beside = SideBySide(jobs, times)
    planned._reproduce, commands._run = beside.reproduce, beside.run
