"""`poe tune` on the default project, by the commands of its page, and on a real Ray of this machine."""

import json
import os
import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.package.tuning.conftest import Ours, make
from tests.processes import end, free_port, start
from tests.project import TEMPLATE, replace
from tests.run.engines.prefect import day
from tests.run.project import Project, clean_environment, commands, wait_for

PAGE = (TEMPLATE / "docs" / "how-to" / "tune.md").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def test_a_search_on_the_default_project_gives_what_the_pipeline_then_gives(unchanged, tmp_path):
    """The commands of the page; its searches have three trials here, and then four."""
    unchanged.environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{tmp_path / 'mlflow.db'}"
    try:
        walk(unchanged)
    finally:
        del unchanged.environment["MLFLOW_TRACKING_URI"]
        shutil.rmtree(unchanged.path / "build" / "tune", ignore_errors=True)
        (unchanged.path / "operation" / "configuration" / "search.yaml").unlink(missing_ok=True)
        unchanged.run("git checkout --quiet --force .")
        unchanged.run("uv sync --quiet")


def walk(unchanged: Project) -> None:
    install, first, search, train, more, beside, install_ray, on_ray, _ = commands(PAGE)
    assert f"\n  fix: {install}\n" in unchanged.run(search, fails=True)
    unchanged.run(install)
    unchanged.run(first)
    search_file = unchanged.path / "operation" / "configuration" / "search.yaml"
    assert "name: roc_auc\n  direction: higher" in search_file.read_text(encoding="utf-8")
    replace(search_file, "trials: 20", "trials: 3")
    replace(search_file, "regularisation: {low: 0.1", "regularisation: {low: 0.5")
    printed = unchanged.run(search)
    assert "with a child for each trial" in printed
    (file,) = unchanged.path.glob("build/tune/*/results.json")
    best = json.loads(file.read_text(encoding="utf-8"))["best"]
    assert f"regularisation: {best['parameters']['train.regularisation']} # linear" in unchanged.text("params.yaml")
    unchanged.run(train)
    assert json.loads(unchanged.text("metrics/candidates/linear.json"))["roc_auc"] == best["value"]
    assert "goes on after 3 trials" in unchanged.run(more.replace("50", "4"))
    assert "has the best values already" in unchanged.run(beside)
    assert f"\n  fix: {install_ray}\n" in unchanged.run(on_ray, fails=True)
    replace(search_file, "metrics/candidates/linear.json", "metrics/test.json")
    assert "by which the gate judges" in unchanged.run(search, fails=True)


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """A virtual environment with Ray, in which all packages of the tests can be imported."""
    folder = tmp_path_factory.mktemp("ray") / "env"
    for command in (
        ["uv", "venv", "--quiet", "--python", sysconfig.get_python_version(), str(folder)],
        ["uv", "pip", "install", "--quiet", "--python", str(folder), "--exclude-newer", day(), *EXTRAS["ray"]],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"Ray cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    (packages,) = folder.glob("lib/*/site-packages")
    linked = [TEMPLATE / "src", sysconfig.get_path("purelib")]
    (packages / "linked.pth").write_text("".join(f"{each}\n" for each in linked), encoding="utf-8")
    return folder / "bin" / "python"


@pytest.fixture
def environment(python, tmp_path) -> dict[str, str]:
    """What Ray and the trials get: a home of their own, where Ray keeps the token of its cluster."""
    found = clean_environment()
    own = {
        "HOME": str(tmp_path / "home"),
        "PATH": f"{python.parent}{os.pathsep}{found['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "DVC_NO_ANALYTICS": "true",
        "RUNS": str(tmp_path / "runs.txt"),
    }
    (tmp_path / "home").mkdir()
    return found | own


def tune(ours: Ours, python: Path, environment: dict[str, str], *options: str, fails: bool = False) -> str:
    """Search in a process with Ray, and return what it prints."""
    words = [str(python), "-m", "copier_mlops.cli", "tune", "--no-track", *options]
    done = subprocess.run(
        words, cwd=ours.path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    printed = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, printed
    assert "Traceback" not in printed, printed
    return printed


@contextmanager
def cluster(python: Path, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run the head of a Ray cluster on this machine, and yield its address for clients."""
    ray, port = str(python.with_name("ray")), free_port()
    subprocess.run([ray, "get-auth-token", "--generate"], env=environment, capture_output=True, timeout=60, check=True)
    options = ["--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats", f"--port={free_port()}"]
    log = folder / "head.log"
    # Short: the path of a socket may have 107 characters.
    place = Path("/tmp", f"ray-{os.getpid()}")  # noqa: S108
    options += [f"--ray-client-server-port={port}", f"--temp-dir={place}"]
    process = start([ray, "start", "--head", "--block", *options], log, environment, folder)
    try:
        wait_for(f"tcp://127.0.0.1:{port}", process, log)
        yield f"ray://127.0.0.1:{port}"
    finally:
        end(process)
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.skipif(os.name == "nt", reason="the folders of a virtual environment have other names")
def test_trials_run_on_ray_on_this_machine_and_by_the_address_of_a_cluster(python, environment, tmp_path):
    ours = make(tmp_path / "ours")
    printed = tune(ours, python, environment, "--ray", "local", "--jobs", "2", "--trials", "3", "--name", "here")
    found = ours.results("here")
    assert [each["state"] for each in found["trials"]] == ["ended"] * 3
    assert f"train.leaf: 10 -> {found['best']['parameters']['train.leaf']}" in printed
    with cluster(python, tmp_path, environment) as address:
        again = ("--ray", address, "--trials", "4", "--name", "here")
        assert "goes on after 3 trials" in tune(ours, python, environment, *again)
        assert len(ours.results("here")["trials"]) == 4
        replace(ours.path / "dvc.yaml", "  score:\n", "  score:\n    meta: {execution: {gpu: 8}}\n")
        wants = tune(ours, python, environment, "--ray", address, "--name", "gpu", fails=True)
        assert "the Ray cluster cannot run a trial, which asks for CPU 1, GPU 8\n  fix: " in wants
    away = tune(ours, python, environment, "--ray", "nowhere://1", "--name", "away", fails=True)
    assert "no Ray answers at nowhere://1: " in away and "\n  fix: start one with `ray start --head`" in away
    runs = (tmp_path / "runs.txt").read_text(encoding="utf-8").splitlines()
    assert runs.count("prepare") == 1, "the first trial ran alone, and left its result in the cache"
