"""`mlops stage` and `mlops collect`: what an engine calls for each stage of a run, and once at its end."""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict

from copier_mlops.pipeline import PipelineError
from copier_mlops.pipeline.times import spoken
from copier_mlops.project import root


def stage(arguments: list[str] | None = None) -> int:
    """Run one stage of dvc.yaml in a clean copy of the repository, with what other machines left on the data remote."""
    parser = argparse.ArgumentParser(
        prog="mlops stage",
        description=stage.__doc__,
        epilog="For example: uv run mlops stage train@linear --run nightly-7",
    )
    parser.add_argument("name", nargs="?", help="the stage as in dvc.yaml, for example train@linear")
    parser.add_argument("--run", metavar="ID", help="the name of the run, the same for all of its stages")
    parser.add_argument("--list", action="store_true", help="list the stages, each after those that it needs")
    parser.add_argument("--json", action="store_true", help="print the list as JSON, with resources")
    chosen = parser.parse_args(arguments)
    if chosen.list or chosen.json:
        return _list(chosen.json)
    if not chosen.name or not chosen.run:
        parser.error("name a stage and a run, for example: train@linear --run nightly-7; --list lists the stages")
    began = time.monotonic()
    from dvc.logger import setup  # type: ignore[import-untyped]

    from copier_mlops.pipeline.apart import run_stage

    setup(logging.INFO)
    try:
        ran = run_stage(root(), chosen.name, chosen.run)
    except PipelineError as error:
        raise SystemExit(f"stage: {error}") from None
    took = spoken(time.monotonic() - began)
    said = "ran" if ran else "has not changed, and nothing was downloaded"
    print(f"stage: {chosen.name} {said}, in {took}; run {chosen.run} has its result")
    return 0


def collect(arguments: list[str] | None = None) -> int:
    """Write the results of a run, whose stages ran apart, into dvc.lock and the metrics and plots beside it."""
    parser = argparse.ArgumentParser(
        prog="mlops collect",
        description=collect.__doc__,
        epilog="For example: uv run mlops collect --run nightly-7",
    )
    parser.add_argument("--run", metavar="ID", required=True, help="the name of the run")
    parser.add_argument("--propose", action="store_true", help="then propose them, as `poe propose` does")
    chosen = parser.parse_args(arguments)
    from copier_mlops.pipeline.apart import collect as bring

    try:
        names = bring(root(), chosen.run)
    except PipelineError as error:
        raise SystemExit(f"collect: {error}") from None
    print(f"collect: dvc.lock has the results of {len(names)} stages of the run {chosen.run}", flush=True)
    if chosen.propose:
        from copier_mlops.hosts import propose  # the host's API needs libraries that a run apart does not

        propose.show("collect")
    return 0


def _list(is_json: bool) -> int:
    """Print the stages."""
    from copier_mlops.pipeline import dag
    from copier_mlops.pipeline.apart import opened

    try:
        with opened(root()) as repo:
            nodes = dag.read(repo)
    except PipelineError as error:
        raise SystemExit(f"stage: {error}") from None
    if is_json:
        entries = [asdict(node) | {"resources": node.resources.model_dump(exclude_none=True)} for node in nodes]
        print(json.dumps(entries, indent=2))
    else:
        for node in nodes:
            print(f"{node.name}: needs {', '.join(node.needs)}" if node.needs else node.name)
    return 0
