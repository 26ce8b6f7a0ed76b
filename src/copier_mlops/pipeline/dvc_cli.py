"""DVC's command line, without secrets: its errors show the address of a remote, with a password or a token in it.

DVC runs in this process, so progress bars and exit codes are its own. After each stage of `repro`, a line says how long
it took. For example: `python -m copier_mlops.pipeline.dvc_cli push`.
"""

import argparse
import sys

from copier_mlops.address import redact_logs
from copier_mlops.pipeline.times import StageTimes, hear


def main(arguments: list[str], times: StageTimes | None = None) -> int:
    """Run a command of DVC and return its exit code; `times` is given by a caller that needs it as well.

    Raises:
        SystemExit: DVC is not installed.
    """
    try:
        from dvc.cli import main as dvc  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        if error.name != "dvc":
            raise
        raise SystemExit("mlops: dvc is not installed\n  fix: uv sync") from None
    redact_logs()
    times = times or hear(arguments)
    code = int(dvc(arguments))
    if times:
        times.finish(code)
    return code


def push(arguments: list[str] | None = None) -> int:
    """Push data, results and the cache of runs to the data remote."""
    parser = argparse.ArgumentParser(
        prog="poe push",
        description=push.__doc__,
        epilog="Every other option goes to `dvc push`, for example: uv run poe push --jobs 4",
    )
    _, others = parser.parse_known_args(arguments)
    return main(["push", "--run-cache", *others])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
