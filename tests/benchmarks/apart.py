"""Benchmark `apart`: a stage in a clean copy, beside the same in place and by DVC's own commands; and large DAGs."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter

from tests.processes import free_port

from . import measure

PLACES = {"a folder": 0.5, "S3": 1.0}
# Seconds that a stage apart may take more than in place, and as a share of `dvc pull && dvc repro -s && dvc push`.
SHARE = 0.6
DAG, LOADED, LARGE, DAG_GOAL = "the DAG of {} stages", "loading of {} stages by DVC", (500, 1_000), 5.0
KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
PIPELINE = """\
stages:
  first:
    cmd: {python} work.py first.txt
    deps: [work.py]
    outs: [first.txt]
  second:
    cmd: {python} work.py second.txt first.txt
    deps: [work.py, first.txt]
    params: [turn]
    outs: [second.txt]
"""
WORK = "import sys; open(sys.argv[1], 'w').write('x' * 100_000)"
STORE = "[core]\n    no_scm = True\n    remote = store\n['remote \"store\"']\n    url = {url}\n{more}"
BUCKET = "import boto3; boto3.client('s3', endpoint_url={url!r}).create_bucket(Bucket='bucket')"
REPRO = ("repro", "--single-item", "second")
STAGE = """\
from pathlib import Path
from copier_mlops.pipeline.apart import run_stage
assert run_stage(Path().resolve(), "{name}", "run-{run}") == ("{name}" == "second")
"""
READ = """\
import time
from dvc.repo import Repo
from copier_mlops.pipeline import dag
repo = Repo(".")
began = time.perf_counter()
repo.index.graph
loaded = time.perf_counter()
dag.read(repo)
print(loaded - began, time.perf_counter() - loaded)
"""


def compare(workspace: Path, runs: int) -> measure.Comparison:
    """Run a stage in each way in turn, always after a change that makes it run."""
    turns = count(1)
    project = workspace / "project"
    options = ("--data", "maturity_level=0", "--data", "data_remote=s3://bucket/data")
    measure.run(
        *(sys.executable, "-m", "copier", "copy", "--defaults", *options),
        *(measure.clean_template(workspace, with_package=True), project),
        cwd=workspace,
    )
    measure.run("uv", "sync", "--quiet", cwd=project)
    python = measure.script(project / ".venv", "python")
    with s3(workspace) as url:
        stores = {"a folder": (str(workspace / "store"), ""), "S3": ("s3://bucket/data", f"    endpointurl = {url}\n")}
        homes = {place: home(python, workspace / f"home-{place[-2:]}", *store) for place, store in stores.items()}

        def timed(way: str) -> dict[str, float]:
            return {place: one(python, folder, next(turns), way) for place, folder in homes.items()}

        sides = {
            "mlops stage": lambda: timed("apart") | large(python, workspace),
            "dvc repro -s in place": lambda: timed("place"),
            "pull, repro, push": lambda: timed("commands"),
        }
        template, place, commands = measure.in_turn("apart", sides, runs)
    goals = [
        measure.Goal(f"seconds more than in place, {name}", most, template.values[name] - place.values[name])
        for name, most in PLACES.items()
    ]
    goals += [
        measure.Goal(f"ratio to the commands, {name}", SHARE, measure.ratio(template, commands, name))
        for name in PLACES
    ]
    goals.append(measure.Goal(f"seconds, {DAG.format(LARGE[-1])}", DAG_GOAL, template.values[DAG.format(LARGE[-1])]))
    return measure.Comparison(
        name="apart",
        about=f"a stage in a clean copy beside the same in place, and beside DVC's own commands, median of {runs}",
        unit="s",
        ours=template,
        peers=[place, commands],
        goals=goals,
    )


def home(python: Path, folder: Path, url: str, more: str) -> Path:
    """Make a repository whose first stage has run, with its results on the remote."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(STORE.format(url=url, more=more), encoding="utf-8")
    (folder / "dvc.yaml").write_text(PIPELINE.format(python=python.as_posix()), encoding="utf-8")
    (folder / "work.py").write_text(WORK, encoding="utf-8")
    (folder / "params.yaml").write_text("turn: 0\n", encoding="utf-8")
    for words in (("repro",), ("push",)):
        measure.run(python, "-m", "dvc", *words, cwd=folder, **KEY)
    return folder


def one(python: Path, folder: Path, turn: int, way: str) -> float:
    """Seconds of the second stage, which a parameter has changed; in a copy without data if it is not in place."""
    (folder / "params.yaml").write_text(f"turn: {turn}\n", encoding="utf-8")
    if way == "place":
        return measure.run(python, "-m", "dvc", *REPRO, cwd=folder)
    copy = folder.parent / f"{folder.name}-copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("cache", "tmp", "*.txt"))
    if way == "commands":
        steps = (("pull", "first"), REPRO, ("push",))
        return sum(measure.run(python, "-m", "dvc", *words, cwd=copy, **KEY) for words in steps)
    measure.run(python, "-c", STAGE.format(name="first", run=turn), cwd=copy, **KEY)
    return measure.run(python, "-c", STAGE.format(name="second", run=turn), cwd=copy, **KEY)


def large(python: Path, workspace: Path) -> dict[str, float]:
    """Seconds that DVC loads a large pipeline, and that it then takes to be a DAG for engines."""
    found: dict[str, float] = {}
    for number in LARGE:
        folder = workspace / f"large-{number}"
        if not folder.exists():
            (folder / ".dvc").mkdir(parents=True)
            (folder / ".dvc" / "config").write_text("[core]\n    no_scm = True\n", encoding="utf-8")
            each = "    cmd: echo\n    deps: [{before}]\n    outs: [out{number}.txt]\n"
            stages = [f"  s{at}:\n" + each.format(before=f"out{at - 10}.txt", number=at) for at in range(number)]
            (folder / "dvc.yaml").write_text("stages:\n" + "".join(stages), encoding="utf-8")
        done = subprocess.run([python, "-c", READ], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise measure.BenchmarkError(f"apart: a pipeline of {number} stages cannot be read: {done.stderr[-300:]}")
        loaded, read = map(float, done.stdout.split())
        found |= {DAG.format(number): read, LOADED.format(number): loaded}
    return found


@contextmanager
def s3(workspace: Path) -> Iterator[str]:
    """Run moto's server with a bucket until the block ends, and give its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    moto = ("uvx", "--from", "moto[server]", "moto_server", "--port", str(port))
    with (workspace / "moto.log").open("w") as log, subprocess.Popen(moto, stdout=log, stderr=log) as server:
        try:
            until = perf_counter() + 60
            while True:
                try:
                    make = ("uv", "run", "--no-project", "--quiet", "--with", "boto3", "python", "-c")
                    measure.run(*make, BUCKET.format(url=url), cwd=workspace, **KEY)
                    break
                except measure.BenchmarkError:
                    if perf_counter() > until:
                        raise
            yield url
        finally:
            server.terminate()
