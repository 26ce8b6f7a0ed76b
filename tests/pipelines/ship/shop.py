"""A project at level 3 with all that is around it: remote, tracking server, services and its host's API."""

import importlib
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.copied import Copier
from tests.package.hosts.server import Server
from tests.processes import free_port
from tests.run.project import NO_JOBS, Project, request

READ = """
import json
from copier_mlops.settings import load_settings
from copier_mlops.release import history
from copier_mlops.tracking import connect

settings = map(load_settings, ("dev", "stage", "prod"))
print(json.dumps([history.service(connect(each), each) for each in settings]))
"""


# Hosts whose token is a variable of the repository.
ONE_TOKEN = {"bitbucket", "gitlab"}


@dataclass
class Shop:
    """The project, committed as a team would, the addresses of its services, and the server in its host's place."""

    project: Project
    urls: dict[str, str]
    folder: Path
    server: Server
    host: object
    state: object
    one_token: bool
    """Whether the host knows one token for all steps, and cannot keep it from some."""

    def served(self, environment: str) -> str | None:
        """The version of the model that an environment's service answers with; None where nothing answers."""
        try:
            return request(f"{self.urls[environment]}/health")[2]["model_version"]
        except OSError:
            return None

    def model_file(self, environment: str) -> str:
        """The SHA-256 of the model file that an environment's service names."""
        return request(f"{self.urls[environment]}/health")[2]["model_sha256"]

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file and commit it."""
        file = self.project.path / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new), encoding="utf-8")
        self.project.commit()

    def variables(self) -> dict[str, str]:
        """What the host's runner tells every job."""
        return self.host.runner(self.server, self.folder)


@contextmanager
def tracking_server(project: Project, folder: Path) -> Iterator[str]:
    """A real MLflow server on loopback, from the project's own environment."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    store = f"sqlite:///{(folder / 'mlflow.db').as_posix()}"
    options = f"--backend-store-uri {store} --artifacts-destination {folder / 'artefacts'} --workers 1"
    command = f"uv run mlflow server {options} --host 127.0.0.1 --port {port}"
    with project.serve(command, f"{url}/health", **NO_JOBS):
        yield url


@contextmanager
def opened(copier: Copier, folder: Path, git_host: str, level: int = 3) -> Iterator[Shop]:
    """A shop on one git host; at the end its servers and its services are stopped."""
    remote = (folder / "remote").as_posix()
    project = copier.copy(folder / "project", maturity_level=level, git_host=git_host, data_remote=remote)
    # The jobs share an environment, as runners do that keep one; each job's own clone is installed into it.
    project.environment["UV_PROJECT_ENVIRONMENT"] = str(folder / "environment")
    project.run("uv sync --quiet")
    with tracking_server(project, folder) as tracking, Server() as server:
        urls = {}
        for environment in ("dev", "stage", "prod"):
            urls[environment] = f"http://127.0.0.1:{free_port()}"
            place = project.path / "operation" / "configuration" / f"environment_{environment}"
            set_values(place / "settings.yaml", tracking_uri=tracking)
            # The machine of the tests is both: the runner of each job, and the server.
            set_values(place / "release.yaml", url=urls[environment], outlives_job=True)
        project.run("uv run poe setup")
        project.run("uv run poe push")
        host = importlib.import_module(f"tests.package.hosts.fakes.{git_host}")
        shop = Shop(project, urls, folder, server, host, host.install(server), git_host in ONE_TOKEN)
        try:
            yield shop
            assert server.problems == []
        finally:
            stop_services(project)


def set_values(file: Path, **values: object) -> None:
    """Set values of a YAML file, as a person would with an editor."""
    document = yaml.safe_load(file.read_text(encoding="utf-8")) | values
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def stop_services(project: Project) -> None:
    """End the services that deployments left behind: they outlive their jobs on purpose."""
    (project.path / "build").mkdir(exist_ok=True)
    (project.path / "build" / "read.py").write_text(READ)
    printed = project.run("uv run --quiet python build/read.py")
    for known in json.loads(printed.splitlines()[-1]):
        if known and known["pid"]:
            with suppress(ProcessLookupError):  # a test may have ended it
                os.kill(known["pid"], signal.SIGTERM)


def document(store: Path, job: str, name: str) -> dict:
    """What a job handed on."""
    return json.loads((store / job / f"{name}.json").read_text(encoding="utf-8"))
