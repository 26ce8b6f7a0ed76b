"""A real server and a real worker of Prefect on this machine, with an environment, a folder and a port of their own."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes import end, free_port, start
from tests.project import TEMPLATE
from tests.run.project import clean_environment

REQUIREMENTS = ("prefect>=3.4,<4", "fastapi>=0.139,<0.154")
POOL = "mlops"


@dataclass
class Server:
    """The processes of Prefect, and the variables by which a project reaches them."""

    folder: Path
    port: int
    path: str = ""
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def variables(self) -> dict[str, str]:
        """What a project sets to use it."""
        return {"PREFECT_API_URL": self.url}

    @property
    def own(self) -> dict[str, str]:
        """What its own processes get: they tell nobody of this, and look for work more often than is usual."""
        settings = {
            "HOME": str(self.folder / "home"),
            "API_URL": self.url,
            "SERVER_ANALYTICS_ENABLED": "false",
            "SERVER_UI_ENABLED": "false",
            "WORKER_QUERY_SECONDS": "1",
            "CLI_COLORS": "false",
        }
        found = clean_environment() | {f"PREFECT_{name}": text for name, text in settings.items()}
        return found | {"DO_NOT_TRACK": "1", "PATH": f"{self.path}{found['PATH']}"}

    @property
    def python(self) -> Path:
        return self.folder / "env" / "bin" / "python"

    def run(self, *command: str) -> str:
        """Return what a command of Prefect prints."""
        return subprocess.check_output(
            [self.python.with_name("prefect"), *command], env=self.own, stderr=subprocess.STDOUT, text=True, timeout=120
        )

    def start(self, name: str, *command: str) -> None:
        """Start a part, whose output is in a file."""
        program = [self.python.with_name("prefect"), *command]
        self.processes[name] = start(program, self.folder / f"{name}.output", self.own, self.folder)

    def go_away(self) -> None:
        """Let the server end, as for an update; the worker and its runs go on."""
        self.stop("server")

    def come_back(self) -> None:
        """Start the server, which knows what it knew."""
        self.start("server", "server", "start", "--host", "127.0.0.1", "--port", str(self.port))
        self.wait(lambda: self.ask("health"))

    def start_worker(self) -> None:
        """Start a worker, and return when the server has heard of it."""
        self.start("worker", "worker", "start", "--pool", POOL, "--type", "process")
        self.wait(lambda: self.ask(f"work_pools/{POOL}")["status"] == "READY")

    def ask(self, path: str, body: object = None) -> Any:
        """Return what the API answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self, name: str) -> None:
        """End a part that this server started."""
        end(self.processes.pop(name))

    def wait(self, holds: Any) -> None:
        """Return when something holds."""
        for _ in range(300):
            try:
                if holds():
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.2)
        logs = [each.read_text(errors="replace")[-2000:] for each in sorted(self.folder.glob("*.output"))]
        raise AssertionError("\n".join(["Prefect is not up within a minute", *logs]))


def missing() -> str:
    """What is needed and not here; Prefect itself is installed for each run of the tests."""
    return "" if shutil.which("uv") else "uv"


def day() -> str:
    """The day whose newest versions are tested."""
    return str(yaml.safe_load((TEMPLATE / "extensions" / "tested.yml").read_text(encoding="utf-8"))["day"])


def install(folder: Path) -> None:
    """Install Prefect into an environment of its own, or skip the test with the reason."""
    for command in (
        ["uv", "venv", "--quiet", "--python", "3.11", str(folder)],
        ["uv", "pip", "install", "--quiet", "--python", str(folder), "--exclude-newer", day(), *REQUIREMENTS],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"Prefect cannot be installed: {done.stderr.strip().splitlines()[-1]}")


@contextmanager
def serve(folder: Path, path: str = "") -> Iterator[Server]:
    """Run Prefect until the block ends.

    Args:
        folder: What it may write to.
        path: Folders of programs that come first for the worker, each with a colon at its end.
    """
    install(folder / "env")
    found = Server(folder, free_port(), path)
    try:
        found.come_back()
        found.run("work-pool", "create", "--type", "process", POOL)
        found.start_worker()
        yield found
    finally:
        for name in reversed(list(found.processes)):
            found.stop(name)
