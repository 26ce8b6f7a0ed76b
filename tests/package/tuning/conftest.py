"""A small project with a pipeline whose best parameters are known, and what it runs is counted."""

import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from copier_mlops.tuning.cli import main
from tests.project import commit, run

PARAMS = """\
# Parameters of the team.
seed: 7
train: # of the model
  rate: 0.5   # how fast it learns
  leaf: 10 # records in a leaf
  kind: plain
  wide: false
layers: [1, 2]
"""
# The best value, 0, is at rate 0.1 and leaf 30. `kind: broken` fails.
SCORE = """\
import json, os, pathlib, sys, time
rate, leaf, kind, wide, out = sys.argv[1:]
with open(os.environ["RUNS"], "a") as runs:
    runs.write(f"score {rate} {leaf} {kind} {os.environ.get('OMP_NUM_THREADS', '')}\\n")
print("score: it is", kind, flush=True)
if kind == "broken":
    sys.exit("score: a broken model cannot be measured")
began = time.time()
while time.time() < began + float(os.environ.get("SECONDS", 0)):
    time.sleep(0.02)
pathlib.Path("metrics").mkdir(exist_ok=True)
loss = (float(rate) - 0.1) ** 2 + ((int(leaf) - 30) / 100) ** 2 + (wide == "True")
with open(os.environ["RUNS"], "a") as runs:
    runs.write(f"span {began} {time.time()}\\n")
pathlib.Path(out).write_text(json.dumps({"cv": {"loss": loss}, "records": 3, "note": "good"}))
"""
PREPARE = """\
import os, pathlib
with open(os.environ["RUNS"], "a") as runs:
    runs.write("prepare\\n")
pathlib.Path("data.txt").write_text(pathlib.Path("source.txt").read_text() * 2)
"""
VALUES = "${train.rate} ${train.leaf} ${train.kind} ${train.wide}"
STAGES = {
    "prepare": {
        "cmd": "python src/ours/prepare.py",
        "deps": ["source.txt", "src/ours/prepare.py"],
        "outs": ["data.txt"],
    },
    "score": {
        "cmd": f"python src/ours/score.py {VALUES} metrics/cv.json",
        "deps": ["data.txt", "src/ours/score.py"],
        "params": ["train"],
        "metrics": [{"metrics/cv.json": {"cache": False}}],
    },
    "judge": {
        "cmd": f"python src/ours/score.py {VALUES} metrics/test.json",
        "deps": ["metrics/cv.json", "src/ours/score.py"],
        "metrics": [{"metrics/test.json": {"cache": False}}],
    },
}
SETTINGS = {
    "project_name": "Ours",
    "experiment": "ours",
    "model_name": "ours",
    "model_alias": "candidate",
    "bind": "127.0.0.1",
    "port": 0,
    "max_records": 10,
    "max_body_bytes": 1000,
}
SEARCH = {
    "metric": {"file": "metrics/cv.json", "name": "cv.loss", "direction": "lower"},
    "parameters": {"train.rate": {"low": 0.001, "high": 1.0, "log": True}, "train.leaf": {"low": 5, "high": 80}},
    "trials": 4,
    "seed": 3,
}
FILE = Path("operation", "configuration", "search.yaml")


@dataclass
class Ours:
    """The project."""

    path: Path

    def search(self, **changes: object) -> None:
        """Write search.yaml, with other values for some of its keys."""
        (self.path / FILE).write_text(yaml.safe_dump(SEARCH | changes, sort_keys=False), encoding="utf-8")

    def command(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "copier_mlops.cli", "tune", *options]

    def tune(self, *options: str, fails: bool = False, tracks: bool = False) -> str:
        """Search in this process, and return what is printed; that it succeeds, or fails, is part of the test."""
        said = io.StringIO()
        with contextlib.chdir(self.path), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code = main([*options, *([] if tracks else ["--no-track"])])
            except SystemExit as error:
                code = 1
                print(error.code)
        assert (code != 0) == fails, said.getvalue()
        return said.getvalue()

    def runs(self, stage: str = "score") -> list[list[str]]:
        """What each run of a stage got, in all copies."""
        file = Path(os.environ["RUNS"])
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [line.split()[1:] for line in lines if line.split()[0] == stage]

    def spans(self) -> list[tuple[float, float]]:
        """When each run of a measurement began and ended."""
        return [(float(began), float(ended)) for began, ended in self.runs("span")]

    def results(self, name: str = "*") -> dict:
        """The document of the only search."""
        (file,) = self.path.glob(f"build/tune/{name}/results.json")
        return json.loads(file.read_text(encoding="utf-8"))

    def dvc(self, *words: str) -> str:
        return run(self.path, sys.executable, "-m", "dvc", *words)

    def text(self, path: str) -> str:
        return (self.path / path).read_text(encoding="utf-8")

    def commit(self) -> None:
        commit(self.path)


def make(path: Path) -> Ours:
    """Make the project, committed; its pipeline never ran."""
    folder = path / "operation" / "configuration" / "environment_dev"
    (path / "src" / "ours").mkdir(parents=True)
    folder.mkdir(parents=True)
    answers = {"package_name": "ours", "maturity_level": 2, "tracking_uri": "sqlite:///mlflow.db"}
    texts = {
        ".copier-answers.yml": yaml.safe_dump(answers),
        ".gitignore": "/build\n/mlflow.db*\n/mlruns\n/data.txt\n",
        "params.yaml": PARAMS,
        "source.txt": "source",
        "dvc.yaml": yaml.safe_dump({"stages": STAGES}, sort_keys=False),
        "src/ours/score.py": SCORE,
        "src/ours/prepare.py": PREPARE,
        "operation/configuration/environment_dev/settings.yaml": yaml.safe_dump(SETTINGS),
    }
    for name, text in texts.items():
        (path / name).write_text(text, encoding="utf-8")
    commit(path)
    run(path, sys.executable, "-m", "dvc", "init", "--quiet")
    ours = Ours(path)
    ours.search()
    ours.commit()
    return ours


@pytest.fixture
def ours(tmp_path, monkeypatch) -> Ours:
    """The project; `python` of a stage is that of the tests, and copies are made in a folder of the test."""
    (tmp_path / "copies").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "copies"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "true")
    monkeypatch.setenv("RUNS", str(tmp_path / "runs.txt"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return make(tmp_path / "ours")
