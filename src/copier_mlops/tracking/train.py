"""Run the pipeline of dvc.yaml, track its results, and show them beside the baseline and the served model.

While the pipeline runs, MLflow is imported and the tracking server is called. So tracking starts without a delay, and
you hear of a server that does not answer before a long training, not after it. If nothing has changed since a result
that is tracked, the server is left in peace.
"""

import argparse
import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Protocol

from copier_mlops.pipeline.engines import local
from copier_mlops.project import ADOPT, answer, has_contract, root
from copier_mlops.registry import registry
from copier_mlops.settings import load_settings

# Seconds within which a pipeline with nothing to do ends. After them, MLflow is imported beside it.
MOMENT = 2.5


class Run(Protocol):
    """A run of the pipeline that has started."""

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""

    def cancel(self) -> None:
        """End it, if Ctrl-C has not ended it already."""


def main(arguments: list[str] | None = None) -> int:
    """Run the pipeline, track it, and return the exit code of the pipeline.

    Raises:
        SystemExit: A setting is wrong, or the run cannot be tracked; the results of the pipeline stay.
    """
    parser = argparse.ArgumentParser(
        prog="poe train",
        description=__doc__,
        usage="poe train [-h] [--engine ENGINE] [--run ID] [--jobs N] [--no-track] [OPTION OF DVC REPRO ...]",
        epilog="With the engine local, every other option goes to `dvc repro`, for example: uv run poe train --force",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    engines = registry("engines")
    names = "; ".join(f"{name}: {each['name']}" for name, each in engines.items())
    parser.add_argument("--engine", choices=list(engines), default="local", help=f"{names} (default: local)")
    parser.add_argument(
        "--run", metavar="ID", help="the name of a run on another engine, to follow it again; otherwise a new one"
    )
    parser.add_argument(
        "--jobs", metavar="N", type=_number, help="how many stages may run at once (default: as many as your cores)"
    )
    parser.add_argument(
        "--no-track", action="store_true", help="only run the pipeline; `poe track` tracks it later, as in CI"
    )
    chosen, further = parser.parse_known_args(arguments)
    if not has_contract(root(), str(answer("package_name"))):
        raise SystemExit(f"train: the project has no data yet\n  fix: {ADOPT}")
    load_settings()  # reports a wrong setting before the pipeline runs
    away = known = ""
    with noted_interrupts() as interrupts:
        pipeline = _start(chosen, further)
        try:
            known = _if_nothing_changed(pipeline, not chosen.no_track)
            if not known:
                away = prepare_tracking()
        finally:
            if interrupts:
                pipeline.cancel()
            code = _end_of(pipeline)
    if interrupts:
        raise KeyboardInterrupt
    if known:
        print(f"train: nothing has changed{known}")
    elif code == 0:
        _track_and_show(away, not chosen.no_track)
    return code


def _start(chosen: argparse.Namespace, further: list[str]) -> Run:
    """Start the pipeline on the chosen engine.

    Raises:
        SystemExit: That cannot be done, for example since the engine does not know an option.
    """
    if chosen.engine == "local":
        if chosen.run:
            raise SystemExit("train: --run is the name of a run on another engine\n  fix: add --engine NAME")
        return local.start(further, chosen.jobs)
    from copier_mlops.pipeline import follow  # DVC is slow
    from copier_mlops.tracking import track

    if chosen.jobs or further:
        option = further[0] if further else "--jobs"
        raise SystemExit(
            f"train: {option} is an option of the engine local\n  fix: uv run poe train --engine {chosen.engine}"
        )
    return follow.start(chosen.engine, chosen.run, track.RESULTS)


def _if_nothing_changed(pipeline: Run, tracks: bool) -> str:
    """Wait a moment, and return what to say if no stage had to run; empty if one had to, or the result is not tracked.

    Only the last result that this machine tracked is known here. `poe track` asks the server about others.

    Args:
        pipeline: The run, of which only one on this machine can end within a moment.
        tracks: Whether the result is to be tracked; otherwise that comes next.
    """
    if not isinstance(pipeline, local.Local):
        return ""
    from copier_mlops.tracking import last_run  # while the pipeline starts

    if not (pipeline.ends_within(MOMENT) and pipeline.changed_nothing()):
        return ""
    if run := last_run.of_result():
        return f": this result is tracked already, as run {run}\n\nNext: uv run poe evaluate, for its figures"
    return "" if tracks else "\n\nNext: uv run poe track"


def _number(text: str) -> int:
    """Return a number of stages, from 1 on."""
    if not text.isascii() or not text.isdigit() or not (number := int(text)):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, not {text!r}")
    return number


@contextlib.contextmanager
def noted_interrupts() -> Iterator[list[int]]:
    """Note each Ctrl-C in a list, since Python drops one that comes while it frees an object, such as a connection."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _track_and_show(away: str, tracks: bool) -> None:
    """Track the results if asked to, and show the figures in any case.

    Raises:
        SystemExit: They cannot be tracked.
    """
    from copier_mlops.tracking import track

    try:
        if tracks:
            track.main([])
            away = ""
    except SystemExit as error:
        reason = str(error).splitlines()[0].removeprefix("track: ").removeprefix("tracking: ")
        _show(reason, tracks)
        raise
    _show(away, tracks)


def _show(away: str, tracked: bool) -> None:
    from copier_mlops.reporting import outcome  # pandas is slow, and a pipeline that fails needs none of it

    outcome.show(away, tracked)


def prepare_tracking() -> str:
    """Create a missing SQLite file or experiment; if the server does not answer, print that and return the reason."""
    from copier_mlops.tracking import server

    try:
        server.fix_experiment()
    except server.TrackingError as error:
        reason = str(error).splitlines()[0].removeprefix("tracking: ")
        print(f"train: {reason}; the pipeline goes on, and is tracked if the server answers by then", flush=True)
        return reason
    return ""


def _end_of(pipeline: Run) -> int:
    """Wait for the pipeline and return its exit code; on Ctrl-C, wait until it has saved its results."""
    try:
        return pipeline.wait()
    except KeyboardInterrupt:
        pipeline.wait()
        raise


if __name__ == "__main__":
    raise SystemExit(main())
