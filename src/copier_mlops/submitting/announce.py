"""`mlops announce`: comment on what was submitted, and bring `dvc.lock` to git. It runs no stage."""

from __future__ import annotations

import argparse
import os
from typing import Literal

from copier_mlops.command import CommandError
from copier_mlops.hosts import connect
from copier_mlops.hosts.comment import base_commit, code, differences, table
from copier_mlops.hosts.interface import Host
from copier_mlops.hosts.settings import load
from copier_mlops.pipeline import PipelineError
from copier_mlops.project import root
from copier_mlops.submitting import Submitted, add_project, enter, here

# DVC's commands read the configuration of the repository, which could name a program. They get no token.
TOKEN = "HOST_TOKEN"  # noqa: S105 (its name)


def main(arguments: list[str] | None = None) -> int:
    """Comment on the run that was submitted last, and bring its dvc.lock to git by a change request or a commit."""
    parser = argparse.ArgumentParser(
        prog="mlops announce",
        description=main.__doc__,
        epilog="For example: uv run mlops announce --comment --lock change_request",
    )
    add_project(parser)
    parser.add_argument("--comment", action="store_true", help="comment on the change request of this run of CI")
    parser.add_argument(
        "--lock",
        choices=["none", "artifact", "commit", "change_request"],
        default="none",
        help="how dvc.lock gets to git: change_request, commit to the branch; artifact: CI keeps it (default: none)",
    )
    chosen = parser.parse_args(arguments)
    enter(chosen.project)
    done, host = Submitted.read(root()), connect()
    text = _text(done, host)
    print(text, flush=True)
    if chosen.comment:
        print(f"announce: {_comment(done, host, text)}", flush=True)
    if chosen.lock in ("commit", "change_request"):
        print(f"announce: {_lock(done, host, chosen.lock)}", flush=True)
    return 0


def _text(done: Submitted, host: Host) -> str:
    """Return the text of the comment: how the run ended, its links, and the metrics that it changed."""
    how = "succeeded" if done.code == 0 else "did not start" if done.reason else "failed"
    lines = [f"### The pipeline {how} on {code(done.engine)}", ""]
    lines += [f"Run {code(done.run)} of commit {code(done.commit[:12])}."]
    if done.reason:
        lines += ["", code(done.reason.splitlines()[0])]
    if done.link:
        lines += ["", f"[The run on the engine]({done.link})"]
    elif done.place:
        lines += ["", f"On the engine: {code(done.place)}"]
    if url := host.run_url():
        lines += ["", f"[The run of CI]({url})"]
    if done.code == 0:
        lines += ["", *_metrics(host)]
    return "\n".join(lines) + "\n"


def _metrics(host: Host) -> list[str]:
    """Return the metrics beside those of the branch that the change is for."""
    request = host.change_request()
    target = request.target if request else host.branch() or load().branch.name
    token = os.environ.pop(TOKEN, None)
    try:
        base = base_commit(target)
        found = differences(base)
    except (CommandError, SystemExit) as error:
        return [f"The metrics cannot be compared with {code(target)}: {code(str(error).splitlines()[0])}"]
    finally:
        if token is not None:
            os.environ[TOKEN] = token
    if not found:
        return ["The pipeline has no metrics."]
    return [f"Metrics against {code(target)} at {code(base[:10])}:", "", *table(found)]


def _comment(done: Submitted, host: Host, text: str) -> str:
    """Post or update the comment of this engine and folder, and return a sentence on it."""
    request = host.change_request()
    if request is None:
        return "this is not a run of a change request, so it gets no comment"
    if request.from_fork:
        return "runs of a fork's change get no token that may write, so the comment is only in this log"
    return host.comment(f"mlops submit: {done.engine} in {root().name}", text)


def _lock(done: Submitted, host: Host, how: Literal["commit", "change_request"]) -> str:
    """Bring the results to git, and return a sentence on it.

    Raises:
        SystemExit: The host or git refused.
    """
    from copier_mlops.hosts.propose import propose

    if done.code:
        return "the run failed, so dvc.lock in git stays as it was"
    if host.change_request():
        return "this is a run of a change request, whose dvc.lock is not brought to git; take `lock: artifact`"
    try:
        return here(propose(how=how))
    except (CommandError, PipelineError) as error:
        raise SystemExit(f"announce: {here(str(error))}") from None
