"""One trial of a search, in a process of its own: `python -m copier_mlops.tuning.trial FOLDER`.

It runs the stage that writes the metric, and those before it that the new values concern, in a copy of the commit. The
copy uses the cache of the project, so a stage that ran before with the same values and inputs does not run again.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from copier_mlops.pipeline import PipelineError
from copier_mlops.pipeline.snapshot import copy_of
from copier_mlops.tuning import TuneError, parameters
from copier_mlops.tuning.space import Metric

REQUEST, RESULT = "request.json", "result.json"


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a trial, and return its value, the other numbers of the metrics file, and the stages that ran.

    Args:
        request: `root`, `commit`, `stage`, `metric` and `parameters`.

    Raises:
        PipelineError: A stage failed, or has not written the metric.
    """
    from copier_mlops.pipeline.apart import run_up_to
    from copier_mlops.tuning.target import figure, numbers

    metric = Metric.model_validate(request["metric"])
    # DVC would keep notes on each copy in a folder of the machine, which outlive it.
    with (
        tempfile.TemporaryDirectory(prefix="mlops-dvc-") as notes,
        copy_of(Path(request["root"]), request["commit"]) as folder,
    ):
        os.environ["DVC_SITE_CACHE_DIR"] = notes
        text = parameters.with_values(parameters.read(folder), request["parameters"])
        (folder / parameters.FILE).write_bytes(text.encode("utf-8"))
        ran = run_up_to(folder, request["stage"], [metric.file])
        try:
            found = numbers((folder / metric.file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TuneError(
                f"{metric.file} cannot be read: {error}\n  fix: let the stage {request['stage']} write it as JSON"
            ) from None
        return {"value": figure(found, metric), "metrics": found, "ran": ran}


def end_with_parent() -> None:
    """End this process and its stages when the one that started it has gone: its end of standard input closes."""
    line = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)  # a stage has no standard input

    def wait() -> None:
        os.read(line, 1)
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGTERM)
        else:
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str] | None = None) -> int:
    """Read the request in a folder, run it, and write the result beside it."""
    folder = Path((sys.argv[1:] if arguments is None else arguments)[0])
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that the copy is removed
    end_with_parent()
    try:
        result = run(json.loads((folder / REQUEST).read_text(encoding="utf-8")))
    except PipelineError as error:
        print(f"tune: {error}", file=sys.stderr)
        return 1
    draft = folder / f"{RESULT}.tmp"
    draft.write_text(json.dumps(result), encoding="utf-8")
    draft.replace(folder / RESULT)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
