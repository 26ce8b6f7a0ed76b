"""Search for better parameters of the pipeline: each trial runs it with other values, in a copy of your work tree.

operation/configuration/search.yaml says what is searched. The best values go into params.yaml. If you call it again,
the search goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from copier_mlops import handover
from copier_mlops.pipeline import PipelineError, dag
from copier_mlops.project import root
from copier_mlops.settings import load_settings
from copier_mlops.tuning import TuneError, parameters, require, space

if TYPE_CHECKING:
    from copier_mlops.tuning.study import Study
    from copier_mlops.tuning.target import Target
    from copier_mlops.tuning.workers import Workers

NEW = " --new train@gradient_boosting train.learning_rate train.leaf"
# The options with their meaning, for the help.
EXAMPLES = {
    NEW: "write a first search.yaml for these parameters of this stage",
    "": "search, and write the best values into params.yaml",
    " --trials 50": "search on, until 50 trials have ended",
    " --timeout 30m": "start no trial after half an hour",
    " --jobs 4": "run four trials at once, each with a quarter of the cores",
    " --name wide": "give the search a name; another one begins beside the first",
    " --ray local": "run the trials on a Ray of this machine, as many at once as it has cores",
    " --ray ray://head:10001 --jobs 20": "run up to 20 trials at once on a Ray cluster",
    " --no-apply": "leave params.yaml as it is",
    " --no-track": "track nothing in MLflow",
    " --json": "print what was found as JSON; lines about trials go to standard error",
}


def main(arguments: list[str] | None = None) -> int:
    """Search, and return the exit code: 1 if no trial has a result.

    Raises:
        SystemExit: The search cannot begin, for example since search.yaml names a parameter that params.yaml lacks.
        KeyboardInterrupt: Ctrl-C; what has ended is kept.
    """
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.new:
            from copier_mlops.tuning import starter

            path = starter.write(root(), chosen.new[0], chosen.new[1:])
            print(f"tune: {path.relative_to(root()).as_posix()} is written")
            print("  next: look at its metric and ranges, then: uv run poe tune")
            return 0
        return _search(chosen)
    except PipelineError as error:
        raise SystemExit(f"tune: {error}") from None


def _parser() -> argparse.ArgumentParser:
    tune = "uv run poe tune"
    parser = argparse.ArgumentParser(
        prog="poe tune",
        description=__doc__,
        epilog="\n".join(["for example:", *(f"  {tune}{each}\n      {EXAMPLES[each]}" for each in EXAMPLES)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--new", nargs="+", metavar=("STAGE", "KEY"), help="write a first search.yaml, and search nothing")
    add("--trials", type=_number, metavar="N", help="how many trials have to end (default: that of search.yaml)")
    add("--timeout", type=_time, metavar="TIME", help="start no trial after this time (default: that of search.yaml)")
    add("--jobs", type=_number, metavar="N", help="how many trials may run at once (default: 1; on Ray all that fit)")
    add("--name", type=_name, metavar="NAME", help="the name of the search (default: one for this code and data)")
    add("--ray", metavar="ADDRESS", help="run the trials on Ray: local, auto, or the address of a cluster")
    add("--no-apply", action="store_true", help="leave params.yaml as it is")
    add("--no-track", action="store_true", help="track nothing in MLflow")
    add("--json", action="store_true", help="print what was found as JSON")
    return parser


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not (number := int(text)):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, not {text!r}")
    return number


def _time(text: str) -> float:
    if not re.fullmatch(r"[1-9]\d*[smh]", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"expected a time such as 90m, not {text!r}")
    return dag.seconds(text)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,79}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"expected letters, digits, `.`, `_` or `-`, not {text!r}")
    return text


def _search(chosen: argparse.Namespace) -> int:
    """Run a search, and do with its result what the options say."""
    here, output = root(), sys.stderr if chosen.json else sys.stdout
    require("optuna", "tune")
    if chosen.ray:
        require("ray", "ray")
    search = space.read(here)
    load_settings()  # reports a wrong setting before anything runs
    # Optuna and DVC are slow.
    from copier_mlops.pipeline import snapshot
    from copier_mlops.tuning import identity, outcome, study, target

    found = target.find(here, search)
    commit = snapshot.take(here)
    mark = identity.fingerprint(here, commit, search, found.outs)
    folder = handover.build() / "tune" / (chosen.name or identity.name_of(found.node.slug, mark))
    with _alone(folder):
        opened = study.Study(folder, search, found.space, found.own, mark)
        away = "" if chosen.no_track else _server(output)
        most = chosen.trials or search.trials
        before = len(opened.ended())
        going = f", which goes on after {before} trials" if before else ""
        print(f"tune: the search {folder.name}{going}: {most} trials of {found.node.name}", file=output, flush=True)
        interrupted = False
        try:
            failed = _run(chosen, opened, found, commit, most, output)
        except KeyboardInterrupt:
            interrupted, failed = True, []
        if opened.ended():
            print(outcome.table(opened), file=output, flush=True)
        if not chosen.no_track:
            _track(opened, commit, not interrupted, away, output)
        written = not interrupted and not chosen.no_apply and _apply(opened, found, output)
        document = outcome.document(opened, commit, written)
        (folder / "results.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if interrupted:
        print("tune: what has ended is kept; to go on: uv run poe tune", file=output, flush=True)
        raise KeyboardInterrupt
    if chosen.json:
        print(json.dumps(document, indent=2))
    if not opened.ended():
        _show_failure(folder, failed)
        return 1
    return 0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse a second process that searches in the same folder.

    Raises:
        TuneError: Another process does.
    """
    import sqlite3

    folder.mkdir(parents=True, exist_ok=True)
    # The lock of a file of SQLite ends with its process, on each system.
    connection = sqlite3.connect(folder / "lock.db", timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        connection.close()
        raise TuneError(
            f"the search {folder.name} is running already, in another process\n"
            "  fix: wait for it, or start another one: uv run poe tune --name OTHER"
        ) from None
    try:
        yield
    finally:
        connection.close()


def _run(
    chosen: argparse.Namespace, study: Study, target: Target, commit: str, most: int, output: IO[str]
) -> list[int]:
    """Run trials, and return the numbers of those that failed."""
    from copier_mlops.tuning.progress import Progress, shown
    from copier_mlops.tuning.search import Loop

    seconds = chosen.timeout or study.search.seconds
    until = time.monotonic() + seconds if seconds else float("inf")
    if len(study.ended()) >= most:
        return []
    progress = Progress(study, most, output)
    workers = _workers(chosen, target)
    loop = Loop(study, root(), commit, target.node.name, workers, most, until, target.waits, progress.tell)
    with shown(progress):
        loop.run()
    if loop.is_late:
        print("tune: the time is over, so no further trial starts", file=output, flush=True)
    return loop.failed


def _workers(chosen: argparse.Namespace, target: Target) -> Workers:
    if not chosen.ray:
        from copier_mlops.tuning.workers import Local

        return Local(chosen.jobs or 1)
    from copier_mlops.tuning.ray_workers import OnRay

    return OnRay(chosen.ray, chosen.jobs, target.node.resources)


def _apply(study: Study, target: Target, output: IO[str]) -> bool:
    """Write the best values into params.yaml, and say what changed; return whether it has them now.

    Raises:
        TuneError: The file cannot be written.
    """
    best = next(iter(study.ranked()), None)
    if best is None:
        return False
    text = parameters.read(root())
    now = {key: each for key, each in parameters.values(text).items() if key in target.own}
    if now == best.params:
        print(f"tune: {parameters.FILE} has the best values already", file=output, flush=True)
        return True
    if now != target.own:
        print(
            f"tune: {parameters.FILE} is not changed: it has other values now than when the search began\n"
            "  fix: to write the best ones, type the same command again",
            file=output,
            flush=True,
        )
        return False
    file = root() / parameters.FILE
    draft = file.with_name(f"{file.name}.{os.getpid()}.draft")
    draft.write_bytes(parameters.with_values(text, best.params).encode("utf-8"))
    shutil.copymode(file, draft)
    draft.replace(file)
    changed = [f"{key}: {now[key]} -> {each}" for key, each in best.params.items() if each != now[key]]
    print(f"tune: {parameters.FILE}: {', '.join(changed)}\n  next: uv run poe train", file=output, flush=True)
    return True


def _server(output: IO[str]) -> str:
    """Return why the tracking server does not answer; an empty text if it does."""
    from copier_mlops.tuning import tracked

    if away := tracked.prepare():
        print(
            f"tune: {away}; the search goes on, and is tracked if the server answers by then", file=output, flush=True
        )
    return away


def _track(study: Study, commit: str, is_complete: bool, away: str, output: IO[str]) -> None:
    """Track the search, or say why that is not possible: its results stay."""
    from copier_mlops.tracking.server import TrackingError
    from copier_mlops.tuning import tracked

    if not study.all():
        return
    try:
        run = tracked.track(study, commit, is_complete)
    except TrackingError as error:
        reason = str(error).splitlines()[0].removeprefix("tracking: ")
        print(f"tune: not tracked: {away or reason}\n  fix: uv run poe tune, which tracks what was found", file=output)
        return
    print(f"tune: tracked as run {study.folder.name} ({run}), with a child for each trial", file=output, flush=True)


def _show_failure(folder: Path, failed: list[int]) -> None:
    from copier_mlops.tuning.progress import last_lines
    from copier_mlops.tuning.search import folder_of
    from copier_mlops.tuning.workers import LOG

    if not failed:
        print("tune: no trial has ended\n  fix: give it more time: uv run poe tune --timeout 2h", file=sys.stderr)
        return
    log = folder_of(folder, failed[0]) / LOG
    print(f"tune: all {len(failed)} trials failed, the first with:", last_lines(log), sep="\n", file=sys.stderr)
    print(f"  fix: correct what {log} says, then: uv run poe tune", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
