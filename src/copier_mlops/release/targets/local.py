"""The target `local`: run the packaged service as a process of this machine, which stays when the command ends.

The new version is loaded once before the old one is stopped. If the new one does not answer, the old one is started
again. Only processes that this project started are ever stopped.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from copier_mlops.release import context, health, history, wheels
from copier_mlops.release.targets import Deployment, process
from copier_mlops.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

SECONDS = 60


def check(_: Settings) -> None:
    """Accept everything: this target reads only settings, which have types."""


def start(deployment: Deployment) -> None:
    """Replace the running service by the packaged one.

    Raises:
        SystemExit: Another program has the port, or the new service does not start. The old one keeps running.
    """
    old = process.found(history.service(deployment.client, deployment.settings))
    port = urlsplit(deployment.url).port or (443 if deployment.url.startswith("https") else 80)
    listens_on = address(deployment)
    if old is None or old["url"] != deployment.url:
        check_port(listens_on, port)
    folder = copy(deployment)
    variables = process.variables(deployment.settings.environment, listens_on, port)
    try_start(folder, variables, deployment.package["version"])
    if old:
        process.end(old)
    try:
        wanted = {"url": deployment.url, "version": deployment.package["version"], "variables": variables}
        launch(deployment, wanted | process.describe(folder))
    except SystemExit as error:
        if old is None:
            history.keep_service(deployment.client, deployment.settings, None)
            raise
        launch(deployment, old | {"pid": None, "created": None})
        raise SystemExit(f"{error}\n  version {old['version']} answers again") from None
    for place in (folder, process.code_of(folder)):
        for other in place.parent.iterdir():
            if other != place:
                shutil.rmtree(other, ignore_errors=True)


def address(deployment: Deployment) -> str:
    """Return the address on which the service listens: that of `url`, so that no other network reaches it.

    If the setting is made here, by OPERATION_BIND, or `url` is not this machine's (as behind a proxy), it is `bind`.
    """
    wanted = urlsplit(deployment.url).hostname
    if not wanted or "OPERATION_BIND" in os.environ:
        return deployment.settings.bind
    with socket.socket(socket.AF_INET6 if ":" in wanted else socket.AF_INET) as asked:
        try:
            asked.bind((wanted, 0))
        except OSError:
            return deployment.settings.bind
    return wanted


def is_running(settings: Settings, client: MlflowClient) -> bool:
    """Return whether the environment's process runs on this machine."""
    return process.found(history.service(client, settings)) is not None


def stop(settings: Settings, client: MlflowClient) -> None:
    """Stop the environment's process if it runs on this machine."""
    if known := process.found(history.service(client, settings)):
        process.end(known)
        history.keep_service(client, settings, None)


def check_port(address: str, port: int) -> None:
    """Check that the port is free.

    Raises:
        SystemExit: Another program has it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as asked:
        if sys.platform != "win32":  # on Windows, this would let two processes share it
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind((address, port))
        except OSError as error:
            raise SystemExit(
                f"deploy: port {port} is not free, and this project does not use it: {error.strerror}\n"
                "  fix: end that process, or give the environment another url in release.yaml"
            ) from None


def copy(deployment: Deployment) -> Path:
    """Copy the service to its own folder, which no later package overwrites while it runs."""
    name = f"{deployment.package['version']}-{deployment.package['context'][:12]}"
    folder = deployment.folder / "services" / name
    if not folder.is_dir() or context.digest(folder) != deployment.package["context"]:
        draft = folder.with_name(f"{name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(deployment.context, draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    # The same package may be running from this folder, so only files that differ are written.
    wheels.unpack(folder / "wheels", process.code_of(folder))
    return folder


def try_start(folder: Path, variables: dict[str, str], version: str) -> None:
    """Load the service once, without a port, while the old one still answers.

    Raises:
        SystemExit: It does not load.
    """
    command = [*process.COMMAND, "--check"]
    # Not by copier_mlops.command, which passes all variables: the service must not get our credentials.
    given = process.variables_of_process(folder, variables)
    tried = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
    if tried.returncode:
        raise SystemExit(
            f"deploy: version {version} does not start; nothing was changed. It says:\n"
            f"{process.tail(tried.stdout + tried.stderr)}"
        )


def launch(deployment: Deployment, wanted: dict[str, Any]) -> None:
    """Start a service, record its process, and wait until it answers.

    Raises:
        SystemExit: It ended, or did not answer in time and was stopped.
    """
    log = deployment.folder / "service.log"
    # Recorded before and after the start, so that the next deployment finds it even if this one is stopped here.
    history.keep_service(deployment.client, deployment.settings, wanted)
    started, known = process.launch(Path(wanted["folder"]), wanted["variables"], log)
    record = wanted | known
    history.keep_service(deployment.client, deployment.settings, record)
    wrong = health.wait(record["url"], record["version"], SECONDS, lambda: started.poll() is not None)
    if wrong:
        code = started.poll()
        process.end(record)
        reason = f"ended with {code}" if code is not None else f"does not answer at {record['url']}: {wrong}"
        written = process.tail(log.read_text(encoding="utf-8", errors="replace"))
        raise SystemExit(f"deploy: version {wanted['version']} {reason}. Its log ends with:\n{written}")
    print(f"deploy: version {wanted['version']} answers at {record['url']}, process {record['pid']}, log {log}")
