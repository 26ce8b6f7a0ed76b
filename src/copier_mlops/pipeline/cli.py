"""`mlops stage` and `mlops collect`: what an engine calls for each stage of a run, and once at its end."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import asdict
from pathlib import Path

from copier_mlops import submitting
from copier_mlops.collector import without_collector
from copier_mlops.pipeline import PipelineError
from copier_mlops.pipeline.times import spoken
from copier_mlops.project import is_rendered, root
from copier_mlops.registry import registry


def stage(arguments: list[str] | None = None) -> int:
    """Run one stage of dvc.yaml in a clean copy of the repository, with what other machines left on the data remote."""
    parser = argparse.ArgumentParser(
        prog="mlops stage",
        description=stage.__doc__,
        epilog="For example: uv run mlops stage train@linear --run nightly-7",
    )
    parser.add_argument("name", nargs="?", help="the stage as in dvc.yaml, for example train@linear")
    parser.add_argument("--run", metavar="ID", help="the name of the run, the same for all of its stages")
    parser.add_argument(
        "--commit", metavar="COMMIT", help="run it in a new copy of this commit, for example origin/main"
    )
    parser.add_argument("--list", action="store_true", help="list the stages, each after those that it needs")
    parser.add_argument("--json", action="store_true", help="print the list as JSON, with resources")
    chosen = parser.parse_args(arguments)
    submitting.accept()
    if chosen.list or chosen.json:
        return _list(chosen.json)
    if not chosen.name or not chosen.run:
        parser.error("name a stage and a run, for example: train@linear --run nightly-7; --list lists the stages")
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that a copy is removed
    try:
        with _place(chosen.commit) as folder:
            ran = _run_stage(folder, chosen.name, chosen.run)
    except PipelineError as error:
        raise SystemExit(f"stage: {error}") from None
    if ran is None:
        return 0
    took = spoken(time.monotonic() - began)
    said = "ran" if ran else "has not changed, and nothing was downloaded"
    print(f"stage: {chosen.name} {said}, in {took}; run {chosen.run} has its result")
    return 0


@contextmanager
def _place(commit: str | None) -> Iterator[Path]:
    """Give the folder to work in: this one, or a copy of a commit."""
    if not commit:
        yield root()
        return
    from copier_mlops.pipeline.snapshot import copy_of

    with copy_of(root(), commit) as folder:
        yield folder


def _run_stage(folder: Path, name: str, run: str) -> bool | None:
    """Run a stage in a folder, and return whether its command ran; None if the folder's own environment ran it.

    A copy whose lock of the environment is another one than that of this process gets an environment of its own.
    """
    with without_collector("dvc"):
        from copier_mlops.pipeline.apart import ApartError, run_stage

    if not is_rendered() or _locked(folder) == _locked(root()):
        return run_stage(folder, name, run)
    command = ("uv", "run", "--frozen", "mlops", "stage", name, "--run", run)
    environment = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
        raise ApartError(f"{name} failed in the environment of its commit, as it says above\n  fix: uv run poe doctor")
    return None


def _locked(folder: Path) -> bytes:
    lock = folder / "uv.lock"
    return lock.read_bytes() if lock.is_file() else b""


def compile_for_engine(arguments: list[str] | None = None) -> int:
    """Print the pipeline as the file of an engine, for example the script that gives its stages to Slurm."""
    parser = argparse.ArgumentParser(
        prog="poe compile",
        description=compile_for_engine.__doc__,
        epilog="For example: uv run poe compile --engine slurm --run nightly-7 > nightly.sh",
    )
    engines = [name for name in registry("engines") if name != "local"]
    parser.add_argument("--engine", choices=engines, required=True, help="the engine that gets the file")
    parser.add_argument(
        "--run", metavar="ID", help="the name of the run, if the file is for one run (default: by time)"
    )
    parser.add_argument("--commit", metavar="COMMIT", default="HEAD", help="the commit that runs (default: HEAD)")
    parser.add_argument(
        "--deploy", action="store_true", help="give it to the engine's server, with the schedule of its settings"
    )
    parser.add_argument(
        "--image",
        action="store_true",
        help="build the image of the stages for the commit, and push it if its name begins with a registry",
    )
    chosen = parser.parse_args(arguments)
    if chosen.image and (chosen.deploy or chosen.run):
        parser.error("--image builds an image and nothing else, so it takes neither --deploy nor --run")
    submitting.accept()
    from copier_mlops.pipeline import follow, plan, snapshot
    from copier_mlops.pipeline.engines import Deployer, Template

    try:
        if chosen.image:
            return _build_image(chosen.engine, snapshot.resolve(root(), chosen.commit))
        commit = snapshot.resolve(root(), chosen.commit)
        planned = plan.make(root(), chosen.run or plan.name_of_run(commit), commit)
        adapter = follow.chosen(chosen.engine)
        if not chosen.deploy and not chosen.run and isinstance(adapter, Template):
            print(adapter.compile_template(planned), end="")
        elif not chosen.deploy:
            print(adapter.compile(planned), end="")
        elif isinstance(adapter, Deployer):
            print(f"compile: {adapter.deploy(planned)}")
        else:
            raise SystemExit(
                f"compile: {chosen.engine} has no server that keeps a schedule\n"
                f"  fix: see docs/how-to/engines/{chosen.engine}.md"
            )
    except PipelineError as error:
        raise SystemExit(f"compile: {error}") from None
    return 0


def _build_image(engine: str, commit: str) -> int:
    """Build the image of the stages, as the settings of an engine name it."""
    from copier_mlops.pipeline import follow, stage_image

    if "image" not in registry("engines")[engine]:
        names = ", ".join(name for name, each in registry("engines").items() if "image" in each)
        raise SystemExit(f"compile: the stages of {engine} need no image\n  fix: take one of {names}")
    settings = follow.chosen(engine).Settings.load(engine)
    name = stage_image.name_of(str(getattr(settings, "image", "")), commit, engine)
    print(f"compile: {stage_image.build(root(), name, commit)}")
    return 0


def collect(arguments: list[str] | None = None) -> int:
    """Write the results of a run, whose stages ran apart, into dvc.lock and the metrics and plots beside it."""
    parser = argparse.ArgumentParser(
        prog="mlops collect",
        description=collect.__doc__,
        epilog="For example: uv run mlops collect --run nightly-7",
    )
    parser.add_argument("--run", metavar="ID", required=True, help="the name of the run")
    parser.add_argument(
        "--commit", metavar="COMMIT", help="collect in a new copy of this commit, for example origin/main"
    )
    parser.add_argument("--propose", action="store_true", help="then propose them, as `poe propose` does")
    chosen = parser.parse_args(arguments)
    submitting.accept()
    with without_collector("dvc"):
        from copier_mlops.pipeline.apart import collect as bring

    try:
        with _place(chosen.commit) as folder, chdir(folder):
            names = bring(folder, chosen.run)
            print(f"collect: dvc.lock has the results of {len(names)} stages of the run {chosen.run}", flush=True)
            if chosen.propose:
                from copier_mlops.hosts import propose  # the host's API needs libraries that a run apart does not

                propose.show("collect")
    except PipelineError as error:
        raise SystemExit(f"collect: {error}") from None
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
