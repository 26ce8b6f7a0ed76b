"""A real Airflow on this machine, in an environment and a folder of its own: what `airflow standalone` starts.

Its processes are started one by one: without the log servers, which would listen on all addresses, and with an API
for tasks beside that for people, as large installations have it, so that the latter can go away for itself.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.processes import free_port, start
from tests.project import TEMPLATE
from tests.run.project import clean_environment

USERS = {"admin": "admin", "vera": "viewer"}
PARTS = {
    "api": ("api-server", "--apps", "core"),
    "tasks": ("api-server", "--apps", "execution"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dags": ("dag-processor",),
    "triggers": ("triggerer", "--skip-serve-logs"),
}


@dataclass
class Server:
    """The processes of Airflow, and the variables by which a project reaches them."""

    folder: Path
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['api']}"

    @property
    def dags(self) -> Path:
        return self.folder / "dags"

    @property
    def variables(self) -> dict[str, str]:
        """What a project sets to use it."""
        return {
            "ENGINE_AIRFLOW_URL": self.url,
            "ENGINE_AIRFLOW_DAGS_FOLDER": str(self.dags),
            "ENGINE_AIRFLOW_RETRY_DELAY": "1s",
            "AIRFLOW_USERNAME": "admin",
            "AIRFLOW_PASSWORD": "password-of-admin",
        }

    @property
    def own(self) -> dict[str, str]:
        """What its own processes get: among others, they look for DAG files and work more often than is usual."""
        settings = {
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_FOLDER": str(self.dags),
            "CORE__PARALLELISM": "4",
            "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.ports['tasks']}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.folder / "passwords.json"),
            "API__HOST": "127.0.0.1",
            "API__BASE_URL": self.url,
            "DAG_PROCESSOR__REFRESH_INTERVAL": "1",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
            "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        }
        named = {f"AIRFLOW__{name}": text for name, text in settings.items()}
        return clean_environment() | named | {"AIRFLOW_HOME": str(self.folder), "AIRFLOW_CONN_FS_DEFAULT": "fs://"}

    @property
    def python(self) -> Path:
        return self.folder / "env" / "bin" / "python"

    def run(self, *command: str) -> str:
        """Return what a command of Airflow prints."""
        return subprocess.check_output(
            [self.python.with_name("airflow"), *command], env=self.own, stderr=subprocess.STDOUT, text=True
        )

    def start(self, name: str) -> None:
        """Start a part, whose output is in a file."""
        port = self.ports.get(name)
        command = [self.python.with_name("airflow"), *PARTS[name], *(["--port", str(port)] if port else [])]
        self.processes[name] = start(command, self.folder / f"{name}.output", self.own)

    def go_away(self) -> None:
        """Let the API server end, as for an update; the others go on."""
        self.stop("api")

    def come_back(self) -> None:
        """Start the API server again."""
        self.start("api")

    def stop(self, *names: str) -> None:
        """End parts that this server started, with the workers that they have started."""
        ended = [self.processes.pop(name) for name in names]
        for process in ended:
            process.terminate()
        until = time.monotonic() + 10
        for process in ended:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(until - time.monotonic(), 0.1))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait(self) -> None:
        """Return when all of its parts are up."""
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=5) as answer:
                    is_up = all(each["status"] == "healthy" for each in json.load(answer).values())
                with socket.create_connection(("127.0.0.1", self.ports["tasks"]), timeout=5):
                    if is_up:
                        return
            except (OSError, ValueError):
                pass
            time.sleep(0.5)
        logs = [each.read_text(errors="replace")[-2000:] for each in sorted(self.folder.glob("*.output"))]
        raise AssertionError("\n".join(["Airflow is not up within two minutes", *logs]))


def missing() -> str:
    """What is needed and not here; Airflow itself is installed for each run of the tests."""
    return "" if shutil.which("uv") else "uv"


def install(folder: Path) -> None:
    """Install the version of its page into an environment of its own, or skip the test with the reason."""
    page = (TEMPLATE / "docs" / "how-to" / "engines" / "airflow.md").read_text(encoding="utf-8")
    (requirement,) = re.findall(r"^ *uv tool install .*(apache-airflow==\S+)$", page, re.MULTILINE)
    day = yaml.safe_load((TEMPLATE / "extensions" / "tested.yml").read_text(encoding="utf-8"))["day"]
    for line in (
        f"uv venv --quiet --python 3.11 {folder}",
        f"uv pip install --quiet --python {folder} --exclude-newer {day} {requirement}",
    ):
        done = subprocess.run(line.split(), capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"Airflow cannot be installed: {done.stderr.strip().splitlines()[-1]}")


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Run Airflow until the block ends."""
    install(folder / "env")
    found = Server(folder, {"api": free_port(), "tasks": free_port()})
    found.dags.mkdir()
    passwords = {user: f"password-of-{user}" for user in USERS}
    (folder / "passwords.json").write_text(json.dumps(passwords), encoding="utf-8")
    try:
        found.run("db", "migrate")
        for name in PARTS:
            found.start(name)
        found.wait()
        yield found
    finally:
        found.stop(*found.processes)
