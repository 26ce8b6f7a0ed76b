"""The lint reads pipelines as DVC does: after `dvc repro`, it has nothing to say of the lock."""

import subprocess
import sys
from pathlib import Path

import pytest

from copier_mlops.lint.config import Config
from copier_mlops.lint.project import Project
from copier_mlops.lint.run import run as find
from tests.project import commit, run

# Pipelines from public reports, as the smallest files that show each: dvc.yaml, and the files beside it.
PIPELINES = {
    "a working directory (dvc#7316)": (
        "stages: {a: {wdir: sub, cmd: echo 1 > m.json, params: [lr], metrics: [{m.json: {cache: false}}]}}",
        {"sub/params.yaml": "lr: 1\n"},
    ),
    "parameters in Python (dvc.org#1799)": (
        "stages: {a: {cmd: echo 1 > m.json, params: [{conf.py: [LR]}], metrics: [{m.json: {cache: false}}]}}",
        {"conf.py": "LR = 1\n"},
    ),
    "a group in two places (dvc#3633)": (
        "vars: [{m: {dir: out}}]\nstages: {a: {foreach: '${m.names}', do: {cmd: 'echo ${item} ${m.dir}'}}}",
        {"params.yaml": "m: {names: [a]}\n"},
    ),
    "truths by reference": (
        "stages: {a: {foreach: '${flags}', do: {cmd: 'echo ${item}'}}}",
        {"params.yaml": "flags: [true, false]\n"},
    ),
    "truths in place": ("stages: {a: {foreach: [true, 2], do: {cmd: 'echo ${item}'}}}", {}),
    "a matrix of truths by reference": (
        "stages: {a: {matrix: {x: '${flags}', y: [true]}, cmd: 'echo ${item.x} ${item.y}'}}",
        {"params.yaml": "flags: [true, false]\n"},
    ),
    "a parameter by item (dvc#10885)": (
        "stages: {a: {foreach: [x], do: {cmd: echo, params: [{params.yaml: ['${item}.lr']}]}}}",
        {"params.yaml": "x: {lr: 1}\n"},
    ),
    "a list in Python": (
        "vars: [conf.py]\nstages: {a: {foreach: '${NAMES}', do: {cmd: 'echo ${item}'}}}",
        {"conf.py": "NAMES = ['x', 'y']\n"},
    ),
    "a chain over working directories": (
        "stages: {a: {wdir: sub, cmd: echo 1 > x, outs: [x]}, b: {cmd: cat sub/x > y, deps: [sub/x], outs: [y]}}",
        {"sub/keep": ""},
    ),
}


@pytest.fixture
def repository(tmp_path) -> Path:
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, sys.executable, "-m", "dvc", "init", "--quiet")
    return tmp_path


@pytest.mark.parametrize("name", PIPELINES)
def test_what_dvc_has_run_is_up_to_date(repository, name):
    pipeline, others = PIPELINES[name]
    for path, text in (others | {"dvc.yaml": pipeline}).items():
        (repository / path).parent.mkdir(exist_ok=True)
        (repository / path).write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=repository, check=True)
    commit(repository)
    assert find(Project(repository, Config(select=("MLO6",)))) == []
    if "cmd: 'echo" in pipeline and "conf.py" not in pipeline:
        (repository / "dvc.yaml").write_text(pipeline.replace("cmd: 'echo", "cmd: 'echo other"), encoding="utf-8")
        assert {each.check for each in find(Project(repository, Config(select=("MLO6",))))} == {"MLO602"}
