"""The programs that talk to the cluster: `argo` if it is installed, otherwise `kubectl`. They have your login."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from typing import Any, Protocol

from copier_mlops.command import CommandError, run
from copier_mlops.pipeline.engines import EngineAwayError, EngineError
from copier_mlops.pipeline.engines.argo_manifest import STAGE

KIND, CRON = "workflows.argoproj.io", "cronworkflows.argoproj.io"
SECONDS_TO_ANSWER = 60
# Parts of what the programs print if the cluster does not answer.
AWAY = (
    "connection to the server",
    "unable to connect to the server",
    "connection refused",
    "connection reset",
    "connection error",
    "i/o timeout",
    "tls handshake timeout",
    "no such host",
    "serviceunavailable",
    "unable to handle the request",
    "deadline exceeded",
    "did not end within",
    "etcdserver",
)
FIXES = {
    "is not installed": "install kubectl, or argo, the command of Argo Workflows",
    "no matches for kind": "install Argo Workflows in the cluster",
    "resource type": "install Argo Workflows in the cluster",
    "unauthorized": "log in to the cluster, then look: kubectl auth whoami",
    "unauthenticated": "log in to the Argo server, and set ARGO_TOKEN",
    "forbidden": "kubectl auth can-i --list, and see operation/configuration/engines/argo_access.yaml",
    "namespaces": "correct namespace in operation/configuration/engines/argo.yaml",
}


class Client(Protocol):
    """A program that talks to the cluster. Each call may raise EngineError, or EngineAwayError if nobody answers."""

    def create(self, manifest: str) -> None:
        """Create a workflow from YAML."""

    def get(self, name: str) -> dict[str, Any] | None:
        """Return a workflow with the states of its stages; None if the cluster does not have it."""

    def log(self, name: str, slug: str) -> str:
        """Return what the last attempt of a stage has printed."""

    def stop(self, name: str) -> None:
        """End the pods of a workflow."""

    def delete(self, name: str) -> None:
        """Delete a workflow and its pods."""

    def shown(self, name: str) -> str:
        """Return a command that shows a workflow."""


def client(namespace: str) -> Client:
    """Return the program that is installed, for a namespace; an empty one is that of your kubectl."""
    return Argo(namespace) if shutil.which("argo") else Kubectl(namespace)


class Kubectl:
    """The program `kubectl`."""

    def __init__(self, namespace: str) -> None:
        """Take the namespace."""
        self.options = [f"--namespace={namespace}"] if namespace else []

    def create(self, manifest: str) -> None:
        self._run("create", "--filename=-", typed=manifest)

    def get(self, name: str) -> dict[str, Any] | None:
        printed = self._run("get", KIND, name, "--ignore-not-found", "--output=json")
        return _document(printed) if printed else None

    def log(self, name: str, slug: str) -> str:
        chosen = f"--selector=workflows.argoproj.io/workflow={name},{STAGE}={slug}"
        pods = self._run("get", "pods", chosen, "--sort-by=.metadata.creationTimestamp", "--output=name").split()
        return self._run("logs", pods[-1], "--container=main") if pods else ""

    def stop(self, name: str) -> None:
        patch = json.dumps({"spec": {"shutdown": "Stop"}})
        self._run("patch", KIND, name, "--type=merge", f"--patch={patch}")

    def delete(self, name: str) -> None:
        self._run("delete", KIND, name, "--ignore-not-found")

    def shown(self, name: str) -> str:
        return " ".join(["kubectl", "get", KIND, name, *self.options])

    def apply(self, manifests: str) -> None:
        """Create objects, or change those that are there."""
        self._run("apply", "--filename=-", typed=manifests)

    def delete_schedule(self, name: str) -> None:
        """Delete a CronWorkflow, if the cluster has it."""
        self._run("delete", CRON, name, "--ignore-not-found")

    def _run(self, *words: str, typed: str = "") -> str:
        return _call("kubectl", *words, *self.options, typed=typed)


class Argo:
    """The program `argo`, which may also talk to an Argo server, as ARGO_SERVER says."""

    def __init__(self, namespace: str) -> None:
        """Take the namespace."""
        self.options = [f"--namespace={namespace}"] if namespace else []

    def create(self, manifest: str) -> None:
        self._run("submit", "-", "--output=name", typed=manifest)

    def get(self, name: str) -> dict[str, Any] | None:
        try:
            return _document(self._run("get", name, "--output=json"))
        except EngineAwayError:
            raise
        except EngineError as error:
            if re.search(rf'"{re.escape(name)}" not found|code = NotFound', str(error)):
                return None
            raise

    def log(self, name: str, slug: str) -> str:
        lines = self._run("logs", name, f"--selector={STAGE}={slug}", "--no-color").splitlines()
        # Each line begins with its pod. Attempts follow each other, so the last line is one of the last attempt.
        parts = [line.partition(": ") for line in lines]
        return "\n".join(text for pod, _, text in parts if pod == parts[-1][0])

    def stop(self, name: str) -> None:
        self._run("stop", name)

    def delete(self, name: str) -> None:
        self._run("delete", name)

    def shown(self, name: str) -> str:
        return " ".join(["argo", "get", name, *self.options])

    def _run(self, *words: str, typed: str = "") -> str:
        return _call("argo", *words, *self.options, typed=typed)


def _document(printed: str) -> dict[str, Any]:
    """Read a workflow; Argo packs the states of a large one."""
    found: dict[str, Any] = json.loads(printed)
    status = found.setdefault("status", {})
    if packed := status.get("compressedNodes"):
        status["nodes"] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return found


def _call(program: str, *words: str, typed: str = "") -> str:
    """Run a program.

    Raises:
        EngineAwayError: The cluster does not answer.
        EngineError: The program is missing, or the cluster refused; the text is its own.
    """
    try:
        return run(program, *words, timeout=SECONDS_TO_ANSWER, typed=typed)
    except CommandError as error:
        said = " ".join(str(error).split())
        lower = said.lower()
        if any(text in lower for text in AWAY):
            raise EngineAwayError(f"the cluster does not answer: {said}\n  fix: kubectl cluster-info") from None
        fix = next((fix for text, fix in FIXES.items() if text in lower), f"{program} {words[0]} --help")
        if "is not installed" in lower:
            raise EngineError(f"{said}\n  fix: {fix}") from None
        raise EngineError(f"the cluster refused: {said}\n  fix: {fix}") from None
