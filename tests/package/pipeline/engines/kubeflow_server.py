"""A stand-in for Kubeflow Pipelines: its REST API on this machine, which runs pods as subprocesses.

A pod gets a fresh copy of the tree of its image, without git, and only the variables of image and pipeline. What is not
known here is refused: a path, a field of a body, or a field of a pipeline.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

ENDED = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
FIELDS = {
    "experiment": {"display_name", "namespace"},
    "pipeline object": {"display_name", "namespace"},
    "run": {"experiment_id", "display_name", "description", "pipeline_spec", "service_account"},
    "recurring run": {
        "display_name",
        "experiment_id",
        "pipeline_version_reference",
        "runtime_config",
        "trigger",
        "mode",
        "max_concurrency",
        "no_catchup",
        "service_account",
    },
    "document": {"pipeline_spec", "platform_spec"},
    "pipeline": {"components", "deploymentSpec", "pipelineInfo", "root", "schemaVersion", "sdkVersion"},
    "task": {"cachingOptions", "componentRef", "dependentTasks", "retryPolicy", "taskInfo"},
    "retryPolicy": {"maxRetryCount", "backoffDuration"},
    "container": {"command", "env", "image", "resources"},
    "resources": {
        "cpuLimit",
        "cpuRequest",
        "resourceCpuLimit",
        "resourceCpuRequest",
        "memoryLimit",
        "memoryRequest",
        "resourceMemoryLimit",
        "resourceMemoryRequest",
        "accelerator",
    },
    "pod": {
        "activeDeadlineSeconds",
        "emptyDirMounts",
        "secretAsEnv",
        "imagePullSecret",
        "pvcMount",
        "nodeSelector",
        "tolerations",
    },
}


class RefusedError(Exception):
    """Something that the server would refuse, or that this one does not know; with a status of HTTP."""

    def __init__(self, said: str, status: int = 400) -> None:
        super().__init__(said)
        self.status = status


def known(what: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return fields, of which each has to be known."""
    if unknown := found.keys() - FIELDS[what]:
        raise RefusedError(f"unknown field in {what}: {', '.join(sorted(unknown))}")
    return found


def check(document: dict[str, Any]) -> None:
    """Refuse a pipeline with a field that is not known, or a task that is not whole."""
    spec = known("pipeline", known("document", document)["pipeline_spec"])
    executors = spec["deploymentSpec"]["executors"]
    pods = document["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    if executors.keys() != pods.keys():
        raise RefusedError("the executors of pipeline and platform differ")
    for name, executor in executors.items():
        known("resources", known("container", executor["container"]).get("resources", {}))
        known("pod", pods[name])
    tasks = spec["root"]["dag"]["tasks"]
    for name, task in tasks.items():
        known("retryPolicy", known("task", task).get("retryPolicy", {}))
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name) or task["taskInfo"] != {"name": name}:
            raise RefusedError(f"{name!r} is not a name of a task")
        if spec["components"][task["componentRef"]["name"]]["executorLabel"] not in executors:
            raise RefusedError(f"{name} has no executor")
        if missing := set(task.get("dependentTasks", [])) - tasks.keys():
            raise RefusedError(f"{name} needs {', '.join(missing)}")


@dataclass
class Task:
    """A task of a run, and the pods of its attempts."""

    name: str
    state: str = "PENDING"
    error: str = ""
    pods: list[str] = field(default_factory=list)


