"""Report on a change request, in one comment: its metrics against those of the main branch.

What comes from the repository is text, never markup: names and values stand in code, bounded.
"""

import argparse
import json
import sys
from typing import Any

from copier_mlops.command import CommandError, run
from copier_mlops.hosts import connect
from copier_mlops.hosts.interface import Host
from copier_mlops.hosts.refusals import one_line
from copier_mlops.hosts.settings import load
from copier_mlops.project import load_settings, root

BY_HAND = "Plots: `uv run dvc pull`, then `uv run dvc plots show`."
MARKER = "poe comment: metrics"
# Of each file each metric with `old`, `new` and `diff`.
Metrics = dict[str, dict[str, dict[str, Any]]]
MOST_ROWS = 100
MOST_LETTERS = 80


def plots() -> str:
    """Return Markdown that leads to the plots: to those of the tracked run, if others reach its server, too."""
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
    place = f"{settings.tracking_uri.rstrip('/')}/#/experiments/{experiment}/runs/{run.info.run_id}/artifacts"
    return f"[The plots of this result]({place})"


def git(*arguments: str) -> str:
    """Return what git prints; it asks nobody for a password.

    Raises:
        CommandError: It ended with an error.
    """
    return run("git", *arguments, GIT_TERMINAL_PROMPT="0")


def base_commit(target: str) -> str:
    """Return the commit of the target branch that the work started from, fetched if the clone does not have it.

    Raises:
        CommandError: It cannot be had.
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
    # A repository that has no server yet has the branch itself.
    try:
        return git("merge-base", "HEAD", f"refs/heads/{target}")
    except CommandError:
        raise error from None


def differences(base: str) -> Metrics:
    """Return each metric of each file: `old`, `new`, `diff`, as DVC compares the work tree with a commit.

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
    """Write the metrics as lines of a Markdown table."""
    rows = [(file, name, values) for file, metrics in sorted(found.items()) for name, values in sorted(metrics.items())]
    lines = ["| file | metric | before | now | difference |", "|---|---|---|---|---|"]
    for file, name, values in rows[:MOST_ROWS]:
        cells = [file, name, *(values.get(key) for key in ("old", "new", "diff"))]
        lines.append(f"| {' | '.join(map(code, cells))} |")
    if len(rows) > MOST_ROWS:
        lines.append(f"\n… and {len(rows) - MOST_ROWS} more.")
    return lines


def code(value: object) -> str:
    """Write a value as code in a cell, in which neither markup nor a mention has a meaning."""
    if value is None:
        return "–"
    text = f"{value:.6g}" if isinstance(value, float) else one_line(str(value), MOST_LETTERS)
    return f"`{text.replace('`', chr(39)).replace('|', '¦')}`" if text else "–"


def report(target: str, link: str) -> str:
    """Write the comment's text."""
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
    """Write the comment, if a token may."""
    if from_fork:
        print("comment: the change comes from a fork, whose runs get no token that may write; it stays in this log")
        return
    print(f"comment: {host.comment(MARKER, text)}")


def main(arguments: list[str] | None = None) -> None:
    """Print the metrics against those of the main branch, and write them to the one comment of this change request."""
    parser = argparse.ArgumentParser(prog="poe comment", description=main.__doc__)
    parser.parse_args(arguments)
    host = connect()
    request = host.change_request()
    target = request.target if request else load().branch.name
    text = report(target, host.run_url())
    print(text)
    if request is None:
        print("comment: this is no run of a change request, so there is nothing to comment on")
        return
    send(host, text, request.from_fork)


if __name__ == "__main__":
    main()
