"""The stage that writes the metric of a search, and its parameters as the pipeline uses them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.exceptions import OutputNotFoundError  # type: ignore[import-untyped]
from dvc.repo.reproduce import get_active_graph  # type: ignore[import-untyped]

from copier_mlops.pipeline import apart, dag
from copier_mlops.pipeline.dag import Node
from copier_mlops.tracking.lineage import flat
from copier_mlops.tuning import TuneError, parameters
from copier_mlops.tuning.parameters import Value
from copier_mlops.tuning.space import PLACE, Metric, Parameter, Search

# The metrics of the test records, by which `poe judge` decides.
JUDGED = "metrics/test.json"
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class Target:
    """The part of the pipeline that each trial of a search runs.

    Attributes:
        node: The stage that writes the metric, with what it asks of a machine.
        own: The values of the search's parameters in params.yaml now.
        space: The values that each may have, of the same types as in params.yaml.
        outs: The paths that stages write.
        waits: Whether stages before it have to run as well, so that it is better to have their results first.
    """

    node: Node
    own: dict[str, Value]
    space: dict[str, Parameter]
    outs: frozenset[str]
    waits: bool


def find(root: Path, search: Search) -> Target:
    """Return what a search runs in a project.

    Raises:
        TuneError: The file of the search names something that the pipeline does not have, or the metric of a gate.
        PipelineError: The stages cannot run in copies.
    """
    known = parameters.values(parameters.read(root))
    with apart.opened(root) as repo:
        nodes = dag.read(repo)
        stage = writer(repo, root, search.metric)
        needed = before(repo, stage)
        _refuse_judged(root, search.metric, [stage, *needed])
        own = {key: own_value(key, known) for key in search.parameters}
        waits = bool(apart.outdated(repo, needed))
        _check_use(own, stage, [stage, *needed])
        outs = {Path(out.fs_path) for each in repo.index.stages for out in each.outs if out.is_in_repo}
    _check_name(root, search.metric)
    space = {key: typed(key, each, own[key]) for key, each in search.parameters.items()}
    inside = frozenset(path.relative_to(root.resolve()).as_posix() for path in outs)
    return Target(dag.find(nodes, stage.name), own, space, inside, waits)


def writer(repo: Any, root: Path, metric: Metric) -> Any:
    """Return the stage that writes the file of a metric.

    Raises:
        TuneError: No stage does.
    """
    try:
        (out,) = repo.find_outs_by_path(str(root / metric.file))
    except (OutputNotFoundError, ValueError):
        files = sorted(str(out) for stage in repo.index.stages for out in stage.outs if out.metric)
        raise TuneError(
            f"{PLACE}: metric.file is {metric.file}, which no stage of dvc.yaml writes\n"
            f"  fix: name one of its metrics: {', '.join(each for each in files if each != JUDGED) or 'none'}"
        ) from None
    return out.stage


def before(repo: Any, stage: Any) -> list[Any]:
    """Return the stages that a stage needs, directly or not, each after those that it needs itself."""
    from dvc.repo.reproduce import plan_repro

    graph = get_active_graph(repo.index.graph)
    return [each for each in plan_repro(graph, [stage]) if each is not stage and each.cmd]


def _refuse_judged(root: Path, metric: Metric, stages: Iterable[Any]) -> None:
    """Refuse a metric of the records by which a model is judged: the search would choose what fits them by chance."""
    for stage in stages:
        if any(Path(out.fs_path) == (root / JUDGED).resolve() for out in stage.outs):
            raise TuneError(
                f"{PLACE}: metric.file is {metric.file}, but {stage.name} measures on the test records ({JUDGED}), "
                "by which the gate judges: the best trial would fit these by chance\n"
                "  fix: name a metric of cross-validation, for example: metrics/candidates/linear.json"
            )


def own_value(key: str, known: Mapping[str, Any]) -> Value:
    """Return the value of a parameter.

    Raises:
        TuneError: params.yaml does not have it, or it is a list or a group.
    """
    if key in known and isinstance(known[key], (bool, int, float, str)):
        value: Value = known[key]
        return value
    if key in known or any(each.startswith(f"{key}.") for each in known):
        raise TuneError(
            f"{PLACE}: {key} of {parameters.FILE} is not one value\n  fix: name a key with a number or text"
        )
    near = difflib.get_close_matches(key, known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise TuneError(f"{PLACE}: {parameters.FILE} has no {key}{hint}\n  fix: name one of: {', '.join(known) or 'none'}")


def _check_use(keys: Iterable[str], last: Any, stages: list[Any]) -> None:
    """Refuse a parameter that changes nothing about the metric."""
    used = {each for stage in stages for each in used_by(stage)}
    for key in keys:
        parts = key.split(".")
        if not used & {"", *(".".join(parts[: number + 1]) for number in range(len(parts)))}:
            raise TuneError(
                f"{PLACE}: neither {last.name}, which writes the metric, nor a stage before it uses {key}\n"
                "  fix: name a parameter that it uses, or list it under `params` of the stage in dvc.yaml"
            )


def used_by(stage: Any) -> set[str]:
    """Return the keys of params.yaml that a stage lists or has in its command; an empty key is the whole file."""
    found: set[str] = set()
    for dep in stage.deps:
        if hasattr(dep, "params") and Path(dep.fs_path).name == parameters.FILE:
            found |= set(dep.params or [""])
    for file, names in (stage.tracked_vars or {}).items():
        if Path(file).name == parameters.FILE:
            found |= set(names)
    return found


def typed(key: str, parameter: Parameter, own: Value) -> Parameter:
    """Return the values that a parameter may have, of the type of its value in params.yaml.

    Raises:
        TuneError: They are of another type.
    """
    kind = type(own)
    given = {f"choices[{number}]": each for number, each in enumerate(parameter.choices or ())}
    given |= {name: each for name in ("low", "high", "step") if (each := getattr(parameter, name)) is not None}
    for name, value in given.items():
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise TuneError(
                f"{PLACE}: {key} is {own!r} in {parameters.FILE}, which is {WORDS[kind]}, and {name} is {value!r}\n"
                f"  fix: write {WORDS[kind]} in both places"
            )
    if parameter.choices is None and kind in (bool, str):
        raise TuneError(f"{PLACE}: {key} is {WORDS[kind]}, which has no range\n  fix: name its choices")
    if kind is not float:
        return parameter
    as_float = {name: float(each) for name in ("low", "high", "step") if (each := given.get(name)) is not None}
    choices = None if parameter.choices is None else [float(each) for each in parameter.choices]
    return parameter.model_copy(update={**as_float, "choices": choices})


def _check_name(root: Path, metric: Metric) -> None:
    """Refuse a metric that the last run has not written, if its file is here."""
    try:
        found = numbers((root / metric.file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # the first trial writes it
    figure(found, metric)


def numbers(text: str) -> dict[str, float]:
    """Return the numbers of a metrics file by dotted names.

    Raises:
        ValueError: It is not a JSON object.
    """
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    return {
        name: float(value)
        for name, value in flat(document)
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def figure(found: Mapping[str, float], metric: Metric) -> float:
    """Return the metric among the numbers of its file.

    Raises:
        TuneError: It is not there.
    """
    if metric.name in found:
        return found[metric.name]
    raise TuneError(
        f"{PLACE}: metric.name is {metric.name}, which {metric.file} does not have\n"
        f"  fix: name one of its numbers: {', '.join(found) or 'none'}"
    )
