"""The lint as others get it: installed by pre-commit from a clone of this repository, by uv, and as an action."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from copier_mlops.cli import TASKS
from tests.platforms import on_posix
from tests.project import TEMPLATE, commit, registry, run

# What of this repository the package is made of.
PACKAGE = [
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "copier.yml",
    "extensions",
    "src",
    ".pre-commit-hooks.yaml",
    "action.yml",
]
HOOKS = yaml.safe_load((TEMPLATE / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
# Stands for actions of others: the machine has uv, and act copies the repository where a checkout is.
NOTHING = TEMPLATE / "tests" / "pipelines" / "ship" / "actions" / "nothing"
ACTION = yaml.safe_load((TEMPLATE / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> tuple[Path, str]:
    """The work tree as a repository of its own, and its commit."""
    path = tmp_path_factory.mktemp("released") / "copier-mlops"
    path.mkdir()
    for name in PACKAGE:
        source, target = TEMPLATE / name, path / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, ignore=ignored) if source.is_dir() else shutil.copy(source, target)
    return path, commit(path)


@pytest.fixture(scope="module")
def pre_commit(tmp_path_factory) -> dict[str, str]:
    """Variables with which pre-commit keeps its environments here, so that they are installed once."""
    return os.environ | {"PRE_COMMIT_HOME": str(tmp_path_factory.mktemp("pre-commit"))}


def hooked(
    project: Path, released: tuple[Path, str], variables: dict[str, str], hook: str
) -> subprocess.CompletedProcess:
    """A commit with one hook."""
    path, revision = released
    repo = {"repo": path.as_uri(), "rev": revision, "hooks": [{"id": hook}]}
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repo]}), encoding="utf-8")
    run(project, "git", "add", "--all")
    command = [sys.executable, "-m", "pre_commit", "run", hook, "--verbose"]
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)


def test_pre_commit_runs_it_from_this_repository(project, released, pre_commit):
    done = hooked(project, released, pre_commit, "copier-mlops-lint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mlops lint: 0 errors, 0 warnings" in done.stdout
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    done = hooked(project, released, pre_commit, "copier-mlops-lint")
    assert done.returncode == 1
    assert "docs/x.md:1: MLO101" in done.stdout


def test_pre_commit_can_ask_for_the_files_of_the_commit_alone(project, released, pre_commit):
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    run(project, "git", "add", "--all")
    run(project, "git", "commit", "--quiet", "--no-verify", "--message", "A fault that is there already")
    (project / "docs" / "y.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    done = hooked(project, released, pre_commit, "copier-mlops-lint-files")
    assert done.returncode == 1
    assert "docs/y.md:1: MLO101" in done.stdout and "docs/x.md" not in done.stdout


def test_every_hook_calls_the_command_that_the_package_has():
    scripts = (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8")
    for hook in HOOKS:
        command, task, *_ = hook["entry"].split()
        assert f"\n{command} = " in scripts and task in TASKS
        assert hook["id"].startswith("copier-mlops-lint") and hook["language"] == "python"


def test_the_action_is_pinned_as_the_hosts_are():
    uses = [step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step]
    pin = registry("hosts")["github"]["actions"]["uv"]
    assert uses == [f"{pin['uses']}@{pin['commit']}"]
    assert ACTION["runs"]["steps"][0]["with"]["version"] == registry("tested")["uv"]


def test_zizmor_finds_nothing_in_the_action():
    options = ["--offline", "--no-config", "--strict-collection", "--persona", "auditor"]
    done = subprocess.run(["zizmor", *options, TEMPLATE / "action.yml"], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr


@pytest.fixture
def action(released, tmp_path):
    """The action's own commands in bash, with its inputs as GitHub would hand them over."""

    def call(folder: Path, **inputs: str) -> subprocess.CompletedProcess:
        (step,) = [step for step in ACTION["runs"]["steps"] if "run" in step]
        given = {name: entry["default"] for name, entry in ACTION["inputs"].items()} | inputs
        values = {f"inputs.{name}": value for name, value in given.items()} | {"github.action_path": str(released[0])}
        env = {name: values[re.fullmatch(r"\$\{\{ (\S+) \}\}", text)[1]] for name, text in step["env"].items()}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(command, cwd=folder, env=os.environ | env, capture_output=True, text=True, check=False)

    return call


@on_posix
def test_the_action_annotates_and_writes_sarif(project, action, tmp_path):
    done = action(project)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    done = action(project, sarif=str(tmp_path / "found.sarif"))
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=docs/x.md,line=1,title=MLO101 conflict-marker::")
    assert '"ruleId": "MLO101"' in (tmp_path / "found.sarif").read_text(encoding="utf-8")
    assert action(project, ignore="MLO101").returncode == 0
    assert action(project, select="MLO1,MLO2", project="docs").returncode == 1
    assert action(project, select="$(touch started)").returncode == 2
    assert not (project / "started").exists()


WORKFLOW = """\
on: workflow_dispatch
jobs:
  lint:
    runs-on: ubuntu-24.04
    steps:
      - uses: {checkout}
      - uses: owner/copier-mlops@{commit}
        with:
          select: MLO1
          sarif: build/found.sarif
"""


@on_posix
@pytest.mark.skipif(not shutil.which("act"), reason="act runs it in GitHub's place")
def test_a_workflow_that_uses_the_action_is_run_by_act(project, released):
    path, revision = released
    workflow = project / ".github" / "workflows" / "ours.yml"
    pins = registry("hosts")["github"]["actions"]
    checkout, uv = (f"{pins[name]['uses']}@{pins[name]['commit']}" for name in ("checkout", "uv"))
    workflow.write_text(WORKFLOW.format(commit=revision, checkout=checkout), encoding="utf-8")
    (project / "build").mkdir(exist_ok=True)
    run(project, "git", "add", "--all")
    local = {f"owner/copier-mlops@{revision}": path, uv: NOTHING, checkout: NOTHING}
    options = ["-W", ".github/workflows/ours.yml", "-P", "ubuntu-24.04=-self-hosted", "--action-offline-mode"]
    options += [part for name, place in local.items() for part in ("--local-repository", f"{name}={place}")]

    def act() -> subprocess.CompletedProcess:
        command = ["act", "workflow_dispatch", *options]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300, check=False)

    done = act()
    assert done.returncode == 0, done.stdout + done.stderr
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    run(project, "git", "add", "--all")
    done = act()
    assert done.returncode == 1
    assert "docs/x.md" in done.stdout and "MLO101 conflict-marker" in done.stdout
