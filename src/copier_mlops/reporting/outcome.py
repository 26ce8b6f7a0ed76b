"""End a training: its figures beside those of the baseline and the served model, and the command that comes next."""

from __future__ import annotations

from typing import Any

from copier_mlops import problems
from copier_mlops.contract import of_project
from copier_mlops.project import DEPLOYS, level, root
from copier_mlops.reporting import evaluate, figures
from copier_mlops.reporting.tracked import Tracked, ask
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import metrics_files


def show(away: str = "", tracked: bool = True) -> None:
    """Print the figures of the last run, and the next command. A file that is missing costs one sentence.

    Args:
        away: Why the tracking server is not asked; empty if it answered.
        tracked: Whether the run is tracked; otherwise that comes next.
    """
    settings = load_settings()
    known = Tracked(reason=away) if away else ask(root(), settings)
    try:
        rows = _rows(known)
    except (SystemExit, ValueError) as error:
        print(f"train: no figures to compare: {str(error).splitlines()[0].removeprefix('train: ')}")
        rows = []
    if rows:
        print(f"\nOn the test records, {_compared_with(known, settings)}")
        print(evaluate.table(rows))
    if not tracked:
        print("\nNext: uv run poe track")
    elif not away:
        print(f"\nNext: {next_step(known, rows)}")


def _rows(known: Tracked) -> list[dict[str, Any]]:
    """Return a row for each metric, with its verdict.

    Raises:
        SystemExit: The metrics of the run or the contract are missing or damaged.
        ValueError: Those of the baseline are damaged.
    """
    new, _ = metrics_files.numbers(metrics_files.read("train", root() / "metrics" / "test.json"))
    old = {} if known.version == known.served else known.figures
    rows = evaluate.compare(new, old, figures.baseline(root()))
    evaluate.judge(rows, of_project())
    return rows


def _compared_with(known: Tracked, settings: Settings) -> str:
    name = f"{settings.model_name}@{settings.model_alias}"
    if known.reason:
        return f"without the served model: {known.reason}"
    if not known.served:
        return f"compared with the baseline, since {name} has no version yet"
    if known.version == known.served:
        return f"which are those of {name}, version {known.served}"
    return f"compared with {name}, version {known.served}"


def next_step(known: Tracked, rows: list[dict[str, Any]]) -> str:
    """Return the command that comes after a tracked training, as far as the tracking server knows."""
    if known.reason:
        return "uv run poe evaluate"
    if known.version == known.served:
        return "uv run poe report"
    gate = problems.of(of_project()).gate
    verdicts = {row["metric"]: row["verdict"] for row in rows}
    if known.served and verdicts.get(gate) != "better":
        return f"uv run poe report, since {gate} is not better" if gate in verdicts else "uv run poe evaluate"
    return "uv run poe judge" if level() >= DEPLOYS else "uv run poe register"
