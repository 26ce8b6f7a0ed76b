"""Each host's adapter in a project of level 3, and a server on loopback in the host's place."""

import contextlib
import importlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TextIO
from unittest import mock

import pytest

from copier_mlops import cli
from copier_mlops.hosts import api
from copier_mlops.hosts.base import Base
from copier_mlops.hosts.settings import load
from tests.package.hosts.server import SIGNATURE, TOKEN, Server
from tests.project import commit, copy_project, copy_template, registry, run

# Every host with an API.
HOSTS = [name for name, entry in registry("hosts").items() if entry["api"]]
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
APPROVERS = {
    "github": "[ada, team:risk]",
    "azure_devops": "[ada@example.org, '[K I]\\Risk']",
    "gitlab": "[ada, team:acme/risk]",
    "bitbucket": "[administrators]",
    "forgejo": "[]",
}


@pytest.fixture(scope="session")
def trees(tmp_path_factory) -> Callable[[str], Path]:
    """A project of level 3 for each host; tests leave them as they find them."""
    template = copy_template(tmp_path_factory.mktemp("template"))
    made: dict[str, Path] = {}

    def tree(host: str) -> Path:
        if host not in made:
            made[host] = tmp_path_factory.mktemp(host) / "project"
            copy_project(template, made[host], git_host=host, maturity_level=3, cloud="aws")
            settings = made[host] / "operation" / "configuration" / "host.yaml"
            approvers = settings.read_text(encoding="utf-8").replace("[]", APPROVERS[host])
            settings.write_text(approvers, encoding="utf-8")
            commit(made[host])
        return made[host]

    return tree


@contextlib.contextmanager
def typed(text: str) -> Iterator[TextIO]:
    """A file with a number of its own, as a terminal or a pipe is, that holds what a person types."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        file.write(text)
        file.seek(0)
        yield file


@dataclass
class Place:
    """A host: its project, the server in its place, what it knows, and the variables of a run."""

    name: str
    tree: Path
    server: Server
    fake: ModuleType
    state: object
    variables: dict[str, str]
    shell: dict[str, str] = field(default_factory=lambda: {key: os.environ[key] for key in KEPT if key in os.environ})

    def expect_a_person(self) -> None:
        """The server wants the token as it comes from a laptop: on Azure DevOps, as a password."""
        if self.name == "azure_devops":
            self.server.headers = {"Authorization": "Basic OmdlaGVpbS0wMTIzNDU2Nzg5"}

    def clone(self, folder: Path) -> None:
        """Work in a clone of the project from now on."""
        run(folder.parent, "git", "clone", "--quiet", str(self.tree), str(folder))
        self.tree = folder

    def adapter(self, **variables: str | None) -> Base:
        """The host's adapter in a run, with variables changed or, where they are None, taken away."""
        given = {key: value for key, value in {**self.variables, **variables}.items() if value is not None}
        named = {"api": "HOST_API", "repository": "HOST_REPOSITORY"}
        settings = load().model_copy(update={key: given[name] for key, name in named.items() if name in given})
        return importlib.import_module(f"copier_mlops.hosts.{self.name}").ADAPTER(settings, given)

    def environment(self, variables: dict[str, str | None]) -> dict[str, str]:
        """The variables of a run, with some changed or taken away."""
        everything = {**self.shell, **self.variables, **variables, "PYTHONIOENCODING": "utf-8"}
        return {key: value for key, value in everything.items() if value is not None}

    def run(self, task: str, *arguments: str, given: str = "", code: int = 0, **variables: str | None) -> str:
        """What a task prints in a run, and how it ends; in this process, which is quick."""
        output, end = io.StringIO(), 0
        with (
            typed(given) as keyboard,
            contextlib.chdir(self.tree),
            mock.patch.dict(os.environ, self.environment(variables), clear=True),
            mock.patch.object(sys, "stdin", keyboard),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
        ):
            try:
                end = cli.main([task, *arguments])
            except SystemExit as stopped:
                if isinstance(stopped.code, str):
                    print(stopped.code)
                end = 1 if isinstance(stopped.code, str) else stopped.code or 0
        printed = output.getvalue()
        assert end == code, f"{task} ended with {end}:\n{printed}"
        assert TOKEN not in printed and SIGNATURE not in printed
        return printed

    def process(self, task: str, *arguments: str, given: str = "", code: int = 0, **variables: str | None) -> str:
        """The same in a process of its own, as poe does it."""
        done = subprocess.run(
            [sys.executable, "-m", "copier_mlops.cli", task, *arguments],
            cwd=self.tree,
            env=self.environment(variables),
            input=given,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == code, f"{task} ended with {done.returncode}:\n{printed}"
        assert "Traceback" not in printed, printed
        assert TOKEN not in printed
        return printed


@pytest.fixture(params=HOSTS)
def host(request) -> str:
    """Every host with an API."""
    return request.param


@pytest.fixture
def place(host, trees, tmp_path, monkeypatch) -> Iterator[Place]:
    """A host and a run of it; nothing may be asked that the host does not document."""
    tree = trees(host)
    monkeypatch.chdir(tree)
    monkeypatch.setattr(api.RETRY, "backoff_factor", 0.001)
    fake = importlib.import_module(f"tests.package.hosts.fakes.{host}")
    with Server() as server, Server() as server.store:
        state = fake.install(server)
        yield Place(host, tree, server, fake, state, fake.runner(server, tmp_path))
        assert server.problems == server.store.problems == []
    shutil.rmtree(tree / "build", ignore_errors=True)


@pytest.fixture
def laptop(place) -> Place:
    """The place as a person has it: no runner, a token, and settings that say where the repository is."""
    repository = "acme/K I/kredit" if place.name == "azure_devops" else "acme/kredit"
    place.variables = {"HOST_TOKEN": TOKEN, "HOST_API": place.server.url, "HOST_REPOSITORY": repository}
    place.expect_a_person()
    return place
