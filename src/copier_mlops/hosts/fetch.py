"""Download the artifacts of a run on the git host, so that you can repeat a failed step with its inputs."""

import argparse
import filecmp
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copier_mlops.command import CommandError, run
from copier_mlops.handover import build
from copier_mlops.hosts import connect
from copier_mlops.hosts.archive import MOST_BYTES, ArchiveError, unpack
from copier_mlops.hosts.interface import HostError, Kept, Run
from copier_mlops.hosts.refusals import one_line
from copier_mlops.project import answer, level
from copier_mlops.registry import flows

DRAFT = ".fetch-"
A_DAY = 86_400  # seconds


@dataclass(frozen=True)
class Fetched:
    """A downloaded artifact of a job; `before` is the new path of the folder that it replaced, if there was one."""

    job: str
    files: int
    bytes: int
    before: str


def jobs_that_keep() -> list[str]:
    """Return the ids of all jobs with artifacts, without duplicates."""
    found = [id for flow in flows(level()).values() for id, job in flow["jobs"].items() if job.get("keeps")]
    return list(dict.fromkeys(found))


def choose(found: Run, job: str | None) -> list[Kept]:
    """Return the artifacts to download: those of one job, or of all jobs.

    Raises:
        HostError: There are none; the text says why.
    """
    known = {each.job: each for each in found.kept if each.job in jobs_that_keep()}
    if job and job not in known:
        takes = [each for each in inputs(found, job) if each in known]
        fix = f"uv run poe fetch {found.number} --job {takes[0]}" if takes else commands_line(found, [job])
        why = "a job that fails keeps nothing" if job in found.failed or not known else f"it has {', '.join(known)}"
        raise HostError(f"the job {job} kept nothing in run {found.number}: {why}", fix)
    wanted = [known[job]] if job else list(known.values())
    if not wanted:
        raise HostError(f"no job of run {found.number} kept anything", commands_line(found, found.failed))
    fresh = [each for each in wanted if not each.has_expired]
    if not fresh:
        names = ", ".join(each.job for each in wanted)
        fix = commands_line(found, [each.job for each in wanted])
        raise HostError(f"what {names} kept in run {found.number} has expired", fix)
    return fresh


def flows_of(found: Run) -> dict[str, dict[str, Any]]:
    """Return the flow of a run; if the host does not name it, all flows with its jobs."""
    every = flows(level())
    if found.flow in every:
        return {found.flow: every[found.flow]}
    jobs = {each.job for each in found.kept} | set(found.failed)
    return {id: flow for id, flow in every.items() if jobs & flow["jobs"].keys()}


def inputs(found: Run, job: str) -> list[str]:
    """Return the jobs whose artifacts a job reads."""
    return [each for flow in flows_of(found).values() for each in flow["jobs"].get(job, {}).get("takes", [])]


def commands(found: Run, jobs: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Return the steps of jobs, by flow and job, as commands that you can type.

    Logins to the cloud are left out, as you have your own.
    """
    wanted, reached = list(jobs), level()
    return {
        name: {
            id: [
                f"uv run poe {each['run']}" for each in job["steps"] if each["level"] <= reached and "cloud" not in each
            ]
            for id, job in flow["jobs"].items()
            if id in wanted
        }
        for name, flow in flows_of(found).items()
    }


def commands_line(found: Run, jobs: Iterable[str]) -> str:
    """Return these commands on one line; without jobs, those of the whole flow, if it is known."""
    jobs = list(jobs) or [job for flow in flows_of(found).values() for job in flow["jobs"]]
    known = [steps for steps in commands(found, jobs).values() if steps]
    if len(known) > 1:  # flows have jobs of the same name
        return f"the steps of {', '.join(jobs)} in the file of the flow"
    every = [line for steps in known for lines in steps.values() for line in lines]
    return " && ".join(every) or "uv run poe cd"


def save(kept: Kept, draft: Path) -> tuple[int, int]:
    """Download and unpack a job's artifact to a temporary folder, and return its number of files and bytes.

    Raises:
        HostError: It cannot be downloaded or trusted.
    """
    with tempfile.TemporaryFile(dir=draft) as file:
        kept.save(file, MOST_BYTES, lambda count: progress(kept, count))
        file.seek(0)
        try:
            return unpack(file, kept.folders, draft / kept.job)
        except ArchiveError as error:
            text = f"the archive of {kept.job} {one_line(str(error))}; nothing of it is used"
            raise HostError(text, "look at it on the host") from None


def progress(kept: Kept, count: int) -> None:
    """Show the progress of a download on a terminal."""
    if sys.stderr.isatty():
        of = f" of {size(kept.size)}" if kept.size else ""
        print(f"\r  {kept.job}: {size(count)}{of} \033[K", end="", file=sys.stderr, flush=True)


def size(count: int) -> str:
    """Return a number of bytes with a unit, for example `1.5 MB`."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def put(draft: Path, job: str) -> str:
    """Move a downloaded folder to build/<job>, and return the new name of the folder that it replaces.

    Raises:
        OSError: It cannot be moved; the previous folder is back in place.
    """
    new, target = draft / job, build() / job
    if not target.exists() and not target.is_symlink():
        new.rename(target)
        return ""
    if same(new, target):
        return ""
    names = (f"{job}.before" + (f"-{number}" if number > 1 else "") for number in range(1, 10_000))
    before = next(path for name in names if not (path := build() / name).exists() and not path.is_symlink())
    target.rename(before)
    try:
        new.rename(target)
    except OSError:
        before.rename(target)
        raise
    return f"build/{before.name}"


def same(one: Path, other: Path) -> bool:
    """Return whether two folders have the same files with the same bytes."""
    listed = [{path.relative_to(top) for path in top.rglob("*") if not path.is_dir()} for top in (one, other)]
    if listed[0] != listed[1] or other.is_symlink():
        return False
    return all(filecmp.cmp(one / path, other / path, shallow=False) for path in listed[0])


def fetch(wanted: list[Kept]) -> list[Fetched]:
    """Download everything first, and only then move it into place.

    Raises:
        HostError: A download failed, and nothing was changed.
    """
    try:
        build().mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=DRAFT, dir=build()) as draft:
            counts = [save(each, Path(draft)) for each in wanted]
            if sys.stderr.isatty():
                print("\r\033[K", end="", file=sys.stderr)
            return [
                Fetched(each.job, *count, put(Path(draft), each.job))
                for each, count in zip(wanted, counts, strict=True)
            ]
    except OSError as error:
        text = f"build/ cannot be written: {error.strerror or error}"
        raise HostError(text, f"free some disk space: the run has {size(sum(each.size for each in wanted))}") from None


