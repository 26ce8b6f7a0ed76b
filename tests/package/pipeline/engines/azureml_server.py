"""A stand-in for Azure Machine Learning: its REST APIs on this machine, which run stages as subprocesses.

A stage gets a fresh copy of the uploaded code, and only the variables of environment and job. What is not known here is
refused: a path, a field of a body, a binding, or a request without login.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.package.pipeline.engines import certificate

SUBSCRIPTION, GROUP, WORKSPACE = "11111111-2222-3333-4444-555555555555", "ml-team", "credit-workspace"
ROOT = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"
)
ENDED = ("Completed", "Failed", "Canceled")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
BINDING = re.compile(r"\$\{\{parent\.jobs\.(\w+)\.outputs\.(\w+)\}\}")
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
ASSET = {"isAnonymous", "isArchived", "properties", "tags"}
FIELDS = {
    "environment": ASSET | {"image"},
    "code": ASSET | {"codeUri"},
    "component": ASSET | {"componentSpec"},
    "specification": {
        *("name", "version", "type", "display_name", "is_deterministic", "_source"),
        *("command", "code", "environment", "resources", "inputs", "outputs"),
    },
    "job": {
        *("jobType", "displayName", "experimentName", "tags", "properties", "isArchived"),
        *("identity", "settings", "jobs", "inputs", "outputs"),
    },
    "settings": {"continue_on_step_failure", "force_rerun", "_source"},
    "node": {
        *("name", "type", "display_name", "_source", "componentId", "computeId"),
        *("inputs", "outputs", "limits", "resources", "environment_variables"),
    },
    "limits": {"timeout", "job_limits_type"},
    "resources": {"shm_size"},
    "schedule": {"properties", "tags", "action", "trigger", "isEnabled"},
    "action": {"actionType", "jobDefinition"},
    "trigger": {"triggerType", "expression", "timeZone"},
}


class RefusedError(Exception):
    """Something that Azure would refuse, or that this server does not know; with a status of HTTP."""

    def __init__(self, said: str, status: int = 400, code: str = "UserError") -> None:
        super().__init__(said)
        self.status, self.code = status, code


def known(what: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return fields, of which each has to be known."""
    if unknown := found.keys() - FIELDS[what]:
        raise RefusedError(f"unknown field in {what}: {', '.join(sorted(unknown))}")
    return found


