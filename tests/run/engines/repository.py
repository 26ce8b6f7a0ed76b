"""A small pipeline in the repository of a generated project, and what `dvc repro` makes of it."""

import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import yaml

from tests.run.project import Project

# A stage writes what it has read, a letter more; and a line for each time that it ran, outside of the copy it runs in.
STEP = """\
import pathlib, sys, time
name, out, *deps = sys.argv[1:]
told = pathlib.Path({told!r})
with (told / (name + ".ran")).open("a") as ran:
    ran.write("x")
slow, until = told / (name + ".slow"), time.time() + 120
if slow.exists():
    (told / (name + ".began")).write_text("")
    while slow.exists() and time.time() < until:
        time.sleep(0.1)
    (told / (name + ".survived")).write_text("")
fails = told / (name + ".fails")
if fails.exists():
    left = int(fails.read_text()) - 1
    fails.write_text(str(left)) if left else fails.unlink()
    raise SystemExit(name + " is told to fail")
text = "".join(sorted(pathlib.Path(dep).read_text() for dep in deps)) + name[0]
pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(out).write_text(text)
print(name, "has read", *deps)
"""
STAGES = {
    "first": {"cmd": "python step.py first first.txt source.txt", "deps": ["source.txt"], "outs": ["first.txt"]},
    "each": {
        "matrix": {"letter": ["b", "a"]},
        "cmd": "python step.py ${item.letter} ${item.letter}.txt first.txt",
        "deps": ["first.txt"],
        "params": ["depth_${item.letter}"],
        "outs": ["${item.letter}.txt"],
        "meta": {"execution": {"retries": 1, "timeout": "5m"}},
    },
    "last": {"cmd": "python step.py last last/all.txt a.txt b.txt", "deps": ["a.txt", "b.txt"], "outs": ["last"]},
    "measure": {
        "cmd": "python step.py measure measure.json a.txt",
        "deps": ["a.txt"],
        "metrics": [{"measure.json": {"cache": False}}],
    },
    "lone": {"cmd": "python step.py lone lone.txt", "outs": ["lone.txt"]},
    "kept": {"cmd": "python step.py kept kept.txt", "outs": ["kept.txt"]},
    "below": {
        "wdir": "below",
        "cmd": "python ../step.py below below.txt ../first.txt ../kept.txt",
        "deps": ["../first.txt", "../kept.txt"],
        "outs": ["below.txt"],
    },
}
RUN = {"first", "a", "b", "last", "measure", "lone", "below"}


class Repository:
    """The repository, in which the engine of a test runs the pipeline."""

    def __init__(self, project: Project, engine: str) -> None:
        """Put the pipeline in the place of the project's own, with data that DVC tracks, and commit."""
        self.project, self.engine, self.path = project, engine, project.path
        self.told = project.path.parent / f"told-{project.path.name}"
        self.told.mkdir()
        (self.path / "below").mkdir()
        (self.path / "below" / "README").write_text("A folder of a stage.\n", encoding="utf-8")
        self.write("step.py", STEP.format(told=str(self.told)))
        self.write("dvc.yaml", yaml.safe_dump({"stages": STAGES}, sort_keys=False))
        self.write("params.yaml", "depth_a: 1\ndepth_b: 1\n")
        self.write("source.txt", "s")
        (self.path / "dvc.lock").unlink(missing_ok=True)
        for line in ("add source.txt", "repro --single-item kept", "freeze kept"):
            project.run(f"uv run --no-sync dvc {line} --quiet")
        project.commit()
        self.ran()

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def tell(self, name: str, what: str = "1") -> None:
        """Tell a stage what to do: `a.fails` with a number of times, or `a.slow`."""
        (self.told / name).write_text(what)

    def ran(self) -> dict[str, int]:
        """How often each stage ran since this was asked before."""
        found = {file.stem: len(file.read_text()) for file in self.told.glob("*.ran")}
        for file in self.told.glob("*.ran"):
            file.unlink()
        return found

    def train(self, run: str, fails: bool = False) -> str:
        return self.project.run(f"uv run poe train --no-track --engine {self.engine} --run {run}", fails)

    def lock_of_repro(self, twin: Path) -> str:
        """The dvc.lock that `dvc repro` writes in a clone of its own."""
        clone = self.project.clone(twin)
        remote = self.path.parent / "german-credit-data"
        clone.run(f"uv run --no-sync dvc remote modify --local storage url {shlex.quote(str(remote))}")
        clone.run("uv run --no-sync dvc repro --quiet --pull", UV_PROJECT_ENVIRONMENT=str(self.path / ".venv"))
        lock = clone.text("dvc.lock")
        shutil.rmtree(twin)
        return lock

    def interrupt(self, run: str, stage: str) -> tuple[int, str]:
        """Press Ctrl-C when a stage is at work, and return exit code and output."""
        self.tell(f"{stage}.slow")
        with subprocess.Popen(
            shlex.split(f"uv run --no-sync mlops train --no-track --engine {self.engine} --run {run}"),
            cwd=self.path,
            env=self.project.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            for _ in range(900):
                if (self.told / f"{stage}.began").exists():
                    break
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.1)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            printed = process.communicate(timeout=120)[0]
        self.untell(stage)
        return process.returncode, printed

    def untell(self, stage: str) -> None:
        """Let a slow stage go on, and the next attempt be quick."""
        for name in ("slow", "began"):
            (self.told / f"{stage}.{name}").unlink()
