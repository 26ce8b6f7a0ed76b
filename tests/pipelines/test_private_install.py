"""What a host's file says before the first task, run as it stands there: it installs from a private template."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.conftest import copy_from
from tests.pipelines.flows import Login
from tests.pipelines.hosts import READERS
from tests.pipelines.read.login import INSTALL
from tests.pipelines.ship import act
from tests.project import commit, run
from tests.run.private import TOKEN, Private, private
from tests.run.project import Project
from tests.run.published import VERSION, repository

# What a job gets for a secret that nobody has set.
UNSET = {"azure_devops": "$(TEMPLATE_TOKEN)"}
PYPROJECT = """\
[project]
name = "ours"
version = "0.1.0"
requires-python = ">=3.11,<3.15"
dependencies = ["copier-mlops"]

[tool.uv.sources.copier-mlops]
git = "ADDRESS"
rev = "COMMIT"
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A repository of the template with its package."""
    return repository(tmp_path_factory.mktemp("private"), VERSION)


@pytest.fixture(scope="module")
def server(template) -> Iterator[Private]:
    with private(template.parent) as found:
        yield found


@pytest.fixture(scope="module")
def lock(template, tmp_path_factory) -> str:
    """A lock of the package and of what it needs, with the template's folder in the place of its address."""
    folder = tmp_path_factory.mktemp("lock")
    (folder / "pyproject.toml").write_text(pyproject(template, template.as_uri()))
    run(folder, "uv", "lock", "--quiet")
    return (folder / "uv.lock").read_text(encoding="utf-8")


def pyproject(template: Path, address: str) -> str:
    return PYPROJECT.replace("ADDRESS", address).replace("COMMIT", run(template, "git", "rev-parse", VERSION).strip())


class Job:
    """The job of the flow `ci` on a host: its checkout, and its login as the host's file says it."""

    def __init__(self, host: str, template: Path, lock: str, server: Private, folder: Path) -> None:
        address = f"{server.url}/{folder.name}/template.git"
        path = copy_from(template, address, folder / "project", git_host=host, maturity_level=3)
        job = READERS[host](path)["ci"].jobs["ci"]
        assert isinstance(job.login, Login)
        assert server.url == job.login.server
        self.login, self.unset, self.project = job.login, UNSET.get(host, ""), Project(path)
        # The project itself needs a hundred packages; the package and what it needs are enough.
        (path / "pyproject.toml").write_text(pyproject(template, address))
        (path / "uv.lock").write_text(lock.replace(template.as_uri(), address))
        shutil.rmtree(path / "src")
        commit(path)
        # A runner's own settings of git, of which it has none.
        self.settings = folder / "gitconfig"
        self.settings.touch()
        self.project.environment |= job.variables | {"UV_LOCKED": "1", "GIT_CONFIG_GLOBAL": str(self.settings)}

    def install(self, token: str, fails: bool = False) -> str:
        """What the runner prints until the first task."""
        lines = [self.login.run] if self.login.variables else [self.login.run, INSTALL]
        done = subprocess.run(
            ["bash", "-e", "-c", "\n".join(lines)],
            cwd=self.project.path,
            env=self.project.environment | self.login.variables | {"TEMPLATE_TOKEN": token},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, printed
        return printed

    def files(self) -> list[Path]:
        """Every file of the checkout and of git's own settings."""
        return [self.settings, *(path for path in self.project.path.rglob("*") if path.is_file())]


@pytest.fixture(params=READERS)
def job(request, template, lock, server, tmp_path) -> Job:
    return Job(request.param, template, lock, server, tmp_path)


def test_a_private_template_is_installed_with_its_token_only(job, server):
    server.logins.clear()
    for token in (job.unset, "another-token"):
        printed = job.install(token, fails=True)
        assert "Failed to download and build `copier-mlops @ git+http://" in printed
        assert f"fatal: Authentication failed for '{server.url}" in printed
        assert "another-token" not in printed
    printed = job.install(TOKEN)
    assert "Python 3." in printed
    assert TOKEN not in printed
    assert server.logins[:2] == [f"x-token-auth:{job.unset}", "x-token-auth:another-token"]
    assert set(server.logins[2:]) == {f"x-token-auth:{TOKEN}"}
    assert [path for path in job.files() if TOKEN.encode() in path.read_bytes()] == []
    # Every later step does without it.
    assert "usage: mlops" in job.project.run("uv run mlops --help", TEMPLATE_TOKEN="")


@pytest.mark.parametrize("host", ["azure_devops", "gitlab"])
def test_a_public_template_is_installed_without_a_token(host, template, lock, tmp_path):
    with private(template.parent, wants_login=False) as public:
        job = Job(host, template, lock, public, tmp_path)
        assert "Python 3." in job.install(job.unset)
        assert "Python 3." in job.install("a token that nobody wants")
        assert public.logins == []


def test_on_github_the_action_gets_the_secret_of_the_repository(template, lock, server, tmp_path):
    job = Job("github", template, lock, server, tmp_path)
    act.readable(job.project.path, "no-token")
    commit(job.project.path)

    def walk(*options: str) -> str:
        done = subprocess.run(
            [*act.command("push", "ci"), "--job", "ci", *options],
            cwd=job.project.path,
            env=job.project.environment | {"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert TOKEN not in done.stdout + done.stderr
        return done.stdout

    assert "Failure - Main Install " in walk()
    assert server.logins[-1] == "x-token-auth:"
    assert "Success - Main Install " in walk("--secret", f"TEMPLATE_TOKEN={TOKEN}")
    assert server.logins[-1] == f"x-token-auth:{TOKEN}"
