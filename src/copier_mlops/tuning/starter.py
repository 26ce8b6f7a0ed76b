"""Write a first search.yaml for a stage and keys of params.yaml: ranges around the values that they have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from copier_mlops.pipeline import apart, dag
from copier_mlops.project import answer, has_contract
from copier_mlops.tuning import TuneError, parameters, target
from copier_mlops.tuning.parameters import Value
from copier_mlops.tuning.space import FILE, PLACE

TEXT = """\
# What `uv run poe tune` searches: docs/how-to/tune.md of the template explains each line.
# The stage that writes this file runs in each trial. Name a metric of cross-validation, never one of the test records.
metric:
  file: {file}
  name: {name}
  direction: {direction} # {direction} is better
# Values that each parameter of params.yaml may have.
parameters:
{parameters}
trials: 20
seed: {seed} # the same seed gives the same trials
# timeout: 90m # no trial starts after this time
"""


def write(root: Path, stage: str, keys: Sequence[str]) -> Path:
    """Write the file, and return its path.

    Raises:
        TuneError: It is here already, or the pipeline has no such stage or key.
    """
    path = root / FILE
    if path.exists():
        raise TuneError(f"{PLACE} is here already\n  fix: edit it, or delete it: git rm {PLACE}")
    if not keys:
        raise TuneError(
            "--new needs the keys to search\n  fix: uv run poe tune --new STAGE KEY, for example train.leaf"
        )
    known = parameters.values(parameters.read(root))
    ranges = [f"  {key}: {around(target.own_value(key, known))}" for key in keys]
    file = _file(root, stage)
    name, direction = _metric(root, file)
    seed = known.get("seed", 0)
    text = TEXT.format(
        file=file,
        name=name,
        direction=direction,
        parameters="\n".join(ranges),
        seed=seed if isinstance(seed, int) and seed >= 0 else 0,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def around(value: Value) -> str:
    """Return a range around a value, as the file has it."""
    if isinstance(value, bool):
        return "{choices: [true, false]}"
    if isinstance(value, str):
        return f"{{choices: [{json.dumps(value, ensure_ascii=False)}]}} # add others"
    if isinstance(value, int):
        return (
            f"{{low: {max(1, value // 4)}, high: {value * 4}}}"
            if value > 0
            else f"{{low: {value}, high: {value + 10}}}"
        )
    if value > 0:
        return f"{{low: {value / 10:.6g}, high: {value * 10:.6g}, log: true}}"
    return f"{{low: {value:.6g}, high: {value + 1:.6g}}}"


def _file(root: Path, stage: str) -> str:
    """Return the metrics file of a stage.

    Raises:
        TuneError: It writes none.
    """
    with apart.opened(root) as repo:
        name = dag.find(dag.read(repo), stage).name
        (found,) = repo.stage.collect(name)
        files = [str(out) for out in found.outs if out.metric]
    if not files:
        raise TuneError(f"the stage {name} writes no metrics\n  fix: name a file of it under `metrics` in dvc.yaml")
    return Path(files[0]).as_posix()


def _metric(root: Path, file: str) -> tuple[str, str]:
    """Return name and direction of a metric: the one by which candidates are compared, or the first of the file."""
    try:
        names = [*target.numbers((root / file).read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        names = []
    if has_contract(root, str(answer("package_name"))):
        from copier_mlops import problems
        from copier_mlops.contract import of_project

        problem = problems.of(of_project())
        if problem.gate in names or not names:
            return problem.gate, "higher" if problem.metric().higher_is_better else "lower"
    return names[0] if names else "NAME", "higher"
