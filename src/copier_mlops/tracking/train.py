"""Run the pipeline of dvc.yaml, and track its results.

While the pipeline runs, MLflow is imported and the tracking server is called. So tracking starts without a delay, and
you hear of a server that does not answer before a long training, not after it.
"""

import argparse

from copier_mlops.pipeline.engines import Run, engine
from copier_mlops.project import load_settings
from copier_mlops.registry import registry
from copier_mlops.tracking import track


def main(arguments: list[str] | None = None) -> int:
    """Run the pipeline, track it, and return the exit code of the pipeline.

    Raises:
        SystemExit: A setting is wrong, or the run cannot be tracked; the results of the pipeline stay.
    """
    parser = argparse.ArgumentParser(
        prog="poe train",
        description=__doc__,
        usage="poe train [-h] [--engine ENGINE] [--no-track] [OPTION OF DVC REPRO ...]",
        epilog="Every other option goes to `dvc repro`, for example: uv run poe train --force",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    engines = registry("engines")
    names = "; ".join(f"{name}: {each['name']}" for name, each in engines.items())
    parser.add_argument("--engine", choices=list(engines), default="local", help=f"{names} (default: local)")
    parser.add_argument(
        "--no-track", action="store_true", help="only run the pipeline; `poe track` tracks it later, as in CI"
    )
    chosen, further = parser.parse_known_args(arguments)
    load_settings()  # reports a wrong setting before the pipeline runs
    pipeline = engine(chosen.engine).start(further)
    try:
        prepare_tracking()
    finally:
        code = _end_of(pipeline)
    if code == 0 and not chosen.no_track:
        track.main([])
    return code


def prepare_tracking() -> None:
    """Create a missing SQLite file or experiment; if the server does not answer, print that and do nothing else."""
    from copier_mlops.tracking import server

    try:
        server.fix_experiment()
    except server.TrackingError as error:
        reason = str(error).splitlines()[0].removeprefix("tracking: ")
        print(f"train: {reason}; the pipeline goes on, and is tracked if the server answers by then", flush=True)


def _end_of(pipeline: Run) -> int:
    """Wait for the pipeline and return its exit code; on Ctrl-C, wait until it has saved its results."""
    try:
        return pipeline.wait()
    except KeyboardInterrupt:
        pipeline.wait()
        raise


if __name__ == "__main__":
    raise SystemExit(main())
