"""Windows' `core.autocrlf=true`, which git does on each system: no byte of a project changes on its way through git."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from copier_mlops.lint.project import Project
from copier_mlops.lint.run import run as lint
from tests.project import commit, copy_project, run
from tests.run.published import repository


def clone(project: Path, path: Path, *options: str) -> Path:
    run(path.parent, "git", "clone", "--quiet", *options, str(project), str(path))
    return path


def pull(project: Path, remote: Path) -> Path:
    run(project, "dvc", "remote", "modify", "--local", "storage", "url", str(remote))
    run(project, "dvc", "pull", "--quiet")
    return project


def status(project: Path) -> str:
    done = subprocess.run(["dvc", "status"], cwd=project, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Iterator[str]:
    """Git changes line ends in all repositories, as Git for Windows is installed."""
    settings = tmp_path_factory.mktemp("git") / "config"
    settings.write_text("[core]\n\tautocrlf = true\n[user]\n\tname = A\n\temail = a@example.org\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        yield str(settings)


@pytest.fixture(scope="module")
def project(tmp_path_factory, windows) -> Path:
    """A project of the published template, committed on Windows after a stage wrote its metrics with its line ends."""
    folder = tmp_path_factory.mktemp("windows")
    project = copy_project(repository(folder, "9.0.0"), folder / "project", "9.0.0")
    deps = "[measure.py, ruff.toml, data/raw/german_credit.csv]"
    stage = f"stages:\n  measure:\n    cmd: python measure.py\n    deps: {deps}\n"
    (project / "dvc.yaml").write_text(f"{stage}    metrics: [m.json: {{cache: false}}]\n", encoding="utf-8")
    code = 'open("m.json", "w", newline="").write(\'{"a": 1}\\r\\n\')\r\n'
    (project / "measure.py").write_text(code, encoding="utf-8", newline="")
    commit(project)
    for command in (["commit", "--force", "data/raw/german_credit.csv.dvc"], ["repro", "--quiet"], ["push"]):
        run(project, "dvc", *command)
    commit(project)
    return project


def test_a_copy_has_the_bytes_of_the_template(project):
    names = run(project, "git", "ls-files").splitlines()
    assert [name for name in names if b"\r\n" in (project / name).read_bytes()] == ["m.json", "measure.py"]
    assert run(project, "git", "status", "--porcelain") == ""


@pytest.mark.parametrize("system", ["linux", "windows"])
def test_a_clone_has_the_bytes_that_dvc_hashed(project, tmp_path, monkeypatch, windows, system):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", {"linux": os.devnull, "windows": windows}[system])
    other = clone(project, tmp_path / "other")
    names = run(project, "git", "ls-files").splitlines()
    assert [name for name in names if (other / name).read_bytes() != (project / name).read_bytes()] == []
    pull(other, project.parent / "german-credit-data")
    assert status(other) == "Data and pipelines are up to date."
    assert [each for each in lint(Project(other)) if each.check.startswith(("MLO5", "MLO6"))] == []


def test_without_the_attributes_dvc_sees_other_bytes(project, tmp_path, windows):
    own = clone(project, tmp_path / "own", "--config", "core.autocrlf=false")
    (own / ".gitattributes").unlink()
    commit(own)
    other = pull(clone(own, tmp_path / "other"), project.parent / "german-credit-data")
    assert "measure" in status(other)
