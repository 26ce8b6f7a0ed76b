"""Tell searches apart: those with the same metric, parameters, code and data are one, which goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

from copier_mlops.command import run
from copier_mlops.tracking.lineage import SOURCES
from copier_mlops.tuning import parameters
from copier_mlops.tuning.space import Search

SHORT = 8


def fingerprint(root: Path, commit: str, search: Search, outs: Collection[str]) -> str:
    """Return a text that is equal for searches whose results can be compared.

    The values of the searched parameters do not count, and neither do trials, seed and time. So a search goes on after
    its best values were written into params.yaml, and if you ask for more trials.

    Args:
        root: The project.
        commit: The commit whose code and data the trials use.
        search: What is searched.
        outs: The paths that stages write.
    """
    listed = run("git", "ls-tree", "-r", "-z", commit, "--", *SOURCES, cwd=root).split("\0")
    files = [line for line in listed if line.partition("\t")[2] not in {parameters.FILE, *outs}]
    text = run("git", "show", f"{commit}:./{parameters.FILE}", cwd=root)
    others = {key: str(each) for key, each in parameters.values(text).items() if key not in search.parameters}
    said = search.model_dump(include={"metric", "parameters"})
    return hashlib.sha256(json.dumps([said, files, others], sort_keys=True).encode()).hexdigest()


def name_of(slug: str, mark: str) -> str:
    """Return the name of a search, for example `train-linear-1f3c9a2b`."""
    return f"{slug}-{mark[:SHORT]}"
