"""Measure this template beside its peers and print both with ratios: `uv run poe bench --help`.

A goal that is missed is printed and is no failure: how fast a machine is decides nothing about a change.
"""

import argparse
import json
import os
import platform
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from . import apart, copying, linting, measure, own_data, project, rendering, size, stages, updating

BENCHMARKS = {
    "copy": "generate the default project, beside copying the same files as they are",
    "update": "update a project, beside the same update of as many plain files",
    "render": "render every pair of answers, as the tests do",
    "project": "from an empty folder to a registered model, beside Kedro's starter (minutes)",
    "stages": "poe train, which runs stages side by side, beside dvc repro (minutes)",
    "apart": "a stage in a clean copy, beside the same in place and by DVC's commands; a large DAG (minutes)",
    "own-data": "eight files of teams, each from copier copy to a registered model, beside skrub (minutes)",
    "adopt": "adopt-data on a table of 1,000,000 rows and 20 columns (minutes)",
    "lint": "the lint of generated repositories on a fresh project of level 4",
    "size": "files and lines of projects, and what this repository costs its readers",
}


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    chosen = options.benchmarks or list(BENCHMARKS)
    with tempfile.TemporaryDirectory(prefix="copier-mlops-bench-", ignore_cleanup_errors=True) as folder:
        workspace = Path(folder).resolve()
        compare = {
            "copy": lambda: copying.compare(workspace, options.runs),
            "update": lambda: updating.compare(workspace, options.runs),
            "render": lambda: rendering.compare(workspace, options.runs),
            "project": lambda: project.compare(workspace, options.project_runs, dict(options.peer)),
            "stages": lambda: stages.compare(workspace, options.project_runs),
            "apart": lambda: apart.compare(workspace, options.runs),
            "own-data": lambda: own_data.compare_way(workspace, options.project_runs),
            "adopt": lambda: own_data.compare_adopt(workspace, options.project_runs),
            "lint": lambda: linting.compare(workspace / "lint", options.runs),
            "size": lambda: size.compare(workspace),
        }
        try:
            found = [compare[name]() for name in BENCHMARKS if name in chosen]
        except measure.BenchmarkError as error:
            raise SystemExit(f"bench: {error}") from None
    print(as_json(found) if options.json else "\n\n".join(as_table(each) for each in found))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    listed = "\n".join(f"  {name:<9}{about}" for name, about in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="poe bench",
        description=__doc__,
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmarks", nargs="*", metavar="NAME", help="which to run (default: all)", type=_benchmark)
    parser.add_argument("--runs", type=_count, default=5, metavar="N", help="runs of what takes seconds (default: 5)")
    parser.add_argument(
        "--project-runs",
        type=_count,
        default=3,
        metavar="N",
        help="runs of what takes minutes (default: 3)",
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        type=_peer,
        metavar=f"{project.STARTERS}=PATH",
        help="use this checkout or git directory of a peer, not its host",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for machines")
    return parser.parse_args(arguments)


def as_table(found: measure.Comparison) -> str:
    """A comparison as text: one line per row, one pair of columns per measured peer."""
    measured = [peer for peer in found.peers if not peer.not_measured]
    lines = [["", found.ours.name, *(title for peer in measured for title in (peer.name, "ratio"))]]
    for row in found.ours.values:
        cells = [_number(found.ours.values[row], found.unit)]
        for peer in measured:
            share = measure.ratio(found.ours, peer, row)
            cells += [_number(peer.values.get(row), found.unit), "-" if share is None else f"{share:.2f}"]
        lines.append([row, *cells])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    body = []
    for label, *cells in lines:
        aligned = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        body.append("  ".join(["", label.ljust(widths[0]), *aligned]))
    missing = [f"  {peer.name}: not measured: {peer.not_measured}" for peer in found.peers if peer.not_measured]
    goals = [_goal(goal) for goal in found.goals if goal.most is not None]
    return "\n".join([f"{found.name}: {found.about}", *body, *missing, *goals])


def _goal(goal: measure.Goal) -> str:
    value = "" if goal.value is None else f"{goal.value:.2f}".removesuffix(".00") + ", "
    least = f"{goal.least:g} <= " if goal.least else ""
    return f"  goal: {least}{goal.what} <= {goal.most:g}: {value}{goal.state}"


def as_json(found: list[measure.Comparison]) -> str:
    """All comparisons, and the machine that they were made on, as JSON."""
    machine = {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "copier": version("copier"),
    }
    benchmarks = []
    for each in found:
        ratios = {
            peer.name: {row: measure.ratio(each.ours, peer, row) for row in each.ours.values} for peer in each.peers
        }
        ours, *peers = (asdict(side) | {"values": side.values} for side in (each.ours, *each.peers))
        sides = {"ours": ours, "peers": peers, "ratios": ratios}
        benchmarks.append(
            asdict(each) | sides | {"goals": [asdict(goal) | {"state": goal.state} for goal in each.goals]}
        )
    return json.dumps({"machine": machine, "benchmarks": benchmarks}, indent=2)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.2f} {unit}" if unit == "s" else f"{value:.0f}"


def _benchmark(text: str) -> str:
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(BENCHMARKS)}")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 on")
    return int(text)


def _peer(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if name != project.STARTERS:
        raise argparse.ArgumentTypeError(f"{name} is no peer; known is {project.STARTERS}")
    if not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f"{path or 'nothing'} is no folder")
    return name, Path(path).resolve()


if __name__ == "__main__":
    main()
