"""Repositories in the shape of public ones that DVC's users have, which this template did not render."""

import subprocess
import sys
from pathlib import Path

from tests.project import commit, run

FOREACH = """\
stages:
  split:
    cmd: python split.py
    deps: [split.py, data/rows.csv]
    params: [split.seed]
    outs: [data/split]
  fit:
    foreach: [linear, tree]
    do:
      cmd: python fit.py ${item}
      deps: [fit.py, data/split]
      params: ["fit.${item}"]
      outs: ["models/${item}.txt"]
      metrics:
        - metrics/${item}.json: {cache: false}
"""
PLOTS = """\
params: [settings/params.yaml]
plots:
  - losses: {x: step, y: {results/losses.csv: loss}}
stages:
  train:
    wdir: .
    cmd: python train.py
    deps: [train.py]
    params: [{settings/params.yaml: [rate, steps]}]
    outs: [model.txt]
    metrics:
      - results/metrics.json: {cache: false}
    plots:
      - results/losses.csv: {cache: false, x: step, y: loss}
"""
# The environment of the repository is a folder of its own, as pip and requirements.txt make one.
REQUIREMENTS = """\
stages:
  report:
    cmd: .venv/bin/python report.py
    deps: [report.py, requirements.txt]
    outs: [report.txt]
"""
SPLIT = """\
import pathlib
rows = pathlib.Path("data/rows.csv").read_text().split()
pathlib.Path("data/split").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/split/train.csv").write_text("\\n".join(rows[::2]))
"""
FIT = """\
import json, pathlib, sys
name = sys.argv[1]
rows = pathlib.Path("data/split/train.csv").read_text().split()
for folder in ("models", "metrics"):
    pathlib.Path(folder).mkdir(exist_ok=True)
if "broken" in rows:
    sys.exit(f"{name}: a row is broken")
pathlib.Path(f"models/{name}.txt").write_text(name)
pathlib.Path(f"metrics/{name}.json").write_text(json.dumps({"rows": len(rows)}))
"""
TRAIN = """\
import json, pathlib
pathlib.Path("results").mkdir(exist_ok=True)
pathlib.Path("model.txt").write_text("weights")
pathlib.Path("results/metrics.json").write_text(json.dumps({"loss": 0.25}))
pathlib.Path("results/losses.csv").write_text("step,loss\\n1,0.5\\n2,0.25\\n")
"""
# The package is not in the environment of the repository, and the token of the host is not in that of a stage.
REPORT = """\
import importlib.util, os, pathlib, sys
found = [name for name in ("dvc", "copier_mlops") if importlib.util.find_spec(name)]
text = f"prefix: {pathlib.Path(sys.prefix).name}, packages: {found}, token: {'HOST_TOKEN' in os.environ}\\n"
print(text)
pathlib.Path("report.txt").write_text(text)
"""
SHAPES: dict[str, dict[str, str]] = {
    "foreach": {
        "dvc.yaml": FOREACH,
        "params.yaml": "split: {seed: 1}\nfit:\n  linear: {alpha: 1}\n  tree: {depth: 2}\n",
        "data/rows.csv": "one\ntwo\nthree\nfour\n",
        "split.py": SPLIT,
        "fit.py": FIT,
    },
    "plots": {"dvc.yaml": PLOTS, "settings/params.yaml": "rate: 0.1\nsteps: 2\n", "train.py": TRAIN},
    "requirements": {"dvc.yaml": REQUIREMENTS, "requirements.txt": "# none\n", "report.py": REPORT},
}


def write(path: Path, shape: str, folder: str = ".", remote: bool = False, **more: str) -> Path:
    """Write a repository of a shape, and commit it.

    Args:
        path: Its top, which must not be there.
        shape: A name of SHAPES.
        folder: Where DVC is in it.
        remote: Whether it has a data remote, a folder beside it.
        more: Further files by their names, in which `__` stands for a slash and `_` for a dot.
    """
    place = path / folder
    place.mkdir(parents=True)
    run(path, "git", "init", "--quiet", "--initial-branch", "main")
    for name, text in SHAPES[shape].items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    dvc(place, "init", "--quiet", *([] if folder == "." else ["--subdir"]))
    if remote:
        dvc(place, "remote", "add", "--quiet", "--default", "store", str(path.parent / f"{path.name}-store"))
    if shape == "requirements":
        (place / ".gitignore").write_text(".venv\n", encoding="utf-8")
    for name, text in more.items():
        file = path / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    commit(path, "A pipeline")
    return path


def dvc(folder: Path, *words: str) -> None:
    """Call DVC."""
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, check=True)


def push_to(path: Path, bare: Path) -> None:
    """Give a repository a remote of git, which has its main branch."""
    run(path.parent, "git", "init", "--quiet", "--bare", "--initial-branch", "main", str(bare))
    run(path, "git", "remote", "add", "origin", str(bare))
    run(path, "git", "push", "--quiet", "--set-upstream", "origin", "main")
