"""Comment on a change request: compare its metrics with those of the main branch.

Names and values from the repository are written as short code spans, so that they cannot act as markup.
"""

import argparse
import json
import sys
from typing import Any

from copier_mlops.address import redacted
from copier_mlops.command import CommandError, run
from copier_mlops.hosts import connect
from copier_mlops.hosts.interface import Host
from copier_mlops.hosts.refusals import one_line
from copier_mlops.hosts.settings import load
from copier_mlops.project import is_rendered, root
from copier_mlops.settings import load_settings

BY_HAND = "Plots: `uv run dvc pull`, then `uv run dvc plots show`."
MARKER = "poe comment: metrics"
# For each file, each metric with `old`, `new` and `diff`.
Metrics = dict[str, dict[str, dict[str, Any]]]
MOST_ROWS = 100
MOST_LETTERS = 80


def plots() -> str:
    """Return Markdown that leads to the plots: a link to the tracked run if others can reach its server."""
    if not is_rendered():
        return "Plots: `dvc pull`, then `dvc plots show`."
    settings = load_settings()
    if not settings.tracking_uri.startswith("http"):
        return BY_HAND
    from copier_mlops.tracking import lineage, server  # MLflow takes seconds to import

    try:
        client = server.connect(settings)
        experiment = server.experiment(client, settings).experiment_id
    except server.TrackingError:
        return BY_HAND
    run = server.find_run(client, experiment, lineage.pipeline_hash(root()))
    if run is None:
        return BY_HAND
    place = f"{redacted(settings.tracking_uri).rstrip('/')}/#/experiments/{experiment}/runs/{run.info.run_id}/artifacts"
    return f"[The plots of this result]({place})"


def git(*arguments: str) -> str:
    """Return the output of git, which never asks for a password.

    Raises:
        CommandError: It ended with an error.
    """
    return run("git", *arguments, GIT_TERMINAL_PROMPT="0")


def base_commit(target: str) -> str:
    """Return the commit of the target branch on which the change is based; fetch it if the clone does not have it.

    Raises:
        CommandError: It cannot be fetched.
    """
    remote = f"refs/remotes/origin/{target}"
    try:
        return git("merge-base", "HEAD", remote)
    except CommandError:
        shallow = git("rev-parse", "--is-shallow-repository") == "true"
        depth = ["--unshallow"] if shallow else []
        try:
            git("fetch", "--quiet", "--no-tags", *depth, "origin", f"+refs/heads/{target}:{remote}")
        except CommandError as error:
            return _local_base(target, error)
        return git("merge-base", "HEAD", remote)


def _local_base(target: str, error: CommandError) -> str:
    # A repository without a remote has the branch itself.
    try:
        return git("merge-base", "HEAD", f"refs/heads/{target}")
    except CommandError:
        raise error from None


def differences(base: str) -> Metrics:
    """Compare the metrics of the work tree with a commit by DVC, and return `old`, `new` and `diff` by file and metric.

    Raises:
        SystemExit: DVC cannot compare them.
    """
    try:
        printed = run(sys.executable, "-m", "dvc", "metrics", "diff", "--all", "--json", base)
    except CommandError as error:
        fix = "uv run dvc metrics diff"
        text = f"comment: DVC cannot compare the metrics: {one_line(str(error))}\n  fix: {fix}"
        raise SystemExit(text) from None
    found: Metrics = json.loads(printed or "{}")
    return found


def table(found: Metrics) -> list[str]:
    """Return the metrics as lines of a Markdown table."""
    rows = [(file, name, values) for file, metrics in sorted(found.items()) for name, values in sorted(metrics.items())]
    lines = ["| file | metric | before | now | difference |", "|---|---|---|---|---|"]
    for file, name, values in rows[:MOST_ROWS]:
        cells = [file, name, *(values.get(key) for key in ("old", "new", "diff"))]
        lines.append(f"| {' | '.join(map(code, cells))} |")
    if len(rows) > MOST_ROWS:
        lines.append(f"\n… and {len(rows) - MOST_ROWS} more.")
    return lines


def code(value: object) -> str:
    """Return a value as a code span, in which neither markup nor a mention has an effect."""
    if value is None:
        return "–"
    text = f"{value:.6g}" if isinstance(value, float) else one_line(str(value), MOST_LETTERS)
    return f"`{text.replace('`', chr(39)).replace('|', '¦')}`" if text else "–"


def report(target: str, link: str) -> str:
    """Return the text of the comment."""
    lines = ["### Metrics", ""]
    try:
        base = base_commit(target)
    except CommandError as error:
        lines += [f"Nothing to compare: {code(target)} is not in this clone and cannot be fetched: {code(str(error))}."]
    else:
        found = differences(base)
        metrics = [values for each in found.values() for values in each.values()]
        changed = any(values.get("old") != values.get("new") for values in metrics)
        if not found:
            lines += ["Nothing to compare: there are no metrics, neither here nor in the main branch."]
        else:
            against = f"Against {code(target)} at {code(base[:10])}"
            lines += [against + (":" if changed else ": nothing has changed."), "", *table(found)]
    lines += ["", plots()]
    if link:
        lines += ["", f"[The run of CI]({link})"]
    return "\n".join(lines) + "\n"


def send(host: Host, text: str, from_fork: bool) -> None:
    """Post the comment if the token has the right to."""
    if from_fork:
        print("comment: runs of a fork's change get no token that may write, so the comment is only in this log")
        return
    print(f"comment: {host.comment(MARKER, text)}")


def main(arguments: list[str] | None = None) -> None:
    """Compare the metrics with those of the main branch, print them, and post them as one comment."""
    parser = argparse.ArgumentParser(
        prog="poe comment", description=main.__doc__, epilog="For example: uv run poe comment"
    )
    parser.parse_args(arguments)
    host = connect()
    request = host.change_request()
    target = request.target if request else load().branch.name
    text = report(target, host.run_url())
    print(text)
    if request is None:
        print("comment: this is not a run of a change request, so there is nothing to comment on")
        return
    send(host, text, request.from_fork)


if __name__ == "__main__":
    main()
