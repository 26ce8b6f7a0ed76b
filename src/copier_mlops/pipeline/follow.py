"""Start a run on an engine, follow its stages until it has ended, and bring the results into the work tree."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from copier_mlops.pipeline import PipelineError, apart, plan, snapshot
from copier_mlops.pipeline.engines import Engine, EngineAwayError, EngineError, StageState, State, Submission, engine
from copier_mlops.pipeline.live import Picture, shown
from copier_mlops.pipeline.plan import SHORT, Plan
from copier_mlops.pipeline.times import spoken
from copier_mlops.project import root
from copier_mlops.registry import registry

# Seconds between two questions to an engine: the first ones follow quickly, for a pipeline that takes a moment.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
# Seconds for which an engine may be away, for example while it is updated, before the run is left to itself.
PATIENCE = 900.0
# Lines of a log that are shown of a stage that failed.
LAST_LINES = 40
MARKS = {State.SUCCEEDED: "ended", State.SKIPPED: "did not start", State.RUNNING: "runs", State.WAITING: "waits"}


class Followed:
    """A run on an engine: `wait` follows it, `cancel` ends it."""

    def __init__(
        self, name: str, planned: Plan, submission: Submission, wanted: Sequence[str] = (), patience: float = PATIENCE
    ) -> None:
        """Take the engine's name, what it got to run, what came of it, and files of the results that you need here."""
        self.name, self.plan, self.submission, self.wanted, self.patience = name, planned, submission, wanted, patience
        self.known: dict[str, StageState] = {}
        self.since: dict[str, float] = {}
        self.code: int | None = None

    def wait(self) -> int:
        """Follow the run until it has ended, bring its results here, and return its exit code.

        Raises:
            SystemExit: The engine is away for too long, or the results cannot be brought here; the run is not lost.
            KeyboardInterrupt: Ctrl-C; the run was cancelled.
        """
        if self.code is not None:
            return self.code
        try:
            picture = Picture({node.name: node.needs for node in self.plan.nodes})
            with shown(picture) as is_shown:
                self._follow(picture, is_shown)
            self.code = self._finish()
        except KeyboardInterrupt:
            self.cancel()
            raise
        except PipelineError as error:
            self.code = 1
            raise SystemExit(f"train: {error}") from None
        return self.code

    def cancel(self) -> None:
        """Let the engine end the run; what has ended is brought here."""
        if self.code is not None:
            return
        self.code = 130
        print(f"train: the run {self.plan.run} is cancelled", flush=True)
        try:
            self.submission.cancel()
            self._collect()
        except PipelineError as error:
            print(f"train: {error}", flush=True)

    def _follow(self, picture: Picture, is_shown: bool) -> None:
        """Ask for the states until all stages have ended; say in lines what the picture does not show."""
        pause, away_since = FIRST_PAUSE, 0.0
        while True:
            try:
                states = self.submission.states()
                if away_since:
                    print(f"train: {self.name} answers again", flush=True)
                away_since = 0.0
                for name, found in states.items():
                    picture.set(name, found.state, found.place)
                if not is_shown:
                    self._show(states)
                self.known = dict(states)
                if all(each.state.has_ended for each in states.values()):
                    return
            except EngineAwayError as error:
                away_since = self._is_away(error, away_since)
            time.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE)

    def _is_away(self, error: EngineAwayError, since: float) -> float:
        """Say that the engine is away, and return since when.

        Raises:
            EngineAwayError: For too long.
        """
        now = time.monotonic()
        if not since:
            print(f"train: {str(error).splitlines()[0]}; asking again for {spoken(self.patience)}", flush=True)
            return now
        if now - since > self.patience:
            raise EngineAwayError(
                f"{str(error).splitlines()[0]}\n  fix: when it is back: "
                f"uv run poe train --engine {self.name} --run {self.plan.run}"
            ) from None
        return since

    def _show(self, states: Mapping[str, StageState]) -> None:
        """Print a line for each stage whose state is another one than before."""
        now = time.monotonic()
        for name, found in states.items():
            before = self.known.get(name)
            if before and before.state is found.state:
                continue
            if found.state is State.RUNNING:
                self.since[name] = now
            if before or found.state is not State.WAITING:
                ended = sum(each.state.has_ended for each in states.values())
                of = f"stage {ended} of {len(states)}, " if found.state.has_ended else "stage "
                took = (
                    f" after {spoken(now - self.since[name])}" if found.state.has_ended and name in self.since else ""
                )
                place = f" ({found.place})" if found.place else ""
                print(f"{of}{name}: {MARKS.get(found.state, found.state)}{took}{place}", flush=True)

    def _finish(self) -> int:
        """Show the logs of stages that failed, bring the results here, and return the exit code."""
        failed = [name for name, each in self.known.items() if each.state is State.FAILED]
        for name in failed:
            try:
                lines = self.submission.log(name).rstrip().splitlines()
            except EngineAwayError as error:
                lines = [str(error).splitlines()[0]]
            shown = lines[-LAST_LINES:]
            more = f", its last {LAST_LINES} lines" if len(lines) > LAST_LINES else ""
            print(f"train: {name} failed{more}:", *(f"{name} | {line}" for line in shown), sep="\n", flush=True)
        self._collect()
        left = [name for name, each in self.known.items() if each.state is not State.SUCCEEDED]
        if left:
            print(
                f"train: the run {self.plan.run} failed in {', '.join(failed or left)}: {self.submission.place}",
                flush=True,
            )
        return 1 if left else 0

    def _collect(self) -> None:
        """Bring what has ended into dvc.lock and the files beside it, and download what tracking reads."""
        names = apart.collect(self.plan.folder, self.plan.run, partly=True)
        apart.pull_results(self.plan.folder, names, self.wanted)


def start(name: str, run: str | None, wanted: Sequence[str] = ()) -> Followed:
    """Start the pipeline on an engine, or find the run of that name that is under way.

    Args:
        name: The engine, for example `slurm`.
        run: The name of the run; a new one if it is None.
        wanted: Files of the results that you need here, besides those that no stage reads.

    Raises:
        SystemExit: The pipeline cannot run apart, or the engine refuses.
    """
    try:
        planned = prepare(root(), run)
        adapter = chosen(name)
        print(
            f"train: the run {planned.run} of {planned.commit[:SHORT]}: {len(planned.nodes)} stages on {name}",
            flush=True,
        )
        submission = adapter.submit(planned)
    except PipelineError as error:
        raise SystemExit(f"train: {error}") from None
    print(f"train: {submission.place}", flush=True)
    return Followed(name, planned, submission, wanted)


def prepare(folder: Path, run: str | None) -> Plan:
    """Store the work tree as a commit and push the data that no stage makes, so that each stage can run apart.

    Raises:
        PipelineError: The pipeline, git or the data remote does not allow it.
    """
    name = run or plan.name_of_run(snapshot.take(folder))
    commit = snapshot.take(folder, keep_as=name)
    planned = plan.make(folder, name, commit)
    apart.push_sources(folder)
    return planned


def chosen(name: str) -> Engine:
    """Return an engine that the project has.

    Raises:
        EngineError: The answer `engines` does not name it.
    """
    from copier_mlops.project import answer

    answered = answer("engines") or []
    if name not in answered:
        raise EngineError(
            f"the project does not have the engine {name}, {registry('engines')[name]['name']}\n"
            f"  fix: uvx copier update --data 'engines=[{', '.join([*answered, name])}]'"
        )
    return engine(name)
