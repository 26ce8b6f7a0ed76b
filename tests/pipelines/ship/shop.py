"""A project at level 3 with everything around it on this machine: its remote, its tracking server, its two services."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.run.project import Project, copy_project, request


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass
class Shop:
    """The project, committed as a team would, and the addresses of what is around it."""

    project: Project
    urls: dict[str, str]
    tracking: str

    def served(self, environment: str) -> str | None:
        """The version of the model that an environment's service answers with; None where nothing answers."""
        try:
            return request(f"{self.urls[environment]}/health")[2]["model_version"]
        except OSError:
            return None

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file and commit it."""
        file = self.project.path / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new), encoding="utf-8")
        self.project.commit()


@contextmanager
def tracking_server(project: Project, folder: Path) -> Iterator[str]:
    """A real MLflow server on loopback, from the project's own environment."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    store = f"sqlite:///{(folder / 'mlflow.db').as_posix()}"
    options = f"--backend-store-uri {store} --artifacts-destination {folder / 'artefacts'} --workers 1"
    with project.serve(f"uv run mlflow server {options} --host 127.0.0.1 --port {port}", f"{url}/health"):
        yield url


@contextmanager
def opened(folder: Path, git_host: str) -> Iterator[Shop]:
    """A shop on the files of one git host; at the end its server and its services are stopped."""
    project = copy_project(
        folder / "project",
        maturity_level=3,
        git_host=git_host,
        data_remote=(folder / "remote").as_posix(),
        tracking_uri="http://127.0.0.1:9",
    )
    project.run("uv sync --quiet")
    with tracking_server(project, folder) as tracking:
        urls = {}
        for environment in ("dev", "stage", "prod"):
            urls[environment] = f"http://127.0.0.1:{free_port()}"
            place = project.path / "operation" / "configuration" / f"environment_{environment}"
            set_values(place / "settings.yaml", tracking_uri=tracking)
            set_values(place / "release.yaml", url=urls[environment])
        project.run("uv run poe setup")
        project.run("uv run poe push")
        project.commit()
        shop = Shop(project, urls, tracking)
        try:
            yield shop
        finally:
            for url in urls.values():
                stop(url)


def set_values(file: Path, **values: str) -> None:
    """Set values of a YAML file, as a person would with an editor."""
    document = yaml.safe_load(file.read_text(encoding="utf-8")) | values
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def stop(url: str) -> None:
    """End the service that a deployment left behind at `url`: it outlives its job on purpose."""
    port = int(url.rpartition(":")[2])
    found = subprocess.run(["ss", "-Htlnp", f"sport = :{port}"], capture_output=True, text=True, check=False).stdout
    if "pid=" in found:
        os.kill(int(found.split("pid=")[1].split(",")[0]), signal.SIGTERM)


def document(store: Path, job: str, name: str) -> dict:
    """What a job handed on."""
    return json.loads((store / job / f"{name}.json").read_text(encoding="utf-8"))
