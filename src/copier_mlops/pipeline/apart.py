"""Run one stage of dvc.yaml apart from the others, in any clean copy of the repository, and bring the results together.

A run has a name. Each of its stages takes the results of those that it needs from the data remote, and leaves its own
there. DVC's cache has the files, and a fragment the entry of dvc.lock. So the stages may run on different machines.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from dvc.data_cloud import DataCloud, Remote  # type: ignore[import-untyped]
from dvc.exceptions import DvcException, OutputNotFoundError  # type: ignore[import-untyped]
from dvc.repo import Repo, lock_repo  # type: ignore[import-untyped]
from dvc.repo.reproduce import get_active_graph, plan_repro  # type: ignore[import-untyped]
from dvc.stage.serialize import to_single_stage_lockfile  # type: ignore[import-untyped]

from copier_mlops.address import redacted
from copier_mlops.pipeline import PipelineError, dag, lock_file, record, remote_login
from copier_mlops.pipeline.fragments import Fragment, Store, take_over
from copier_mlops.pipeline.record import StageRecord


class ApartError(PipelineError):
    """A stage that cannot run apart, or a run whose results are not complete; the text says which, and the fix."""


def run_stage(root: Path, name: str, run: str) -> bool:
    """Run a stage from a clean copy of the repository, with what those that it needs have left in this run.

    If nothing has changed since the entry of dvc.lock, no data is downloaded. A second call for the same run does
    nothing, and neither does one after a stage that was killed when it had stored its results.

    Args:
        root: The repository, which need not have git.
        name: The stage, for example `train@linear`.
        run: The name of the run, for example `nightly-7`.

    Returns:
        Whether the command of the stage ran.

    Raises:
        DagError, FragmentError: The pipeline, or the data remote, does not allow it.
        ApartError: A stage that it needs has not ended in this run, or the stage failed.
    """
    with opened(root) as repo:
        nodes = dag.read(repo)
        node = dag.find(nodes, name)
        store = Store(repo, run)
        if store.read(node.slug):
            return False
        found = store.read_all(each for each in nodes if each.name in node.needs)
        if missing := [need for need in node.needs if need not in found]:
            raise ApartError(
                f"{node.name} needs {', '.join(missing)}, which has not ended in the run {run}\n"
                f"  fix: uv run mlops stage {missing[0]} --run {run}"
            )
        take_over(root, found)
        with lock_repo(repo):  # DVC then reads dvc.lock anew
            stage, ran = _stage(repo, node.name), None
            must_run = stage.always_changed or outdated(repo, [stage])
        if must_run:
            with _transfer("give the inputs"):
                _pull_inputs(repo, stage)
            began = time.monotonic()
            repo.reproduce(node.name, single_item=True)
            ran = StageRecord.now(time.monotonic() - began)
            stage = _stage(repo, node.name)
        if any(out.use_cache and out.exists for out in stage.outs):
            with _transfer("take the outputs"):
                repo.push([node.name])
        store.write(node.slug, Fragment(to_single_stage_lockfile(stage), _uncached(stage, root), ran))
    return ran is not None


def run_up_to(root: Path, name: str, wanted: Iterable[str] = ()) -> list[str]:
    """Run a stage of a clean copy of the repository, and before it those that it needs and that are not up to date.

    Args:
        root: The copy.
        name: The stage, for example `train@linear`.
        wanted: Paths of outputs that you read afterwards, for example `metrics/candidates/linear.json`.

    Returns:
        The names of the stages whose entry of dvc.lock was not right; DVC's cache may have had their outputs.

    Raises:
        DagError: The pipeline does not allow it.
        ApartError: A stage failed, or its inputs are not to be had.
    """
    with opened(root) as repo:
        graph = get_active_graph(repo.index.graph)
        order = [each.name for each in plan_repro(graph, [_stage(repo, name)]) if each.cmd and not each.frozen]
        ran = []
        for each in order:
            stage = _stage(repo, each)  # an earlier stage may have changed what it reads
            if stage.always_changed or outdated(repo, [stage]):
                with _transfer("give the inputs"):
                    _pull_inputs(repo, stage)
                repo.reproduce(each, single_item=True)
                ran.append(each)
        if missing := [str(root / path) for path in wanted if not (root / path).exists()]:
            with _transfer("give the results"):
                repo.pull(missing)
    return ran


def collect(root: Path, run: str, *, partly: bool = False) -> list[str]:
    """Write what the stages of a run have left into dvc.lock and the files beside it, and return their names.

    Args:
        root: The repository.
        run: The name of the run.
        partly: Whether stages may be missing, for example after one that failed.

    Raises:
        DagError, FragmentError: The pipeline, or the data remote, does not allow it.
        ApartError: A stage has not ended, or the results are of other code or parameters than those of the work tree.
    """
    with opened(root) as repo:
        nodes = dag.read(repo)
        found = Store(repo, run).read_all(nodes)
    order = [node.name for node in nodes if node.name in found]
    if (missing := [node.name for node in nodes if node.name not in found]) and not partly:
        raise ApartError(
            f"{', '.join(missing)}: not ended in the run {run}, so nothing was changed here\n"
            f"  fix: uv run mlops stage {missing[0]} --run {run}"
        )
    take_over(root, {name: found[name] for name in order})
    record.add(root, {name: ran for name in order if (ran := found[name].ran)})
    with opened(root) as repo:
        other = outdated(repo, [_stage(repo, name) for name in order])
    if other:
        raise ApartError(
            f"the results of {', '.join(other)} in the run {run} are of other code, data or parameters than yours\n"
            "  fix: check out the commit of the run, then collect again"
        )
    return order


def push_sources(root: Path) -> None:
    """Push what stages read and none of them makes: data that DVC tracks, and the outputs of frozen stages.

    Raises:
        ApartError: The data is not here, or the remote refuses it.
    """
    with opened(root) as repo:
        sources = [stage for stage in repo.index.stages if stage.outs and (not stage.cmd or stage.frozen)]
        if targets := [stage.addressing for stage in sources if any(out.use_cache for out in stage.outs)]:
            with _transfer("take the data"):
                repo.push(targets)


def push_uncached(root: Path) -> None:
    """Push the results that DVC does not cache, such as metrics, so that the record of a run is complete elsewhere.

    After each stage DVC keeps them in its cache all the same. But `dvc push --run-cache` pushes none of them, and so a
    machine without the newest dvc.lock would run their stages again.

    Raises:
        ApartError: The remote refuses them.
    """
    with opened(root) as repo:
        outs = [out for stage in repo.index.stages if stage.cmd for out in stage.outs if not out.use_cache]
        kept = [out for out in outs if out.hash_info and out.cache.exists(out.hash_info.value)]
        for out in kept:
            out.use_cache = True  # only in this process: otherwise it names no file
        found = set().union(*(files for out in kept for files in out.get_used_objs().values()))
        if found:
            with _transfer("take the results"):
                failed = repo.cloud.push(found).failed
            if failed:
                raise ApartError(f"the data remote did not take {len(failed)} results\n  fix: uv run poe doctor")


def pull_results(root: Path, names: Iterable[str], also: Iterable[str] = ()) -> None:
    """Download those outputs of stages that no stage reads, such as the model, and others by their paths.

    Raises:
        ApartError: The data remote does not have them.
    """
    with opened(root) as repo:
        ended = set(names)
        stages = [stage for stage in repo.index.stages if stage.cmd and stage.name in ended]
        read = {dep.fs_path for stage in repo.index.stages for dep in stage.deps}
        wanted = {str(root / path) for path in also}
        outs = [out for stage in stages for out in stage.outs if out.use_cache]
        if paths := [out.fs_path for out in outs if out.fs_path not in read or out.fs_path in wanted]:
            with _transfer("give the results"):
                repo.pull(paths)


@contextmanager
def opened(root: Path) -> Iterator[Any]:
    """Open the repository with DVC; its stages import the code that is there, and not that of another installation.

    Raises:
        ApartError: DVC failed, or the disk has no space; the text is its own.
    """
    has_git = any((folder / ".git").exists() for folder in (root, *root.parents))
    repo = None
    with chdir(root), _code_of(root):  # DVC names stages from where it is
        remote_login.provide()
        try:
            repo = Repo(config=None if has_git else {"core": {"no_scm": True}})
            repo.scm_context.quiet = True  # nobody adds files to git in a copy
            repo.cloud = _OneConnection(repo)
            yield repo
        except DvcException as error:
            reasons = [str(each) for each in (error, error.__cause__) if each]
            raise ApartError(f"{redacted(': '.join(reasons))}\n  fix: uv run poe doctor") from None
        except (OSError, sqlite3.Error) as error:
            raise ApartError(f"files cannot be written below {root}: {error}\n  fix: df -h {root}") from None
        finally:
            if repo is not None:
                repo.close()


class _OneConnection(DataCloud):  # type: ignore[misc]
    """The data remotes of an open repository. DVC makes a new client at each step, which takes 0.1 s for S3."""

    def __init__(self, repo: Any) -> None:
        super().__init__(repo)
        self.remotes: dict[str | None, Remote] = {}

    def get_remote(self, name: str | None = None, command: str = "<command>") -> Remote:
        """Return a remote by its name, or the default one; always the same.

        Raises:
            dvc.exceptions.DvcException: The configuration does not have it.
        """
        name = name or self.repo.config["core"].get("remote")
        if name not in self.remotes:
            self.remotes[name] = super().get_remote(name, command)
        return self.remotes[name]


@contextmanager
def _transfer(what: str) -> Iterator[None]:
    """Turn an error of a remote's library, which may be of any class, into a sentence; `opened` handles those of DVC.

    Raises:
        ApartError: The remote failed.
    """
    try:
        yield
    except DvcException:
        raise
    except Exception as error:
        reason = " ".join(redacted(f"{type(error).__name__}: {error}").split())[:300]
        raise ApartError(f"the data remote failed to {what}: {reason}\n  fix: uv run poe doctor") from None


@contextmanager
def _code_of(root: Path) -> Iterator[None]:
    """Let Python processes that start in the block find the packages in `src` first."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root / "src"), before]))
    try:
        yield
    finally:
        os.environ["PYTHONPATH"] = before


