"""`poe template-update`: one branch and one request for what is new, on local repositories and a server for GitHub."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.api.fakes import github
from tests.pipelines.api.server import Server
from tests.project import commit, copy_project, files, run
from tests.update.conftest import BEFORE, NEW_MANAGED, NOW

BRANCH = f"template-update/{NOW}"


class Home:
    """A project of the version before, its remote, and GitHub."""

    def __init__(self, history: Path, folder: Path, server: Server) -> None:
        self.project, self.remote = folder / "project", folder / "remote.git"
        copy_project(history, self.project, BEFORE, maturity_level=3)
        commit(self.project)
        run(folder, "git", "clone", "--quiet", "--bare", "project", "remote.git")
        run(self.project, "git", "remote", "add", "origin", self.remote.as_uri())
        self.state = github.install(server)
        self.runner = github.runner(server, folder)

    def update(self, code: int = 0, where: Path | None = None, **variables: str) -> str:
        """What the task prints in a run on GitHub."""
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        done = subprocess.run(
            [sys.executable, "-m", "operation.execution.release.template_update"],
            cwd=where or self.project,
            env=environment | self.runner | variables | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == code, printed
        assert "Traceback" not in printed, printed
        assert self.runner["HOST_TOKEN"] not in printed
        return printed

    def branches(self) -> list[str]:
        return run(self.remote, "git", "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


@pytest.fixture
def home(history, tmp_path):
    with Server() as server:
        yield Home(history, tmp_path, server)
        assert server.problems == []


def test_twice_opens_one_request_and_touches_nobodys_work(home):
    (home.project / "notes.txt").write_text("mine\n")
    (home.project / "README.md").write_text("# Not committed yet\n")
    before = files(home.project)
    assert "Nothing is in conflict" in home.update()
    assert files(home.project) == before
    assert home.branches() == ["main", BRANCH]
    assert NEW_MANAGED in run(home.remote, "git", "ls-tree", "-r", "--name-only", BRANCH)
    assert "uv.lock" in run(home.remote, "git", "diff", "--name-only", "main", BRANCH)
    (request,) = home.state.pulls
    assert (request["head"], request["base"]) == (BRANCH, "main")
    tip = run(home.remote, "git", "rev-parse", BRANCH)
    home.update()
    assert len(home.state.pulls) == 1
    assert run(home.remote, "git", "rev-parse", BRANCH) == tip
    run(home.project, "git", "merge-base", "--is-ancestor", "main", tip.strip())


def test_a_conflict_is_named_in_the_request(home):
    ruff = home.project / "ruff.toml"
    text = ruff.read_text(encoding="utf-8")
    ruff.write_text(text.replace("# This comment is gone in the next version.", "# Ours."), encoding="utf-8")
    commit(home.project)
    run(home.project, "git", "push", "--quiet", "origin", "main")
    assert "- `ruff.toml`" in home.update()
    assert "- `ruff.toml`" in home.state.pulls[0]["body"]
    assert "<<<<<<<" in run(home.remote, "git", "show", f"{BRANCH}:ruff.toml")


def test_a_shallow_clone_is_enough(home, tmp_path):
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", home.remote.as_uri(), "shallow")
    home.update(where=tmp_path / "shallow")
    assert home.branches() == ["main", BRANCH]
    assert len(home.state.pulls) == 1


def test_what_is_new_already_is_not_proposed(home, history, tmp_path):
    copy_project(history, tmp_path / "new", NOW, maturity_level=3)
    commit(tmp_path / "new")
    assert "has the newest version" in home.update(where=tmp_path / "new")
    assert home.state.pulls == []


def test_a_template_that_is_away_is_named_and_leaves_nothing_behind(home, history, tmp_path):
    answers = home.project / ".copier-answers.yml"
    gone = answers.read_text(encoding="utf-8").replace(str(history), str(tmp_path / "gone"))
    answers.write_text(gone, encoding="utf-8")
    commit(home.project)
    before = files(home.project)
    assert "template-update: " in home.update(code=1)
    assert files(home.project) == before
    assert home.branches() == ["main"]


def test_a_remote_that_refuses_is_named(home):
    hook = home.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho closed for today\nexit 1\n")
    hook.chmod(0o755)
    assert "git push was refused" in home.update(code=1)
    assert home.state.pulls == []
