"""Repositories with a small pipeline, run by a real DVC, in sequence and side by side."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

# What a stage does: it writes what it has read, one letter more, into each of its files.
STEP = """\
import pathlib, sys, time
name, seconds, outs, *deps = sys.argv[1:]
began = time.time()
while time.time() < began + float(seconds):
    time.sleep(0.01)
text = "".join(sorted(pathlib.Path(dep).read_text() for dep in deps)) + name[0]
for out in outs.split(","):
    pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(out).write_text(text)
print(f"{name} has read {deps}")
with open(f"{name}.span", "a") as span:
    span.write(f"{began} {time.time()}\\n")
"""


@dataclass
class Pipeline:
    """A repository with a pipeline."""

    path: Path

    def write(self, stages: dict, **files: str) -> None:
        """Write dvc.yaml, and other files by their names, in which `_` stands for a dot."""
        (self.path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False), encoding="utf-8")
        for name, text in files.items():
            (self.path / name.replace("_", ".")).write_text(text, encoding="utf-8")

    def command(self, jobs: int) -> list[str]:
        """How the engine `local` starts DVC."""
        return [sys.executable, "-m", "copier_mlops.pipeline.dvc_cli", f"--side-by-side={jobs}", "repro"]

    def run(self, *options: str, jobs: int = 2, fails: bool = False) -> str:
        """Run the pipeline, and return what it prints; that it succeeds, or fails, is part of the test."""
        command = [*self.command(jobs), *options]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True, timeout=120, check=False)
        printed = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, printed
        assert "Traceback" not in printed
        return printed

    def dvc(self, *words: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", "--quiet", *words], cwd=self.path, check=True)

    def text(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def runs(self, name: str) -> list[tuple[float, float]]:
        """When each run of a stage began and ended."""
        file = self.path / f"{name}.span"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [(float(began), float(ended)) for began, ended in (line.split() for line in lines)]

    def twin(self, path: Path) -> "Pipeline":
        """Return a repository with the same pipeline that never ran."""
        other = start(path)
        for name in ("dvc.yaml", "params.yaml", "step.py"):
            if (self.path / name).exists():
                (path / name).write_bytes((self.path / name).read_bytes())
        return other


def step(name: str, *deps: str, outs: str = "", seconds: float = 0.0, **more: object) -> dict:
    """Return a stage that reads files and writes others, by default one of its name."""
    outs = outs or f"{name}.txt"
    command = f"python step.py {name} {seconds} {outs} {' '.join(deps)}".rstrip()
    return {"cmd": command, "deps": [*deps], "outs": outs.split(",")} | more


def start(path: Path) -> Pipeline:
    """Make a repository of DVC as `dvc init --no-scm` does."""
    (path / ".dvc").mkdir(parents=True, exist_ok=True)
    (path / ".dvc" / "config").write_text("[core]\n    no_scm = True\n", encoding="utf-8")
    (path / "step.py").write_text(STEP, encoding="utf-8")
    return Pipeline(path)


@pytest.fixture
def pipeline(tmp_path, monkeypatch) -> Pipeline:
    """An empty repository; `python` of a stage is that of the tests."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":" if sys.platform != "win32" else ";")
    return start(tmp_path / "repository")
