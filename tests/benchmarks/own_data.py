"""Benchmarks `own-data` and `adopt`: eight files of teams become registered models, and a large table is adopted.

A file's model is held beside skrub's `tabular_pipeline`, with the same records to learn from and to be measured on.
"""

import json
import shutil
import sys
from functools import partial
from pathlib import Path
from statistics import median

from tests.package.contract.eight import CASES, TARGETS

from . import measure

# Seconds of the median file, from `copier copy` to the registered model, with a warm cache of uv.
WAY = 60
ROWS, COLUMNS = 1_000_000, 20
SECONDS, GIGABYTES = 15, 1.5
SKRUB = "skrub>=0.6,<1"
PEER = Path(__file__).with_name("tabular_peer.py")
# A model is worse if its metric is by more than this share: eight small test sets have their noise.
SLACK = 0.01
# A process that runs a command, and writes into a file how much memory it took at most, in bytes.
WATCH = """\
import resource, subprocess, sys
done = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL)
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(done.returncode)
"""
MAKE = """\
import sys
import numpy as np
import pandas as pd
rows, columns = int(sys.argv[2]), int(sys.argv[3])
draw = np.random.default_rng(42)
table = pd.DataFrame(draw.normal(size=(rows, columns - 4)).round(3)).add_prefix("x")
table["city"] = draw.choice(["Kyiv", "Lima", "Oslo"], rows)
table["count"] = draw.integers(0, 500, rows)
table["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 2000, rows), "D")
table["y"] = draw.choice(["yes", "no"], rows)
table.to_csv(sys.argv[1], index=False)
"""


def compare_way(workspace: Path, runs: int) -> measure.Comparison:
    """Take each file all the way; a first one fills the cache of uv."""
    template = measure.clean_template(workspace, with_package=True)
    folder = workspace / "own"
    measure.note("own-data: warm-up")
    _registered(template, folder, next(iter(TARGETS)))
    found: list[dict[str, float]] = []
    worse: list[str] = []
    for turn in range(1, runs + 1):
        seconds = {}
        for name in TARGETS:
            measure.note(f"own-data: {name}, run {turn} of {runs}")
            seconds[name] = _registered(template, folder, name)
            if turn == 1 and (said := _beside_skrub(folder / "project", name)):
                worse.append(said)
        found.append(seconds)
    ours = measure.Side("this template", found)
    return measure.Comparison(
        name="own-data",
        about=f"a file of a team, from copier copy to a registered model, median of {runs}; nothing is edited by hand",
        unit="s",
        ours=ours,
        peers=[],
        goals=[
            measure.Goal("seconds of the median file", WAY, median(ours.values.values())),
            measure.Goal("models that are worse than skrub's", 0, len(worse)),
        ],
    )


def compare_adopt(workspace: Path, runs: int) -> measure.Comparison:
    """Adopt a large table, and note seconds and memory."""
    template = measure.clean_template(workspace, with_package=True)
    project, table, peak = _bare(template, workspace / "large"), workspace / "large.csv", workspace / "peak"
    measure.note(f"adopt: make a table of {ROWS:,} rows")
    measure.run(sys.executable, "-c", MAKE, table, str(ROWS), str(COLUMNS), cwd=workspace)
    mlops = measure.script(project / ".venv", "mlops")

    def adopted() -> dict[str, float]:
        measure.run("git", "checkout", "--quiet", "--force", ".", cwd=project)
        measure.run("git", "clean", "--quiet", "--force", "-d", "-x", "--exclude=.venv", cwd=project)
        command = (sys.executable, "-c", WATCH, peak, mlops, "adopt-data", table, "--target", "y")
        seconds = measure.run(*command, cwd=project)
        return {"seconds": seconds, "megabytes": int(peak.read_text()) / 1e6}

    (ours,) = measure.in_turn("adopt", {"this template": adopted}, runs)
    return measure.Comparison(
        name="adopt",
        about=f"adopt-data on {ROWS:,} rows by {COLUMNS} columns, median of {runs}",
        unit="",
        ours=ours,
        peers=[],
        goals=[
            measure.Goal("seconds", SECONDS, ours.values["seconds"]),
            measure.Goal("gigabytes of memory", GIGABYTES, ours.values["megabytes"] / 1e3),
        ],
    )


def _bare(template: Path, project: Path) -> Path:
    """A project without an example, set up; that also commits it."""
    measure.copy(template, project, "--data", "example=none")
    measure.run("uv", "run", "poe", "setup", cwd=project)
    return project


def _registered(template: Path, folder: Path, name: str) -> float:
    """Seconds from `copier copy` to the registered model of a file; its project stays until the next one comes."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    project = folder / "project"
    run = partial(measure.run, cwd=project)
    seconds = measure.copy(template, project, "--data", "example=none")
    seconds += run("uv", "run", "poe", "setup")
    seconds += run("uv", "run", "poe", "adopt-data", CASES / name, "--target", TARGETS[name])
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--no-verify", "--message", "Work")
    return seconds + run("uv", "run", "poe", "train") + run("uv", "run", "poe", "register")


def _beside_skrub(project: Path, name: str) -> str:
    """Say by how much the model is worse than skrub's; an empty text if it is not."""
    found = project / "build" / "peer.json"
    measure.run("uv", "run", "--with", SKRUB, "python", PEER, found, cwd=project)
    peer = json.loads(found.read_text(encoding="utf-8"))
    ours = json.loads((project / "metrics" / "test.json").read_text(encoding="utf-8"))[peer["metric"]]
    gain = (ours - peer["value"]) * (1 if peer["higher"] else -1)
    said = f"{name}: {peer['metric']} {ours:.4f}, skrub {peer['value']:.4f}"
    measure.note(f"own-data: {said}")
    return said if gain < -SLACK * abs(peer["value"]) else ""
