"""`mlops submit`: run the pipeline on an engine, wait, and keep what `mlops announce` and later steps need."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from copier_mlops.address import redacted
from copier_mlops.command import CommandError
from copier_mlops.command import run as git
from copier_mlops.hosts import HostError, connect
from copier_mlops.pipeline import PipelineError
from copier_mlops.project import root
from copier_mlops.registry import registry
from copier_mlops.submitting import Submitted, add_project, check_engine, enter, here


def main(arguments: list[str] | None = None) -> int:
    """Run the pipeline of a repository of DVC on an engine, wait for its end, and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="mlops submit",
        description=main.__doc__,
        epilog="For example: uv run mlops submit --engine local --run nightly-7",
    )
    add_project(parser)
    parser.add_argument("--engine", choices=list(registry("engines")), default="local", help="default: local")
    parser.add_argument("--run", metavar="ID", help="the name of the run, for example nightly-7 (default: by time)")
    parser.add_argument(
        "--settings", metavar="FILE", help="settings of the engine, for example ci/slurm.yaml (default: the project's)"
    )
    parser.add_argument("--push", action="store_true", help="then push data and results to the default data remote")
    chosen = parser.parse_args(arguments)
    began_in = Path.cwd()
    enter(chosen.project)
    folder, place, reason, code = root(), "", "", 1
    name = commit = ""
    try:
        commit = _head()
        name = _checked(chosen.run) if chosen.run else _name(commit)
        check_engine(folder, chosen.engine)
        if chosen.settings:
            _take(folder, chosen.settings)
        if chosen.engine == "local":
            code = _here(commit)
        else:
            place, code = _apart(chosen.engine, name)
        if code == 0 and chosen.push:
            code = _push()
    except SystemExit as error:
        reason = here(redacted(str(error.code)))
    done = Submitted(chosen.engine, name, commit, redacted(place), code, reason)
    done.write(folder)
    _tell(folder, began_in, done)
    if reason:
        raise SystemExit(reason)
    return code


def _head() -> str:
    try:
        return git("git", "rev-parse", "--verify", "HEAD")
    except CommandError:
        raise SystemExit("submit: git has no commit of this repository\n  fix: git add --all && git commit") from None


def _checked(run: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", run):
        text = f"submit: {run!r} is not the name of a run: letters, digits, dots and hyphens, up to 100"
        raise SystemExit(f"{text}\n  fix: --run nightly-7")
    return run


def _name(commit: str) -> str:
    from copier_mlops.pipeline import plan

    return plan.name_of_run(commit)


def _take(folder: Path, settings: str) -> None:
    """Let the engine read its settings from a file.

    Raises:
        SystemExit: It is not in the repository.
    """
    from copier_mlops.pipeline.engines.settings import take_from

    file = (folder / settings).resolve()
    if not file.is_file() or not file.is_relative_to(folder.resolve()):
        raise SystemExit(f"submit: {settings} is not a file of this repository\n  fix: name one, such as ci/slurm.yaml")
    take_from(file)


def _here(commit: str) -> int:
    """Run the pipeline in the work tree."""
    from copier_mlops.pipeline.engines import local

    print(f"submit: the pipeline of {commit[:12]} runs on this machine", flush=True)
    return local.start((), None, pulls=bool(_remote())).wait()  # without a remote, DVC has nothing to pull


def _apart(engine: str, run: str) -> tuple[str, int]:
    """Run the pipeline on an engine; return where it has the run, and the exit code."""
    from copier_mlops.pipeline import follow

    followed = follow.start(engine, run)
    return followed.submission.place, followed.wait()


def _remote() -> str:
    """Return the default data remote of the repository; empty if it has none."""
    from dvc.config import Config  # type: ignore[import-untyped]

    return str(Config(dvc_dir=str(root() / ".dvc"))["core"].get("remote") or "")


def _push() -> int:
    """Push data and results; return the exit code."""
    from copier_mlops.pipeline import dvc_cli

    if not _remote():
        print("submit: nothing is pushed, since this repository has no default data remote", flush=True)
        return 0
    code = dvc_cli.push_all()
    if code:
        print("submit: the data remote refused the results\n  fix: give the job its login, or do not push", flush=True)
    return code


def _tell(folder: Path, began_in: Path, done: Submitted) -> None:
    """Tell later steps of the job what came of it, if this host has a place for that."""
    host = connect()
    try:
        link, kept = done.link or host.run_url(), lock(folder, began_in)
        host.tell_step({"run": done.run, "link": link, "lock": kept, "exit": str(done.code)})
    except (HostError, PipelineError, OSError) as error:
        print(f"{error}", flush=True)


def lock(folder: Path, began_in: Path) -> str:
    """Return the path of dvc.lock from the folder in which the task was called; empty if it is not there."""
    file = folder / "dvc.lock"
    return Path(os.path.relpath(file, began_in)).as_posix() if file.is_file() else ""
