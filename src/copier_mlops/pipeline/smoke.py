"""Run the whole pipeline on the sample of records, in a copy of the repository: minutes of training become seconds."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from copier_mlops.command import run
from copier_mlops.contract.raw import FOLDER, inputs
from copier_mlops.project import ANSWERS

# By the answers a stage finds the project, and so the types that its model may have.
COPIED = ("src", "dvc.yaml", "params.yaml", ".dvc/config", ANSWERS)


def run_on_sample(root: Path, sample: Path, copy: Path) -> Path:
    """Run the stages of dvc.yaml on a sample, which takes the place of the raw data.

    Args:
        root: The repository.
        sample: A CSV file with some records of the raw data.
        copy: A folder that does not exist; it becomes the copy.

    Returns:
        The copy, with all that the stages wrote.

    Raises:
        CommandError: A stage failed; the text is what DVC printed.
    """
    for name in COPIED:
        to = copy / name
        to.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (root / name).is_dir() else shutil.copyfile)(root / name, to)
    text = (copy / "dvc.yaml").read_text(encoding="utf-8")
    place = f"{FOLDER.as_posix()}/{sample.name}"
    # Any raw file or folder, of any format: the sample is read as the contract says.
    for raw in sorted(inputs(text), key=len, reverse=True):
        text = text.replace(raw, place)
    (copy / "dvc.yaml").write_text(text, encoding="utf-8")
    (copy / FOLDER).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sample, copy / place)
    # The copy is not a git repository, and has its own cache.
    (copy / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n[cache]\n    dir = cache\n")
    repro(copy)
    return copy


def repro(folder: Path) -> str:
    """Run the stages of a folder that have to run, and return what DVC printed.

    Raises:
        CommandError: A stage failed.
    """
    return run(sys.executable, "-m", "dvc", "repro", cwd=folder)
