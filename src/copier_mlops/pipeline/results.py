"""The results of a training that belong to git: dvc.lock, and the metrics and plots that DVC does not cache.

DVC's own graph says which they are. A job keeps them for later jobs in build/train/results.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copier_mlops import handover
from copier_mlops.command import CommandError, run
from copier_mlops.pipeline import PipelineError, lock_file
from copier_mlops.pipeline.apart import inputs, opened, outdated

# The job that trains, and the name of what it keeps of its results.
JOB, KEPT = "train", "results"


class ResultsError(PipelineError):
    """Results that do not belong to the commit that is checked out; the text says why, and the fix."""


@dataclass(frozen=True)
class Results:
    """The results of a pipeline, and what decides them; all paths start at the root of the project.

    Attributes:
        files: The files and folders that a training writes and git has, for example `dvc.lock`.
        sources: The files and folders of git that its stages read, for example `params.yaml`.
        outdated: The stages whose results are not those of the work tree.
    """

    files: tuple[str, ...]
    sources: tuple[str, ...]
    outdated: tuple[str, ...]


def read(root: Path) -> Results:
    """Return the results of the pipeline in the work tree; neither data nor a remote is needed.

    Raises:
        ApartError: DVC cannot read the pipeline.
    """
    with opened(root) as repo:
        stages = [stage for stage in repo.index.stages if stage.cmd and not stage.frozen]
        outs = [Path(out.fs_path) for stage in stages for out in stage.outs if not out.use_cache]
        written = [*dict.fromkeys(lock_file.of(stage) for stage in stages), *outs]
        sources = dict.fromkeys(path for stage in stages for path in _sources(repo, stage))
        stale = outdated(repo, stages)
        top = Path(repo.root_dir)
    files = _not_ignored(root, _inside(top, written))
    return Results(tuple(files), tuple(each for each in _inside(top, sources) if each not in files), tuple(stale))


def changed(root: Path, files: Iterable[str]) -> list[str]:
    """Return the files, at or below these paths, that differ from the commit that is checked out.

    Raises:
        CommandError: This is not a repository of git.
    """
    literal = [f":(literal){path}" for path in files]
    if not literal:
        return []
    known = run("git", "diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD", "--", *literal, cwd=root)
    new = run("git", "ls-files", "--others", "--exclude-standard", "-z", "--", *literal, cwd=root)
    return sorted({*known.split("\0"), *new.split("\0")} - {""})


def keep(root: Path) -> None:
    """Copy the results to build/train/results, for the job that proposes them; say so if that is not possible."""
    try:
        files = [each for path in read(root).files for each in _files(root / path)]
        commit = head(root)
    except (PipelineError, CommandError) as error:
        print(f"push: the results are not kept for `poe propose`: {error}")
        return
    folder = handover.folder(JOB) / KEPT
    shutil.rmtree(folder, ignore_errors=True)
    names = [file.relative_to(root).as_posix() for file in files]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    handover.write(JOB, KEPT, {"commit": commit, "files": names})


def take_kept(root: Path) -> None:
    """Write the results that the job `train` kept into the work tree.

    Raises:
        ResultsError: They are of another commit, or a file of the work tree has other changes.
        SystemExit: No results were kept.
    """
    kept, place = handover.read(JOB, KEPT), f"build/{JOB}/{KEPT}"
    if kept.get("commit") != head(root):
        raise ResultsError(
            f"{place} has the results of commit {kept.get('commit')}, and another one is checked out\n"
            f"  fix: git switch --detach {kept.get('commit')}"
        )
    known, names = read(root).files, [str(name) for name in kept.get("files", [])]
    folder = handover.folder(JOB) / KEPT
    for name in names:
        if not any(Path(name).is_relative_to(each) for each in known) or ".." in Path(name).parts:
            raise ResultsError(f"{place} has {name}, which no stage of dvc.yaml writes\n  fix: uv run poe train")
        if not (folder / name).is_file():
            raise ResultsError(f"{place} lacks {name}\n  fix: fetch it again: uv run poe fetch RUN --job {JOB}")
    mine = [name for name in changed(root, names) if not _same(root / name, folder / name)]
    if mine:
        raise ResultsError(f"{', '.join(mine)}: changed here, and differently in {place}\n  fix: git stash")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, root / name)


def head(root: Path) -> str:
    """Return the commit that is checked out.

    Raises:
        ResultsError: The project is not a repository of git, or has no commit.
    """
    try:
        return run("git", "rev-parse", "--verify", "HEAD", cwd=root)
    except CommandError:
        raise ResultsError("git has no commit of this project\n  fix: uv run poe setup") from None


def _sources(repo: Any, stage: Any) -> Iterator[Path]:
    """Yield what a stage reads, as git has it: its dvc.yaml, files of parameters, code, and pointers to data."""
    yield Path(stage.path)
    for path, outs in inputs(repo, stage):
        yield from (Path(out.stage.path) for out in outs if not out.stage.cmd)
        if not outs:
            yield Path(path)


def _inside(root: Path, paths: Iterable[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)]


def _not_ignored(root: Path, files: list[str]) -> list[str]:
    """Return the files that git does not ignore."""
    try:
        ignored = run("git", "check-ignore", "-z", "--stdin", cwd=root, typed="\0".join(files)) if files else ""
    except CommandError:  # it ends with 1 if nothing is ignored
        ignored = ""
    return [file for file in files if file not in ignored.split("\0")]


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(each for each in place.rglob("*") if each.is_file())
    return [place] if place.is_file() else []


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
