"""The script for Slurm, run by a real shell with an `sbatch` that writes down what it gets."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import EngineAwayError, EngineError, State, slurm, slurm_script
from copier_mlops.pipeline.plan import Plan
from tests.package.pipeline.engines.drawn import plans

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Slurm has no Windows")

SBATCH = """\
#!{python}
import json, os, pathlib, sys
jobs = pathlib.Path({jobs!r})
number = len(list(jobs.iterdir())) + 1
if os.environ.get("REFUSE") == str(number):
    sys.exit("sbatch: error: invalid partition specified: nope")
(jobs / str(number)).write_text(json.dumps([sys.argv[1:], sys.stdin.read()]))
print(number)
"""
# It writes what `uv run` gets, fails as often as FAILS says, and remembers that in the file `failed`.
UV = """\
#!{python}
import os, pathlib, sys
with open("called", "a") as called:
    called.write("\\x00".join(sys.argv[1:]) + "\\n")
failed = pathlib.Path("failed")
count = int(failed.read_text()) if failed.exists() else 0
failed.write_text(str(count + 1))
sys.exit(count < int(os.environ.get("FAILS", "0")))
"""


@pytest.fixture
def shell(tmp_path):
    """A folder with an `sbatch` and a `uv` of its own, and a function that runs a script there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "jobs").mkdir()
    scancel = '#!/bin/sh\necho "$@" > cancelled\n'
    texts = {"sbatch": SBATCH.format(python=sys.executable, jobs=str(tmp_path / "jobs"))}
    texts |= {"uv": UV.format(python=sys.executable), "scancel": scancel}
    for name, text in texts.items():
        file = tmp_path / "bin" / name
        file.write_text(text, encoding="utf-8")
        file.chmod(file.stat().st_mode | stat.S_IEXEC)

    def run(script: str, code: int = 0, **variables: str) -> str:
        for each in (tmp_path / "jobs").iterdir():
            each.unlink()
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=os.environ | {"PATH": path} | variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return run


def jobs(tmp_path) -> dict[str, tuple[list[str], str]]:
    """What `sbatch` got, by the numbers of the jobs."""
    return {file.name: tuple(json.loads(file.read_text())) for file in (tmp_path / "jobs").iterdir()}


def write(plan: Plan, **more: object) -> str:
    return slurm_script.write(plan, **({"partition": "", "timeout": "24h", "options": (), "setup": ()} | more))


@settings(max_examples=12)
@given(plan=plans())
def test_the_jobs_are_the_stages_and_wait_for_what_they_need(plan, shell, tmp_path):
    plan = replace(plan, folder=tmp_path)
    printed = shell(write(plan))
    assert not (tmp_path / "hacked").exists()
    numbers = dict(line.rsplit(maxsplit=1) for line in printed.splitlines())
    assert numbers.keys() == {node.name for node in plan.nodes}
    assert len(set(numbers.values())) == len(plan.nodes)
    found = jobs(tmp_path)
    for node in plan.nodes:
        options, body = found[numbers[node.name].partition("_")[0]]
        waits = [each.partition("afterok:")[2] for each in options if each.startswith("--dependency=")]
        assert set(waits[0].split(":") if waits else []) == {numbers[need] for need in node.needs}
        assert ("--array=" in " ".join(options)) == ("_" in numbers[node.name])
        assert (f"--gpus={node.resources.gpu}" in options) == bool(node.resources.gpu)
        _, is_item, index = numbers[node.name].partition("_")
        for file in ("called", "failed"):
            (tmp_path / file).unlink(missing_ok=True)
        shell(body, **({"SLURM_ARRAY_TASK_ID": index} if is_item else {}))
        assert (tmp_path / "called").read_text().rstrip("\n").split("\x00") == plan.command(node)[1:]
        assert (tmp_path / "build" / "slurm" / "nightly-7" / f"{node.slug}.code").read_text() == "0\n"
        assert slurm_script.log_name(plan.nodes, node.name).endswith(".log")


def one(tmp_path, **resources: object) -> Plan:
    return Plan("credit", tmp_path, "one", "c" * 40, (Node("train", "train", (), Resources(**resources)),))


def test_what_a_stage_asks_for_becomes_options(shell, tmp_path):
    plan = one(tmp_path, cpu=1.5, memory="4Gi", gpu=1, timeout="90s", partition="gpu")
    shell(write(plan, partition="cpu", options=("--account=a b",), setup=("export READY=1",)))
    ((options, body),) = jobs(tmp_path).values()
    wanted = ["--time=2", "--partition=gpu", "--cpus-per-task=2", "--mem=4G", "--gpus=1", "--account=a b"]
    assert options[3:] == wanted
    assert "\nexport READY=1\n" in body
    shell(write(one(tmp_path), partition="cpu", timeout="12h"))
    ((options, _),) = jobs(tmp_path).values()
    assert options[3:] == ["--time=720", "--partition=cpu"]


@pytest.mark.parametrize(("fails", "code"), [("2", 0), ("3", 1)])
def test_a_stage_is_tried_again_as_often_as_it_says(shell, tmp_path, fails, code):
    shell(write(one(tmp_path, retries=2)))
    ((_, body),) = jobs(tmp_path).values()
    shell(body, code, FAILS=fails)
    assert (tmp_path / "build" / "slurm" / "one" / "train.code").read_text() == f"{code}\n"
    assert len((tmp_path / "called").read_text().splitlines()) == 3


def test_if_a_job_is_refused_those_before_it_are_cancelled(shell, tmp_path):
    nodes = tuple(Node(name, name, (), Resources()) for name in ("a", "b", "c"))
    shell(write(replace(one(tmp_path), nodes=nodes)), 1, REFUSE="3")
    assert (tmp_path / "cancelled").read_text() == "1 2\n"


@pytest.mark.parametrize(
    ("printed", "kind", "said"),
    [
        (
            "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
            EngineAwayError,
            "scontrol ping",
        ),
        (
            "sbatch: error: invalid partition specified: nope",
            EngineError,
            "Slurm refused: sbatch: error: invalid partition",
        ),
    ],
)
def test_what_slurm_says_is_passed_on(printed, kind, said, tmp_path, monkeypatch):
    program = tmp_path / "squeue"
    program.write_text(f"#!/bin/sh\necho '{printed}' >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("copier_mlops.command._root", lambda: tmp_path)
    with pytest.raises(EngineError, match=said) as refused:
        slurm.Jobs(one(tmp_path)).states()
    assert type(refused.value) is kind


def test_a_job_that_slurm_has_forgotten_is_known_by_what_it_left(tmp_path, monkeypatch):
    program = tmp_path / "squeue"
    program.write_text("#!/bin/sh\necho '7|RUNNING|node7|None'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("copier_mlops.command._root", lambda: tmp_path)
    names = ("runs", "ended", "failed", "gone")
    plan = replace(one(tmp_path), nodes=tuple(Node(name, dag.slug(name), (), Resources()) for name in names))
    submitted = slurm.Jobs(plan)
    submitted.folder.mkdir(parents=True)
    submitted.remember({"runs": "7", "ended": "8", "failed": "9", "gone": "10"})
    (submitted.folder / "ended.code").write_text("0\n", encoding="utf-8")
    (submitted.folder / "failed.code").write_text("1\n", encoding="utf-8")
    states = slurm.Jobs(plan).states()
    expected = [State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED]
    assert [states[name].state for name in names] == expected
    assert states["runs"].place == "job 7 on node7"
