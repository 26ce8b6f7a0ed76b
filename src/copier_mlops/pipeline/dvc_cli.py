"""DVC's command line, without secrets: its errors show the address of a remote, with a password or a token in it.

DVC runs in this process, so progress bars and exit codes are its own. After each stage of `repro`, a line says how long
it took. For example: `python -m copier_mlops.pipeline.dvc_cli push`.
"""

import argparse
import sys
from collections.abc import Sequence

from copier_mlops.address import redact_logs
from copier_mlops.collector import without_collector
from copier_mlops.pipeline.times import StageTimes, hear

SIDE_BY_SIDE = "--side-by-side"


def main(arguments: list[str]) -> int:
    """Run a command of DVC with the login of the data remote, and return its exit code.

    Raises:
        SystemExit: DVC is not installed.
    """
    from copier_mlops.pipeline import remote_login  # `train` has done this for its pipeline

    remote_login.provide()
    return run(arguments)


def run(arguments: list[str], jobs: int = 1) -> int:
    """Run a command of DVC, `repro` with up to `jobs` stages at once, and return its exit code.

    Raises:
        SystemExit: DVC is not installed.
    """
    times = hear(arguments)
    with without_collector("dvc"):
        try:
            from dvc.cli import main as dvc  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            if error.name != "dvc":
                raise
            raise SystemExit("mlops: dvc is not installed\n  fix: uv sync") from None
        if jobs > 1:
            _run_side_by_side(jobs, times)
    redact_logs()
    code = int(dvc(arguments))
    if times:
        times.finish(code)
    return code


def _run_side_by_side(jobs: int, times: StageTimes | None) -> None:
    """Replace what DVC does one after the other; say so if this version of DVC has it no more."""
    try:
        from copier_mlops.pipeline import parallel
    except (ImportError, AttributeError) as error:
        print(f"train: stages run one after the other, since this version of DVC is not known: {error}", flush=True)
    else:
        parallel.install(jobs, times)


def push(arguments: list[str] | None = None) -> int:
    """Push data, results and the cache of runs to the data remote, and keep the results for `poe propose`."""
    parser = argparse.ArgumentParser(
        prog="poe push",
        description=push.__doc__,
        epilog="Every other option goes to `dvc push`, for example: uv run poe push --jobs 4",
    )
    _, others = parser.parse_known_args(arguments)
    code = push_all(others)
    if code == 0:
        from copier_mlops.pipeline import results
        from copier_mlops.project import root

        results.keep(root())
    return code


def push_all(options: Sequence[str] = ()) -> int:
    """Push data, results and DVC's record of runs, so that no other machine runs a stage again; return the exit code.

    Raises:
        SystemExit: The remote refused the results that DVC's own command leaves out.
    """
    code = main(["push", "--run-cache", *options])
    if code == 0:
        from copier_mlops.pipeline import PipelineError, apart
        from copier_mlops.project import root

        try:
            apart.push_uncached(root())
        except PipelineError as error:
            raise SystemExit(f"push: {error}") from None
    return code


if __name__ == "__main__":
    words = sys.argv[1:]
    if not words[:1] or not words[0].startswith(f"{SIDE_BY_SIDE}="):
        raise SystemExit(main(words))
    number = words.pop(0).partition("=")[2]
    sys.argv[1:] = words  # DVC quotes it if another one has to wait
    raise SystemExit(run(words, int(number)))
