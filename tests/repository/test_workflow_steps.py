"""What the workflows do, as far as it can be done without GitHub: by act, and step by step in bash."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.pipelines.ship.act import ACTIONS
from tests.project import TEMPLATE, answers_of, commit, registry, replace, run

# The environment of this process serves every checkout: only tools are asked for, and the code is found beside them.
HERE = {"UV_PROJECT_ENVIRONMENT": sys.prefix, "UV_NO_SYNC": "1", "MYPY_CACHE_DIR": str(TEMPLATE / ".mypy_cache")}
VERSION = "1000.0.0"


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    """The files of this checkout in a repository of their own, on `main`, with a version."""
    folder = tmp_path_factory.mktemp("repository") / "origin"
    for name in run(TEMPLATE, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (TEMPLATE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATE / name, folder / name)
    newest = re.search("^## .*$", (folder / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[0]
    replace(folder / "CHANGELOG.md", newest, f"## {VERSION}")
    commit(folder)
    run(folder, "git", "tag", VERSION)
    return folder


@pytest.fixture
def clone(origin, tmp_path) -> Path:
    run(tmp_path, "git", "clone", "--quiet", origin.as_uri(), "clone")
    return tmp_path / "clone"


def act(clone: Path, event: str, job: str, **payload: object) -> subprocess.CompletedProcess:
    """Run a job of ci.yml by act, on this machine."""
    (clone.parent / "event.json").write_text(json.dumps(payload), encoding="utf-8")
    command = ["act", event, "-W", ".github/workflows/ci.yml", "-j", job, "-e", str(clone.parent / "event.json")]
    command += ["-P", "ubuntu-24.04=-self-hosted", "--action-offline-mode"]
    for name in ("checkout", "uv"):
        pin = registry("hosts")["github"]["actions"][name]
        command += ["--local-repository", f"{pin['uses']}@{pin['commit']}={ACTIONS / 'nothing'}"]
    command += [part for name, value in HERE.items() for part in ("--env", f"{name}={value}")]
    return subprocess.run(command, cwd=clone, capture_output=True, encoding="utf-8", timeout=300, check=False)


@pytest.mark.skipif(not shutil.which("act"), reason="act runs it in GitHub's place")
def test_a_change_without_a_line_in_the_changelog_stops_at_its_job(clone):
    base = {"pull_request": {"base": {"ref": "main"}, "head": {"ref": "work"}, "number": 1}}
    run(clone, "git", "switch", "--quiet", "--create", "work")
    with (clone / "copier.yml").open("a", encoding="utf-8") as file:
        file.write("# A change.\n")
    commit(clone)
    done = act(clone, "pull_request", "changelog", **base)
    assert done.returncode and "changed what users notice" in done.stdout, done.stdout + done.stderr
    commit(clone, "Nothing after all")
    run(clone, "git", "reset", "--quiet", "--soft", "main")
    commit(clone, "A comment\n\nchangelog: none")
    done = act(clone, "pull_request", "changelog", **base)
    assert done.returncode == 0 and "has all needed lines since origin/main" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("act"), reason="act runs it in GitHub's place")
def test_this_checkout_passes_the_lint_and_a_file_that_is_not_formatted_does_not(clone):
    done = act(clone, "push", "lint")
    assert done.returncode == 0 and "Success: no issues found" in done.stdout, done.stdout + done.stderr
    (clone / "tasks" / "odd.py").write_text("x=1\n", encoding="utf-8")
    commit(clone)
    done = act(clone, "push", "lint")
    assert done.returncode and "1 file would be reformatted" in done.stdout, done.stdout + done.stderr


def steps(clone: Path, workflow: str, job: str, *names: str, **variables: str) -> None:
    """Run the commands of some steps of a job, in the shell that GitHub runs them in; that they succeed is the test."""
    flow = yaml.safe_load((clone / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8"))
    commands = {step["name"]: step.get("run") for step in flow["jobs"][job]["steps"]}
    environment = os.environ | HERE | variables
    for name in names:
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", commands[name]]
        done = subprocess.run(shell, cwd=clone, env=environment, capture_output=True, encoding="utf-8", check=False)
        assert not done.returncode, f"{name}:\n{done.stdout}{done.stderr}"


def test_a_release_builds_a_wheel_and_its_notes(clone):
    steps(clone, "release", "wheel", "Build the wheel", "Write the notes", VERSION=VERSION)
    release = clone / "build" / "release"
    (wheel,) = (release / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "copier_mlops/registries/hosts.yml" in archive.namelist()
    notes = (release / "notes.md").read_text(encoding="utf-8")
    assert "\n- " in f"\n{notes}" and "## " not in notes and "Poe =>" not in notes


def test_a_release_renders_an_example_for_each_host(origin, clone):
    variables = {"TEMPLATE": f"git+{origin.as_uri()}", "VERSION": VERSION, "RUNNER_TEMP": str(clone.parent)}
    steps(clone, "release", "examples", "Render", "Pack", **variables)
    examples = {path.name.removesuffix(".tar.gz"): path for path in (clone / "build" / "packed").iterdir()}
    hosts = {f"german-credit-on-{host.replace('_', '-')}": host for host in registry("hosts")}
    assert examples.keys() == hosts.keys()
    for name, host in hosts.items():
        with tarfile.open(examples[name]) as archive:
            archive.extractall(clone / "build", filter="data")
        answers = answers_of(clone / "build" / name)
        assert (answers["_commit"], answers["_src_path"], answers["git_host"]) == (
            VERSION,
            f"git+{origin.as_uri()}",
            host,
        )
        assert answers["maturity_level"] == (2 if host == "forgejo" else 4)
        assert (clone / "build" / name / registry("hosts")[host]["paths"][0].strip("/")).exists()


def old_day_without_dependencies(project: Path) -> None:
    """Write a day that has long been, and nothing whose newest versions could change what a test sees."""
    text = re.sub(r"^([\w-]+ = \[)\n(  .*\n)*\]$", r"\1]", project.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^(lint|release) = .*$", r"\1 = []", text, flags=re.MULTILINE)
    project.write_text(text.replace('exclude-newer = "2', 'exclude-newer = "1'), encoding="utf-8")


def test_the_tested_day_moves_in_one_job_and_is_committed_in_another(origin, clone, tmp_path):
    (tmp_path / "output").touch()
    output = {"GITHUB_OUTPUT": str(tmp_path / "output")}
    old_day_without_dependencies(clone / "pyproject.toml")
    replace(clone / "extensions" / "tested.yml", 'day: "2', 'day: "1')
    commit(clone, "A day that has long been")
    steps(clone, "tested-day", "move", "Move the tested day", "Keep the change", **output)
    assert (tmp_path / "output").read_text(encoding="utf-8") == "moved=true\n"
    other = tmp_path / "other"
    run(tmp_path, "git", "clone", "--quiet", clone.as_uri(), "other")
    (other / "build").mkdir()
    shutil.copy(clone / "build" / "tested-day.patch", other / "build")
    steps(other, "tested-day", "request", "Commit")
    assert run(other, "git", "diff", "--name-only", "main", "tested-day").split() == [
        "extensions/tested.yml",
        "pyproject.toml",
    ]
    assert run(other, "git", "status", "--short") == ""
    run(other, "uv", "run", "poe", "check-changelog", "--base", "origin/main")


def test_a_tested_day_that_does_not_move_opens_nothing(clone, tmp_path):
    (tmp_path / "output").touch()
    steps(clone, "tested-day", "move", "Keep the change", GITHUB_OUTPUT=str(tmp_path / "output"))
    assert (tmp_path / "output").read_text(encoding="utf-8") == ""