def _stage(repo: Any, name: str) -> Any:
    (stage,) = repo.stage.collect(name)
    return stage


def outdated(repo: Any, stages: Iterable[Any]) -> list[str]:
    """Return the names of those stages whose entry of dvc.lock is not right; their inputs and outputs may be missing.

    An entry of a stage with `always_changed` is right if the same code and data gave it.

    Args:
        repo: The `dvc.repo.Repo` that has the stages.
        stages: Stages of it that have a command.
    """
    entries = cache(lock_file.entries)
    graph = get_active_graph(repo.index.graph)

    def is_right(stage: Any) -> bool:
        # DVC takes a stage without inputs and without an entry for one that has not changed.
        if stage.name not in entries(lock_file.of(stage)):
            return False
        if any(not out.use_cache and not out.exists for out in stage.outs):
            return False
        always, stage.always_changed = stage.always_changed, False
        try:
            return not stage.changed(allow_missing=True, upstream=list(graph.successors(stage)))
        finally:
            stage.always_changed = always

    with lock_repo(repo):
        return [stage.name for stage in stages if not is_right(stage)]


def _pull_inputs(repo: Any, stage: Any) -> None:
    """Download what the stage reads, by path: DVC's own `--pull` does not find the inputs of a stage with `wdir`."""
    if paths := [path for path, outs in inputs(repo, stage) if any(out.use_cache for out in outs)]:
        repo.pull(paths)


def inputs(repo: Any, stage: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the path of each file or folder that a stage reads, with DVC's outputs there; git has one without any."""
    for dep in stage.deps:
        if dep.protocol != "local":
            continue
        try:
            yield dep.fs_path, repo.find_outs_by_path(dep.fs_path, strict=False)
        except OutputNotFoundError:
            yield dep.fs_path, []


def _uncached(stage: Any, root: Path) -> dict[str, bytes]:
    """Return the files of the outputs that DVC does not cache, by their paths from the root."""
    files: dict[str, bytes] = {}
    for out in stage.outs:
        if not out.use_cache:
            place = Path(out.fs_path)
            found = sorted(each for each in place.rglob("*") if each.is_file()) if place.is_dir() else [place]
            files |= {each.relative_to(root).as_posix(): each.read_bytes() for each in found}
    return files