@dataclass
class Server:
    """What the server keeps.

    Attributes:
        folder: Where pods and their logs are.
        unpack: Writes the files of an image into the folder of a pod, from its name.
        environment: The variables of the image.
        secrets: Variables by the names of secrets.
        token: The login; empty if everybody may ask.
        seconds_to_end: How long a run goes on after its last task.
    """

    folder: Path
    unpack: Callable[[str, Path], None]
    environment: dict[str, str]
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    token: str = ""
    seconds_to_end: float = 0.0
    port: int = 0
    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    tasks: dict[str, dict[str, Task]] = field(default_factory=dict)
    processes: dict[str, list[subprocess.Popen]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    listener: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def come_back(self) -> None:
        """Listen, on the same port as before."""
        self.listener = ThreadingHTTPServer(("127.0.0.1", self.port), handler(self))
        self.port = self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def go_away(self) -> None:
        """Answer no more; pods go on."""
        assert self.listener
        self.listener.shutdown()
        self.listener.server_close()

    def add(self, kind: str, key: str, document: dict[str, Any]) -> dict[str, Any]:
        number = str(uuid.uuid4())
        made = document | {key: number, "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        self.objects.setdefault(kind, {})[number] = made
        return made

    def find(self, kind: str, query: dict[str, str], **same: str) -> list[dict[str, Any]]:
        """Return the objects of a name, the newest first."""
        wanted = dict(same)
        for each in json.loads(query.get("filter") or "{}").get("predicates", []):
            if each.keys() != {"operation", "key", "stringValue"} or each["operation"] != "EQUALS":
                raise RefusedError(f"unknown predicate {each}")
            wanted[each["key"]] = each["stringValue"]
        found = [each for each in self.objects.get(kind, {}).values() if wanted.items() <= each.items()]
        return found[::-1]

    def get(self, kind: str, number: str) -> dict[str, Any]:
        try:
            return self.objects[kind][number]
        except KeyError:
            raise RefusedError(f"{kind} {number} not found", 404) from None

    def start(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a run, and begin."""
        document = known("run", body)["pipeline_spec"]
        self.get("experiment", body["experiment_id"])
        check(document)
        run = self.add("run", "run_id", body | {"state": "PENDING"})
        names = document["pipeline_spec"]["root"]["dag"]["tasks"]
        self.tasks[run["run_id"]] = {name: Task(name) for name in names}
        threading.Thread(target=self.control, args=(run,), daemon=True).start()
        return run

    def tick(self, name: str) -> dict[str, Any]:
        """Start what a recurring run starts at its time."""
        found = self.find("recurring run", {}, display_name=name)[0]
        version = self.get("version", found["pipeline_version_reference"]["pipeline_version_id"])
        own = {"experiment_id": found["experiment_id"], "display_name": f"{name}-1"}
        return self.start(own | {"pipeline_spec": version["pipeline_spec"]})

    def control(self, run: dict[str, Any]) -> None:
        """Run each task as soon as those that it needs have succeeded; a failure ends its branch only."""
        number, run["state"] = run["run_id"], "RUNNING"
        tasks, spec = self.tasks[number], run["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
        threads: list[threading.Thread] = []
        while not all(each.state in ENDED for each in tasks.values()):
            for name, task in tasks.items():
                needed = [tasks[each].state for each in spec[name].get("dependentTasks", [])]
                if task.state == "PENDING" and run["state"] == "CANCELING":
                    task.state = "SKIPPED"
                if task.state == "PENDING" and any(each in ("FAILED", "SKIPPED") for each in needed):
                    task.state = "SKIPPED"
                if task.state == "PENDING" and all(each == "SUCCEEDED" for each in needed):
                    task.state = "RUNNING"
                    threads.append(threading.Thread(target=self.attempt, args=(run, task), daemon=True))
                    threads[-1].start()
            time.sleep(0.05)
        time.sleep(self.seconds_to_end)
        failed = any(each.state != "SUCCEEDED" for each in tasks.values())
        run["state"] = "CANCELED" if run["state"] == "CANCELING" else "FAILED" if failed else "SUCCEEDED"

    def attempt(self, run: dict[str, Any], task: Task) -> None:
        """Run the pods of a task until one succeeds."""
        try:
            spec = run["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"][task.name]
            attempts = 1 + int(spec.get("retryPolicy", {}).get("maxRetryCount", 0))
            codes = (self.pod(run, task) for _ in range(attempts))
            task.state = "SUCCEEDED" if any(code == 0 for code in codes) else "FAILED"
        except Exception as error:
            self.faults.append(f"{task.name}: {error!r}")
            task.state, task.error = "FAILED", str(error)

    def pod(self, run: dict[str, Any], task: Task) -> int:
        """Run a pod, and return its exit code."""
        if run["state"] == "CANCELING":
            return 143
        pod = f"{run['run_id'][:8]}-{task.name}-{len(task.pods)}"
        task.pods.append(pod)
        label = f"exec-{task.name}"
        container = run["pipeline_spec"]["pipeline_spec"]["deploymentSpec"]["executors"][label]["container"]
        platform = run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]
        asked = platform["deploymentSpec"]["executors"][label]
        environment = dict(self.environment)
        for secret in asked.get("secretAsEnv", []):
            keys = self.secrets[secret["secretNameParameter"]["runtimeValue"]["constant"]]
            environment |= {each["envVar"]: keys[each["secretKey"]] for each in secret["keyToEnv"]}
        environment |= {each["name"]: each["value"] for each in container.get("env", [])}
        job = f"{run['pipeline_spec']['pipeline_spec']['pipelineInfo']['name']}-{run['run_id'][:5]}"
        command = [word.replace("{{$.pipeline_job_name}}", job) for word in container["command"]]
        tree = self.folder / pod
        self.unpack(container["image"], tree)
        with (self.folder / f"{pod}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=tree,
                env=environment,
                executable=shutil.which(command[0], path=environment["PATH"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.setdefault(run["run_id"], []).append(process)
        try:
            code = process.wait(timeout=int(asked["activeDeadlineSeconds"]))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code, task.error = process.wait(), "Pod was active on the node longer than the specified deadline"
        shutil.rmtree(tree)
        return code

    def terminate(self, number: str) -> None:
        run = self.get("run", number)
        if run["state"] in ENDED:
            raise RefusedError("the run has ended")
        run["state"] = "CANCELING"
        for process in self.processes.get(number, []):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)

    def shown(self, run: dict[str, Any]) -> dict[str, Any]:
        """Return a run with its tasks: each has a driver, which prepares it, and a pod for each attempt."""
        details = []
        for name, task in self.tasks[run["run_id"]].items():
            if task.state in ("PENDING", "SKIPPED") and not task.pods:
                if task.state == "SKIPPED":
                    details.append({"task_id": name, "display_name": name, "state": "SKIPPED"})
                continue
            children = [{"task_id": f"{name}-driver"}, *({"pod_name": each} for each in task.pods)]
            error = {"error": {"code": 13, "message": task.error}} if task.error else {}
            found = {"task_id": name, "display_name": name, "state": task.state, "child_tasks": children}
            driver = {"task_id": f"{name}-driver", "display_name": f"{name}-driver", "state": "SUCCEEDED"}
            details += [found | error, driver]
        return run | {"run_details": {"task_details": details}}


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    """Return what answers the requests to a server."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            """Say nothing."""

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            try:
                if server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
                    raise RefusedError("Request not authenticated", 401)
                status, found = 200, route(server, self.command, parts.path, query, body)
            except RefusedError as error:
                status, found = error.status, {"code": 3, "message": str(error)}
            except Exception as error:  # a fault of the test, which it shows
                server.faults.append(f"{self.command} {self.path}: {error!r}")
                status, found = 500, {"message": repr(error)}
            text = found.encode() if isinstance(found, str) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(found, str) else "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

    return Handler


def route(server: Server, method: str, path: str, query: dict[str, str], body: bytes) -> dict[str, Any] | str:
    """Return the answer to a request; one of another path than these is refused."""
    kind, number, *rest = [*path.removeprefix("/apis/v2beta1/").split("/"), ""]
    number, _, action = number.partition(":")
    match method, kind, bool(number), action:
        case "GET", "experiments", False, "":
            return {"experiments": server.find("experiment", query)}
        case "POST", "experiments", False, "":
            return server.add("experiment", "experiment_id", known("experiment", json.loads(body)))
        case "GET", "runs", False, "":
            return {"runs": server.find("run", query, experiment_id=query["experiment_id"])}
        case "POST", "runs", False, "":
            return server.start(json.loads(body))
        case "GET", "runs", True, "" if rest[:1] == ["nodes"]:
            file = server.folder / f"{rest[1]}.log"
            if not file.is_file() or rest[2] != "log":
                raise RefusedError("not found", 404)
            return file.read_text(encoding="utf-8")
        case "GET", "runs", True, "":
            return server.shown(server.get("run", number))
        case "POST", "runs", True, "terminate":
            server.terminate(number)
            return {}
        case "GET", "pipelines", False, "":
            return {"pipelines": server.find("pipeline", query)}
        case "GET", "pipelines", True, "" if rest[0] == "versions":
            return {"pipeline_versions": server.find("version", query, pipeline_id=number)}
        case "POST", "pipelines", False, "":
            return server.add("pipeline", "pipeline_id", known("pipeline object", json.loads(body)))
        case "POST", "pipelines", True, "" if number == "upload_version":
            return upload(server, query, body)
        case "GET", "recurringruns", False, "":
            return {"recurringRuns": server.find("recurring run", query, experiment_id=query["experiment_id"])}
        case "POST", "recurringruns", False, "":
            document = known("recurring run", json.loads(body))
            if len(document["trigger"]["cron_schedule"]["cron"].split()) != 6:
                raise RefusedError("a schedule has six fields")
            return server.add("recurring run", "recurring_run_id", document)
        case "DELETE", "recurringruns", True, "":
            del server.objects["recurring run"][number]
            return {}
    raise RefusedError(f"{method} {path} is not known", 404)


def upload(server: Server, query: dict[str, str], body: bytes) -> dict[str, Any]:
    """Keep a version of a pipeline; the body of the upload has one file."""
    start = body.index(b"\r\n\r\n") + 4
    text = body[start : body.rindex(b"\r\n--")].decode()
    spec, platform = yaml.safe_load_all(text)
    document = {"pipeline_spec": spec, "platform_spec": platform}
    check(document)
    server.get("pipeline", query["pipelineid"])
    own = {"display_name": query["name"], "pipeline_id": query["pipelineid"]}
    return server.add("version", "pipeline_version_id", own | {"pipeline_spec": document})
