"""The stages of dvc.yaml as data: the name of each, the stages that it needs, and what it asks of a machine.

DVC itself reads the file, so that `foreach`, `matrix`, variables and `wdir` mean what they mean to `dvc repro`.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from copier_mlops.pipeline import PipelineError

# Characters of a slug, and of the hash in it. Kubernetes allows 63 in a name, and appends some of its own.
MOST_SLUG, HASH = 48, 8
SECONDS = {"s": 1, "m": 60, "h": 3600}
# Values of settings, for example `90m` and `512Mi`.
Time = Annotated[str, Field(pattern=r"^[1-9]\d*[smh]$")]
Size = Annotated[str, Field(pattern=r"^[1-9]\d*(Ki|Mi|Gi|Ti)$")]


class DagError(PipelineError):
    """A pipeline whose stages cannot run apart; the text names the stage, and the fix."""


class Resources(BaseModel):
    """The demands of a stage on the machine that runs it: `meta: {execution: {memory: 4Gi}}` in dvc.yaml.

    Attributes:
        cpu: Cores, for example 0.5.
        memory: Bytes with a unit, as Kubernetes writes them, for example `512Mi` or `4Gi`.
        shared_memory: The size of /dev/shm, for example `2Gi` for the workers of a PyTorch loader.
        gpu: Graphics processors.
        image: The container image that has the project, in place of that of the engine's settings.
        timeout: The longest time that one attempt may take, for example `90m`.
        retries: Further attempts after one that failed.
        partition: The partition of a Slurm cluster.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    memory: Size | None = None
    shared_memory: Size | None = None
    gpu: Annotated[int, Field(ge=0, strict=True)] = 0
    image: Annotated[str, Field(min_length=1)] | None = None
    timeout: Time | None = None
    retries: Annotated[int, Field(ge=0, le=100, strict=True)] = 0
    partition: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = None

    @property
    def seconds(self) -> int | None:
        """The timeout in seconds."""
        return seconds(self.timeout) if self.timeout else None


def seconds(time: str) -> int:
    """Return the seconds of a time, for example 5400 for `90m`."""
    return int(time[:-1]) * SECONDS[time[-1]]


@dataclass(frozen=True)
class Node:
    """A stage that an engine runs.

    Attributes:
        name: As in dvc.yaml, for example `train@linear`.
        slug: The same for engines: lower case letters, digits and hyphens, for example `train-linear`.
        needs: The names of the stages whose outputs it reads.
        resources: What it asks of a machine.
    """

    name: str
    slug: str
    needs: tuple[str, ...]
    resources: Resources


def edges(repo: Any) -> dict[str, tuple[str, ...]]:
    """Return the names of the stages that each stage needs, in DVC's order; data and frozen stages are no stages here.

    Args:
        repo: A `dvc.repo.Repo`.
    """
    graph, stages = _stages(repo)
    return {
        stage.addressing: tuple(sorted(each.addressing for each in graph.successors(stage) if _runs(each)))
        for stage in stages
    }


def _stages(repo: Any) -> tuple[Any, list[Any]]:
    """Return DVC's graph, and its stages that have to run somewhere, each after those that it needs."""
    from dvc.repo.reproduce import get_active_graph, plan_repro  # type: ignore[import-untyped]

    graph = get_active_graph(repo.index.graph)
    return graph, [each for each in plan_repro(graph) if _runs(each)]


def _runs(stage: Any) -> bool:
    return bool(stage.cmd) and not stage.frozen


def read(repo: Any) -> list[Node]:
    """Return the stages of a `dvc.repo.Repo` that have to run somewhere, each after those that it needs.

    Data that DVC tracks and frozen stages need no machine: their outputs are pulled.

    Raises:
        DagError: The stages cannot run apart, for example since an output stays from run to run.
    """
    graph, stages = _stages(repo)
    for stage in stages:
        _check(stage, Path(repo.root_dir))
    nodes = [
        Node(
            stage.name,
            slug(stage.name),
            tuple(sorted(each.name for each in graph.successors(stage) if _runs(each))),
            _resources(stage),
        )
        for stage in stages
    ]
    _check_slugs(nodes)
    return nodes


def find(nodes: list[Node], name: str) -> Node:
    """Return the stage with a name or slug.

    Raises:
        DagError: There is none; the text lists those that there are.
    """
    for node in nodes:
        if name in (node.name, node.slug):
            return node
    known = ", ".join(node.name for node in nodes) or "none"
    raise DagError(f"dvc.yaml has no stage {name!r}\n  fix: name one of its stages: {known}")


def slug(name: str) -> str:
    """Return the name of a stage as engines take it; a long one is cut, and a hash of it keeps it apart."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if plain[:1].isalpha() and len(plain) <= MOST_SLUG:
        return plain
    mark = hashlib.sha256(name.encode()).hexdigest()[:HASH]
    start = plain if plain[:1].isalpha() else f"stage-{plain}"
    return f"{start[: MOST_SLUG - HASH - 1].rstrip('-')}-{mark}"


def _check(stage: Any, root: Path) -> None:
    """Refuse a stage that cannot run in a clean copy of the repository."""
    file = Path(stage.path)
    if file.parent != root:
        place, folder = file.relative_to(root).as_posix(), file.parent.relative_to(root).as_posix()
        raise DagError(f"{place} has stages of its own\n  fix: move them into dvc.yaml, with `wdir: {folder}`")
    if "\\" in stage.name:
        raise DagError(
            f"the name of the stage {stage.name} has a backslash, which DVC takes for a folder\n"
            "  fix: rename it in dvc.yaml"
        )
    for out in stage.outs:
        if out.persist:
            raise DagError(
                f"the stage {stage.name} keeps {out} from its last run, which a clean copy does not have\n"
                f"  fix: delete `persist: true`, and write {out} anew each time"
            )
        if not out.is_in_repo:
            raise DagError(
                f"the stage {stage.name} writes {out}, outside of the repository\n  fix: write it below data or build"
            )
    for dep in stage.deps:
        if dep.protocol == "local" and not dep.is_in_repo:
            raise DagError(
                f"the stage {stage.name} reads {dep}, outside of the repository\n"
                "  fix: copy it into data/raw, then: uv run dvc add FILE"
            )


def _resources(stage: Any) -> Resources:
    """Return what `meta.execution` of a stage asks for."""
    meta = stage.meta if isinstance(stage.meta, dict) else {}
    asked = meta.get("execution") or {}
    where = f"the stage {stage.name}: meta.execution"
    fix = "correct it in dvc.yaml, for example: meta: {execution: {memory: 4Gi}}"
    if not isinstance(asked, dict):
        raise DagError(f"{where} is {asked!r}, not a mapping\n  fix: {fix}")
    try:
        return Resources.model_validate(dict(asked))
    except ValidationError as error:
        fault = error.errors()[0]
        said = f"is {fault['input']!r}: {fault['msg'].lower()}"
        if fault["type"] == "extra_forbidden":
            said = f"is not known: only {', '.join(Resources.model_fields)} are"
        raise DagError(f"{where}.{fault['loc'][0]} {said}\n  fix: {fix}") from None


def _check_slugs(nodes: list[Node]) -> None:
    """Refuse stages that engines could not tell apart."""
    by_slug: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        by_slug[node.slug].append(node.name)
    for same, names in by_slug.items():
        if len(names) > 1:
            raise DagError(
                f"{' and '.join(names)} are both {same} for an engine\n  fix: rename one of them in dvc.yaml"
            )