def seconds(duration: str) -> int:
    """Return the seconds of a duration of ISO 8601, for example 90 for `PT1M30S`."""
    days, hours, minutes, rest = (int(each or 0) for each in DURATION.fullmatch(duration).groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


@dataclass
class Child:
    """The job of a stage."""

    name: str
    key: str
    shown: str
    status: str = "NotStarted"
    error: str = ""


@dataclass
class Server:
    """A workspace.

    Attributes:
        folder: Where the copies of stages and their logs are.
        environments: The variables of each image, or of each environment by `NAME:VERSION`.
        computes: The computes of the workspace.
        roles: Whether the login has a role in the workspace.
        closed: Whether its store gives nothing to this machine.
        lag: Seconds from the end of the last stage to that of the job.
    """

    folder: Path
    environments: dict[str, dict[str, str]]
    computes: set[str] = field(default_factory=lambda: {"cpu-cluster", "gpu-cluster"})
    roles: bool = True
    closed: bool = False
    lag: float = 0
    port: int = 0
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    confirmed: dict[str, dict[str, str]] = field(default_factory=dict)
    children: dict[str, dict[str, Child]] = field(default_factory=dict)
    processes: dict[str, list[subprocess.Popen]] = field(default_factory=dict)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    listener: ThreadingHTTPServer | None = None
    tokens: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        """Write the certificate, and begin to give tokens, as a managed identity does."""
        self.bundle = self.folder / "certificate.pem"
        self.context = certificate.write(self.bundle)
        self.tokens = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        threading.Thread(target=self.tokens.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a process sets to talk to this server in the place of Azure, and to be logged in there."""
        return {
            "ARM_CLOUD_METADATA_URL": f"{self.url}/metadata/endpoints",
            "REQUESTS_CA_BUNDLE": str(self.bundle),
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.tokens.server_address[1]}/token",
            "IDENTITY_HEADER": "header",
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            # Nothing else is reached.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
            "ENGINE_AZUREML_SUBSCRIPTION": SUBSCRIPTION,
            "ENGINE_AZUREML_RESOURCE_GROUP": GROUP,
            "ENGINE_AZUREML_WORKSPACE": WORKSPACE,
        }

    def come_back(self) -> None:
        """Listen, on the same port as before."""
        self.listener = ThreadingHTTPServer(("127.0.0.1", self.port), handler(self))
        self.listener.socket = self.context.wrap_socket(self.listener.socket, server_side=True)
        self.port = self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def go_away(self) -> None:
        """Answer no more; stages go on."""
        assert self.listener
        self.listener.shutdown()
        self.listener.server_close()

    def end(self) -> None:
        """Answer no more, and give no tokens."""
        self.go_away()
        self.tokens.shutdown()
        self.tokens.server_close()

    def get(self, path: str) -> dict[str, Any]:
        try:
            return self.objects[path]
        except KeyError:
            raise RefusedError(f"{path.removeprefix(ROOT)} was not found", 404, "NotFound") from None

    def put(self, path: str, properties: dict[str, Any]) -> dict[str, Any]:
        self.objects[path] = {"id": path, "name": path.rpartition("/")[2], "type": "test", "properties": properties}
        return self.objects[path]

    def start(self, path: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Create a pipeline job, and begin."""
        name = path.rpartition("/")[2]
        if path in self.objects or not NAME.fullmatch(name):
            raise RefusedError(f"{name} is taken, or not a name of a job")
        self.check(properties)
        studio = {"jobServiceType": "Studio", "endpoint": f"https://ml.example.org/runs/{name}?wsid={ROOT}"}
        job = self.put(path, properties | {"status": "NotStarted", "services": {"Studio": studio}})
        self.children[name] = {
            key: Child(str(uuid.uuid4()), key, node.get("display_name", key))
            for key, node in properties["jobs"].items()
        }
        threading.Thread(target=self.control, args=(name, properties), daemon=True).start()
        return job

    def check(self, properties: dict[str, Any]) -> None:
        """Refuse a job that Azure cannot run, or with anything that is not known here."""
        known("settings", known("job", properties)["settings"])
        if properties["settings"]["force_rerun"] is not True:
            raise RefusedError("results may be those of another run")
        nodes = properties["jobs"]
        for key, node in nodes.items():
            known("limits", known("node", node).get("limits", {}))
            specification = self.specification(node)
            known("resources", node.get("resources", {}) | specification.get("resources", {}))
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", key) or node["type"] != "command":
                raise RefusedError(f"{key} is not the name of a command")
            self.get(specification["code"].removeprefix("azureml:"))
            self.image(specification)
            self.compute(node["computeId"].rpartition("/")[2])
            if node.get("inputs", {}).keys() != specification.get("inputs", {}).keys():
                raise RefusedError(f"{key} has other inputs than its component")
            for need, output in self.needs(node):
                if output not in self.specification(nodes[need]).get("outputs", {}):
                    raise RefusedError(f"{key} waits for {need}.{output}, which nothing writes")
        done: set[str] = set()
        while ready := {
            key for key in nodes if key not in done and {each for each, _ in self.needs(nodes[key])} <= done
        }:
            done |= ready
        if done != nodes.keys():
            raise RefusedError("a cycle")

    def specification(self, node: dict[str, Any]) -> dict[str, Any]:
        return self.get(node["componentId"])["properties"]["componentSpec"]

    def needs(self, node: dict[str, Any]) -> list[tuple[str, str]]:
        """Return the nodes, each with an output, that a node waits for."""
        return [BINDING.fullmatch(each["value"]).groups() for each in node.get("inputs", {}).values()]

    def image(self, specification: dict[str, Any]) -> dict[str, str]:
        """Return the variables of an environment."""
        path = specification["environment"].removeprefix("azureml:")
        *_, name, _, version = path.split("/")
        image = self.objects[path]["properties"]["image"] if path in self.objects else f"{name}:{version}"
        if image not in self.environments:
            raise RefusedError(f"the environment {image} was not found", 404, "NotFound")
        return self.environments[image]

    def compute(self, name: str) -> dict[str, Any]:
        if name not in self.computes:
            raise RefusedError(f"the compute {name} was not found", 404, "ResourceNotFound")
        properties = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": {}}
        return {"id": f"{ROOT}/computes/{name}", "name": name, "location": "test", "properties": properties}

    def schedule(self, path: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Keep a schedule."""
        action, trigger = known("schedule", properties)["action"], known("trigger", properties["trigger"])
        self.check(known("action", action)["jobDefinition"])
        if len(trigger["expression"].split()) != 5 or (action["actionType"], trigger["triggerType"]) != (
            "CreateJob",
            "Cron",
        ):
            raise RefusedError("not a schedule of a job")
        return self.put(path, properties | {"isEnabled": properties.get("isEnabled", True)})

    def tick(self, name: str) -> str:
        """Start what a schedule starts at its time, and return the name of the job."""
        found = self.get(f"{ROOT}/schedules/{name}")["properties"]
        assert found["isEnabled"]
        job = f"{name}-{uuid.uuid4().hex[:8]}"
        self.start(f"{ROOT}/jobs/{job}", found["action"]["jobDefinition"])
        return job

    def status(self, name: str, status: str = "") -> str:
        """Return the state of a job, which may be set."""
        properties = self.get(f"{ROOT}/jobs/{name}")["properties"]
        properties["status"] = status or properties["status"]
        return properties["status"]

    def control(self, name: str, properties: dict[str, Any]) -> None:
        """Run each stage as soon as those that it needs have succeeded; a failure ends its branch only."""
        self.status(name, "Running")
        nodes, children = properties["jobs"], self.children[name]
        threads: list[threading.Thread] = []
        while not all(each.status in ("Skipped", *ENDED) for each in children.values()):
            for key, child in children.items():
                needed = [children[need].status for need, _ in self.needs(nodes[key])]
                if child.status == "NotStarted" and self.status(name) == "CancelRequested":
                    child.status = "Canceled"
                if child.status == "NotStarted" and any(each in ("Failed", "Canceled", "Skipped") for each in needed):
                    child.status = "Skipped"
                if child.status == "NotStarted" and all(each == "Completed" for each in needed):
                    child.status = "Running"
                    threads.append(threading.Thread(target=self.run, args=(name, nodes[key], child), daemon=True))
                    threads[-1].start()
            time.sleep(0.05)
        time.sleep(self.lag)
        failed = any(each.status != "Completed" for each in children.values())
        is_cancelled = self.status(name) == "CancelRequested"
        self.status(name, "Canceled" if is_cancelled else "Failed" if failed else "Completed")

    def run(self, name: str, node: dict[str, Any], child: Child) -> None:
        """Run the command of a stage."""
        try:
            code = self.command(name, node, child)
            child.status = "Completed" if code == 0 else "Failed"
            if code and not child.error:
                child.error = f"Execution failed. User process exited with status code {code}."
            if self.status(name) == "CancelRequested" and code:
                child.status = "Canceled"
        except Exception as error:
            self.faults.append(f"{child.key}: {error!r}")
            child.status, child.error = "Failed", str(error)

    def command(self, name: str, node: dict[str, Any], child: Child) -> int:
        """Run the command of a stage in a copy of its code, and return the exit code."""
        specification = self.specification(node)
        command = specification["command"]
        for output in specification.get("outputs", {}):
            place = self.output(name, child.key, output)
            place.mkdir(parents=True)
            command = command.replace(f"${{{{outputs.{output}}}}}", str(place))
        assert "${{" not in command, command
        for need, output in self.needs(node):  # Azure fails to give an output that has no file
            assert any(self.output(name, need, output).iterdir()), f"{need} has written nothing"
        tracker = f"azureml://test.api.azureml.ms/mlflow/v1.0{ROOT}"  # which needs a plugin of MLflow
        own = {"AZUREML_RUN_ID": child.name, "AZUREML_ROOT_RUN_ID": name}
        own |= {"MLFLOW_TRACKING_URI": tracker, "MLFLOW_RUN_ID": child.name, "MLFLOW_EXPERIMENT_NAME": "e"}
        environment = self.image(specification) | node.get("environment_variables", {}) | own
        tree = self.folder / child.name
        self.unpack(self.get(specification["code"].removeprefix("azureml:")), tree)
        self.nodes.append(node)
        with (self.folder / f"{child.name}.log").open("wb") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", command],
                cwd=tree,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.setdefault(name, []).append(process)
        try:
            code = process.wait(timeout=seconds(node["limits"]["timeout"]))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code, child.error = process.wait(), "Job execution exceeded its timeout"
        shutil.rmtree(tree)
        return code

    def output(self, name: str, key: str, output: str) -> Path:
        return self.folder / "outputs" / name / key / output

    def unpack(self, code: dict[str, Any], tree: Path) -> None:
        """Write the files of an uploaded folder; a store of objects keeps no modes."""
        start = urlsplit(code["properties"]["codeUri"]).path + "/"
        files = {unquote(name).removeprefix(start): each for name, each in self.blobs.items() if name.startswith(start)}
        assert files, f"{start} has no files"
        for name, content in files.items():
            assert ".." not in PurePosixPath(name).parts
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)

    def cancel(self, name: str) -> None:
        if self.status(name) in ENDED:
            raise RefusedError("the job has ended")
        self.status(name, "CancelRequested")
        for process in self.processes.get(name, []):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)

    def shown(self, name: str) -> list[dict[str, Any]]:
        """Return the runs below a job; Azure has none for a stage that did not come to its turn."""
        return [
            {"runId": each.name, "displayName": each.shown, "status": each.status, "experimentId": "e"}
            for each in self.children[name].values()
            if each.status not in ("NotStarted", "Skipped")
        ]

    def details(self, name: str) -> dict[str, Any]:
        """Return what the history says of a run: the addresses of its logs, and why it failed."""
        found = next((each for job in self.children.values() for each in job.values() if each.name == name), None)
        if found is None:
            error = self.get(f"{ROOT}/jobs/{name}").get("error", "")
            return {"runId": name, "status": self.status(name), "error": {"error": {"message": error}}, "logFiles": {}}
        log = self.folder / f"{name}.log"
        if log.is_file():
            self.blobs[f"/account/logs/{name}"] = log.read_bytes()
        files = {"user_logs/std_log.txt": f"{self.url}/account/logs/{name}?sig=1"} if log.is_file() else {}
        return {
            "runId": name,
            "status": found.status,
            "logFiles": files | {"system_logs/lifecycler.log": f"{self.url}/account/logs/none?sig=1"},
            "error": {"error": {"message": found.error}} if found.error else None,
        }


def token(audience: str) -> str:
    """Return a token as clients read it; nobody has signed it."""
    parts = ({"alg": "none"}, {"aud": audience, "tid": "directory"}, "unsigned")
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts)


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    """Return what answers the requests to a server."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            """Say nothing."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers: dict[str, str] = {}
            try:
                if parts.path.startswith("/account/"):
                    status, found, headers = blob(server, self.command, parts.path, query, body, dict(self.headers))
                else:
                    login = self.headers.get("Authorization") or self.headers.get("X-IDENTITY-HEADER") or ""
                    status, found = 200, route(server, self.command, parts.path, query, body, login)
            except RefusedError as error:
                status, found = error.status, {"error": {"code": error.code, "message": str(error)}}
            except Exception as error:  # a fault of the test, which it shows
                server.faults.append(f"{self.command} {self.path}: {error!r}")
                status, found = 500, {"error": {"code": "Fault", "message": repr(error)}}
            text = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(text))} | headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815

    return Handler


def blob(
    server: Server, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
) -> tuple[int, bytes, dict[str, str]]:
    """Answer as a store of blobs does to an address with a signature."""
    if "sig" not in query or server.closed:
        return 403, b"", {"x-ms-error-code": "AuthenticationFailed"}
    match method, query.get("comp"):
        case "PUT", None:
            assert headers["x-ms-blob-type"] == "BlockBlob"
            server.blobs[path] = body
            return 201, b"", {"ETag": '"1"'}
        case "PUT", "metadata":
            found = {name.lower(): value for name, value in headers.items() if name.lower().startswith("x-ms-meta-")}
            server.confirmed[path] = found
            return 200, b"", {"ETag": '"1"'}
        case (("HEAD" | "GET"), None):
            if path not in server.blobs:
                return 404, b"", {"x-ms-error-code": "BlobNotFound"}
            content, kind = (
                server.blobs[path],
                {"Content-Type": "application/octet-stream", "x-ms-blob-type": "BlockBlob"},
            )
            if method == "HEAD":
                return 200, b"", kind | server.confirmed.get(path, {})
            if not content:
                return (416, b"", {"x-ms-error-code": "InvalidRange"}) if "x-ms-range" in headers else (200, b"", kind)
            return 206, content, kind | {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}", "ETag": '"1"'}
    raise RefusedError(f"{method} {path} {query} is not known", 404)


def route(server: Server, method: str, path: str, query: dict[str, str], body: bytes, login: str) -> Any:
    """Return the answer to a request; one of another path than these is refused."""
    if path == "/metadata/endpoints":
        login_at = {"loginEndpoint": server.url, "audiences": [server.url]}
        ends = {"resourceManager": f"{server.url}/", "authentication": login_at, "suffixes": {"storage": "invalid"}}
        return [{"name": "TestCloud", "portal": "https://portal.test.invalid"} | ends]
    if path == "/token":
        audience, until = query["resource"], str(int(time.time()) + 3600)
        return {"access_token": token(audience), "expires_on": until, "resource": audience, "token_type": "Bearer"}
    if path == "/discovery":
        return {"api": server.url, "history": server.url}
    if login != f"Bearer {token(server.url)}":
        raise RefusedError("the token is missing, or for something else", 401, "InvalidAuthenticationToken")
    if not server.roles:
        raise RefusedError("the client does not have authorization to perform action", 403, "AuthorizationFailed")
    if path == ROOT and method == "GET":
        properties = {"discoveryUrl": f"{server.url}/discovery", "workspaceId": "w"}
        return {"id": ROOT, "name": WORKSPACE, "location": "test", "properties": properties}
    if path.startswith(f"/history/v1.0{ROOT}/runs/") and method == "GET":
        name, _, what = path.removeprefix(f"/history/v1.0{ROOT}/runs/").partition("/")
        return {"children": lambda: {"value": server.shown(name)}, "details": lambda: server.details(name)}[what]()
    if not path.startswith(f"{ROOT}/"):
        raise RefusedError(f"the resource {path} was not found", 404, "ResourceNotFound")
    kind, name, *rest = path.removeprefix(f"{ROOT}/").split("/")
    properties = json.loads(body)["properties"] if method == "PUT" else {}
    match method, kind, rest:
        case "GET", "computes", []:
            return server.compute(name)
        case "PUT", "environments", ["versions", _]:
            return server.put(path, known("environment", properties))
        case "GET", "codes", ["versions"]:
            codes = [each for each in server.objects.values() if "codeUri" in each["properties"]]
            same = [each for each in codes if each["properties"]["properties"]["hash_sha256"] == query["hash"]]
            return {"value": same}
        case "POST", "codes", ["versions", "1", "startPendingUpload"]:
            address = f"{server.url}/account/{name}"
            credential = {"credentialType": "SAS", "sasUri": f"{address}?sig=1"}
            reference = {"blobUri": address, "storageAccountArmId": "account", "credential": credential}
            return {"blobReferenceForConsumption": reference, "pendingUploadType": "TemporaryBlobReference"}
        case "PUT", "codes", ["versions", "1"]:
            return server.put(path, known("code", properties))
        case "PUT", "components", ["versions", _]:
            known("specification", known("component", properties)["componentSpec"])
            return server.put(path, properties)
        case "PUT", "jobs", []:
            return server.start(path, properties)
        case "POST", "jobs", ["cancel"]:
            server.cancel(name)
            return {}
        case "PUT", "schedules", []:
            return server.schedule(path, properties)
        case "GET", ("jobs" | "schedules"), []:
            return server.get(path)
        case "GET", "codes", ["versions", "1"]:
            return server.get(path)
    raise RefusedError(f"{method} {path} is not known", 404, "NotFound")
