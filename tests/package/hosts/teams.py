"""A team whose pipeline has run: its results, its remote of git, and a server for the host's API."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.package.hosts.conftest import Place
from tests.project import TEMPLATE, commit, replace, run

PAGE = (TEMPLATE / "docs" / "how-to" / "results.md").read_text(encoding="utf-8")
BRANCH = "training-results/main"
PIPELINE = """\
stages:
  prepare:
    cmd: python src/step.py data/raw.csv build/prepared.csv
    deps: [data/raw.csv, src/step.py]
    outs: [build/prepared.csv]
  train:
    cmd: python src/step.py build/prepared.csv metrics/test.json plots/roc.csv build/model
    deps: [build/prepared.csv, src/step.py]
    params: [rate]
    outs: [build/model]
    metrics:
      - metrics/test.json: {cache: false}
    plots:
      - plots/roc.csv: {cache: false}
"""
STEP = """\
import json, pathlib, sys
deps, *outs = sys.argv[1:]
rate = float(pathlib.Path("params.yaml").read_text().split()[1])
for out in map(pathlib.Path, outs):
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"rate": rate}) if out.suffix == ".json" else f"x,y{chr(10)}0,{rate}{chr(10)}")
print("ran", outs)
"""
# `python` of a stage is that of the tests.
PATH = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
RESULTS = ["dvc.lock", "metrics/test.json", "plots/roc.csv"]


@dataclass
class Team:
    """A project on its host, whose work tree is a shallow clone of one commit, as a runner has it."""

    place: Place
    remote: Path
    origin: Path

    @property
    def clone(self) -> Path:
        return self.place.tree

    def git(self, *words: str) -> str:
        return run(self.remote, "git", *words)

    def train(self) -> str:
        """Run the pipeline in the clone."""
        command = [sys.executable, "-m", "dvc", "repro"]
        done = subprocess.run(
            command, cwd=self.clone, env=os.environ | PATH, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def edit(self, path: str, old: str, new: str) -> None:
        """Somebody changes a file of the main branch."""
        replace(self.origin / path, old, new)
        commit(self.origin)
        run(self.origin, "git", "push", "--quiet", "origin", "main")

    def again(self, name: str) -> None:
        """Go on in a clone of the newest commit, with a detached HEAD."""
        self.place.tree = self.remote.parent / name
        source = self.remote.as_uri()
        run(self.remote.parent, "git", "clone", "--quiet", "--depth", "1", source, str(self.clone))
        run(self.clone, "git", "checkout", "--quiet", "--detach")
        run(self.clone, "git", "branch", "--quiet", "--delete", "main")
        (self.clone / "data" / "raw.csv").write_text("1\n")

    def propose(self, *words: str, code: int = 0, **variables: str | None) -> str:
        before = run(self.clone, "git", "status", "--porcelain")
        printed = self.place.run("propose", *words, code=code, **variables)
        if "--kept" not in words and variables.get("HOST_RESULTS") != "commit":
            assert run(self.clone, "git", "status", "--porcelain") == before
        assert code == 0 or "\n  fix: " in printed
        return printed

    def requests(self) -> list[tuple[str, str, str]]:
        return [self.place.fake.told(pull) for pull in self.place.state.pulls]

    def files(self, branch: str = BRANCH, base: str = "main") -> list[str]:
        return self.git("diff", "--name-only", base, branch).split()

    def tip(self, branch: str = BRANCH) -> str:
        return self.git("rev-parse", branch).strip()

    def hook(self, *lines: str) -> None:
        path = self.remote / "hooks" / "pre-receive"
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)

    def moved_by(self, path: str, text: str) -> str:
        """A commit of somebody on main that is not pushed to it yet, and is in the remote."""
        (self.origin / path).write_text(text, encoding="utf-8")
        made = commit(self.origin, "Theirs")
        run(self.origin, "git", "push", "--quiet", "origin", "HEAD:refs/heads/theirs")
        return made.strip()


def team_of(place: Place, folder: Path) -> Team:
    """A team that has pushed its pipeline, and a runner that has trained."""
    origin, remote = folder / "origin", folder / "remote.git"
    shutil.copytree(place.tree, origin, ignore=shutil.ignore_patterns(".git", "build", "src", "data"))
    (origin / "src").mkdir()
    (origin / "data").mkdir()
    (origin / "data" / "raw.csv").write_text("1\n")
    (origin / "src" / "step.py").write_text(STEP)
    (origin / "dvc.yaml").write_text(PIPELINE)
    (origin / "params.yaml").write_text("rate: 1\n")
    # Files of older projects do not have the key; its default counts.
    replace(origin / "operation" / "configuration" / "host.yaml", "results: change_request\n", "")
    commit(origin, "Ours")
    subprocess.run([sys.executable, "-m", "dvc", "--quiet", "add", "data/raw.csv"], cwd=origin, check=True)
    run(origin, "git", "add", "--force", "data/raw.csv.dvc")
    commit(origin, "Data")
    run(folder, "git", "clone", "--quiet", "--bare", str(origin), str(remote))
    run(origin, "git", "remote", "add", "origin", remote.as_uri())
    found = Team(place, remote, origin)
    found.again("clone")
    found.train()
    return found


def only(*hosts: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("host", hosts, indirect=True)