def leftovers() -> None:
    """Remove temporary folders of a fetch that was killed."""
    for path in build().glob(f"{DRAFT}*"):
        if path.stat().st_mtime < time.time() - A_DAY:  # a younger one may belong to a fetch that still runs
            shutil.rmtree(path, ignore_errors=True)


def code_of(found: Run) -> str:
    """Return how to check out the commit of the run; empty if it is checked out."""
    here = ""
    with suppress(CommandError):
        here = run("git", "rev-parse", "HEAD")
    if here == found.commit:
        return ""
    return f"The run had another commit than this folder: git fetch origin && git switch --detach {found.commit[:12]}"


def show(found: Run, fetched: list[Fetched], left: dict[str, str]) -> None:
    """Print the downloaded artifacts, and the commands of the steps that read them."""
    print(f"fetch: run {found.number}, {found.url}")
    for each in fetched:
        kept = f"; the previous folder is {each.before} now" if each.before else ""
        print(f"  build/{each.job}: {each.files} files, {size(each.bytes)}{kept}")
    for job, why in left.items():
        print(f"  left out: {one_line(job)}, {why}")
    if code := code_of(found):
        print(f"\n{code}")
    known = flows_of(found)
    every = [job for flow in known.values() for job in flow["jobs"]]
    ours = [job for job in found.failed if job in every]
    print("\nThe failed steps, as commands here:" if ours else "\nThe steps of its jobs, as commands here:")
    for name, jobs in commands(found, ours or every).items():
        for job, lines in jobs.items():
            takes = known[name]["jobs"][job].get("takes", [])
            reads = [f"build/{each}" + ("" if (build() / each).is_dir() else " (not here)") for each in takes]
            of = f" of {name}" if len(known) > 1 else ""
            print(f"  {job}{of}" + (f", which reads {', '.join(reads)}" if reads else "") + ":")
            print(*(f"    {line}" for line in lines), sep="\n")


def document(found: Run, fetched: list[Fetched], left: dict[str, str]) -> str:
    """Return the same as a JSON document."""
    entries = [
        {
            "job": each.job,
            "folder": f"build/{each.job}",
            "files": each.files,
            "bytes": each.bytes,
            "before": each.before,
        }
        for each in fetched
    ]
    about = {"run": found.number, "url": found.url, "flow": found.flow, "commit": found.commit}
    every = [job for flow in flows_of(found).values() for job in flow["jobs"]]
    said = {**about, "failed": list(found.failed), "fetched": entries, "left_out": left}
    return json.dumps({**said, "commands": commands(found, every)}, indent=2, ensure_ascii=False)


def main(arguments: list[str] | None = None) -> None:
    """Download build/JOB of a run on the git host, so that you can repeat a failed step with its inputs.

    A folder that exists already is kept as build/JOB.before.
    """
    parser = argparse.ArgumentParser(
        prog="poe fetch", description=main.__doc__, epilog="For example: uv run poe fetch 123 --job train"
    )
    parser.add_argument("run", metavar="RUN", help="number of the run, or its address in the browser")
    parser.add_argument("--job", metavar="JOB", help="fetch only the artifact of this job, for example train")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    if options.job and options.job not in jobs_that_keep():
        known = ", ".join(jobs_that_keep())
        raise SystemExit(f"fetch: no flow has a job {options.job!r} that keeps anything\n  fix: --job one of {known}")
    host = connect()
    try:
        found = host.find_run(options.run)
        wanted = choose(found, options.job)
        leftovers()
        fetched = fetch(wanted)
    except (KeyError, TypeError, AttributeError) as error:
        text = f"{host.name}'s answer does not have the form that is documented: {error!r}"
        raise HostError(text, f"download it by hand: {answer('git_host')} may have changed its API") from None
    left = {each.job: reason(each) for each in found.kept if each not in wanted and not options.job}
    print(document(found, fetched, left)) if options.json else show(found, fetched, left)


def reason(kept: Kept) -> str:
    """Return why an artifact is left out."""
    return "which has expired" if kept.has_expired else "which is not a job of the flows"


if __name__ == "__main__":
    main()
