"""Experiments that DVC runs in a copy of the repository: their code has to come from that copy.

A project is installed as a link to its `src`. So in the copy, `python -m PACKAGE.train` imports the code of the work
tree, while DVC records that of the copy.
"""

import sys
from pathlib import Path

# The folder of DVC in which `dvc exp run --queue` and `--temp` make the copies.
COPIES = (".dvc", "tmp", "exps")


def refuse_other_code() -> None:
    """Refuse a stage in such a copy whose code is not that of the copy.

    Raises:
        SystemExit: The code is from elsewhere; the text says how it runs from the copy.
    """
    here = Path.cwd()
    starts = [number for number in range(len(here.parts)) if here.parts[number : number + len(COPIES)] == COPIES]
    file = getattr(sys.modules["__main__"], "__file__", None)
    if not starts or file is None:
        return
    copy = Path(*here.parts[: starts[-1] + len(COPIES) + 1])
    if not Path(file).resolve().is_relative_to(copy.resolve()):
        raise SystemExit(
            f"train: this experiment is a copy of the repository, but its code came from {Path(file).parent}\n"
            "  fix: set PYTHONPATH=src, then: uv run dvc exp run --run-all"
        )
