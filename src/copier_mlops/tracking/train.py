"""Run the pipeline of dvc.yaml, and track what it made.

MLflow takes seconds to import. It is imported, and the tracking server is asked, while the pipeline runs: tracking then
starts at once, and a server that is away is named before a long training and not after it.
"""

import argparse
import subprocess

from copier_mlops.project import load_settings, root
from copier_mlops.tracking import track

PIPELINE = ("dvc", "repro", "--pull")


def main(arguments: list[str] | None = None) -> int:
    """Run the pipeline, track it, and return the exit code of the pipeline.

    Raises:
        SystemExit: A setting is wrong, or the run cannot be tracked; what the pipeline made stays.
    """
    parser = argparse.ArgumentParser(
        prog="poe train",
        description=__doc__,
        usage="poe train [-h] [OPTION OF DVC REPRO ...]",
        epilog="Every other option goes to `dvc repro`, for example: uv run poe train --force",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _, further = parser.parse_known_args(arguments)
    load_settings()  # a wrong setting is named before the pipeline runs
    try:
        pipeline = subprocess.Popen((*PIPELINE, *further), cwd=root())
    except FileNotFoundError:
        raise SystemExit("train: dvc is not installed\n  fix: uv sync") from None
    try:
        prepare_tracking()
    finally:
        code = _end_of(pipeline)
    if code == 0:
        track.main([])
    return code


def prepare_tracking() -> None:
    """Make a SQLite file and an experiment that are missing; if the server is away, say so and do nothing else."""
    from copier_mlops.tracking import server

    try:
        server.fix_experiment()
    except server.TrackingError as error:
        reason = str(error).splitlines()[0].removeprefix("tracking: ")
        print(f"train: {reason}; the pipeline goes on, and is tracked if the server answers by then", flush=True)


def _end_of(pipeline: "subprocess.Popen[bytes]") -> int:
    """Wait for the pipeline and return its exit code; on Ctrl-C, which it gets as well, it first keeps what it has."""
    try:
        return pipeline.wait()
    except KeyboardInterrupt:
        pipeline.wait()
        raise


if __name__ == "__main__":
    raise SystemExit(main())
