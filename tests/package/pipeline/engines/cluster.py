"""A stand-in for a cluster with Argo Workflows: it keeps objects in a folder, and runs pods as subprocesses.

A pod gets a fresh copy of the tree of its image, without git, and only the variables of image and manifest. What is not
known here is refused: a field of a manifest, or a command of `kubectl` and `argo`, see `cluster_programs`.
"""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).resolve().parents[4]
PROGRAM = """\
#!{python}
import sys
sys.path.insert(0, {template!r})
from tests.package.pipeline.engines import cluster_programs
sys.exit(cluster_programs.main({folder!r}, {name!r}, sys.argv[1:]))
"""
FIELDS = {
    "metadata": {"name", "namespace", "labels", "annotations"},
    "spec": {
        "entrypoint",
        "serviceAccountName",
        "parallelism",
        "ttlStrategy",
        "securityContext",
        "imagePullSecrets",
        "nodeSelector",
        "volumes",
        "templates",
    },
    "template": {
        "name",
        "metadata",
        "activeDeadlineSeconds",
        "retryStrategy",
        "tolerations",
        "volumes",
        "container",
    },
    "container": {
        "image",
        "command",
        "env",
        "envFrom",
        "resources",
        "volumeMounts",
        "securityContext",
    },
    "task": {"name", "template", "depends"},
    "retryStrategy": {"limit", "retryPolicy"},
}
# The folder of the project in an image, which is its working directory.
WORKDIR = "app"
ENDED = ("Succeeded", "Failed", "Error", "Omitted")


class RefusedError(Exception):
    """Something that a cluster would refuse, or that this one does not know."""


def known(what: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return fields, of which each has to be known."""
    if unknown := found.keys() - FIELDS[what]:
        raise RefusedError(f"unknown field in {what}: {', '.join(sorted(unknown))}")
    return found


def equal(found: object, wanted: object) -> None:
    if found != wanted:
        raise RefusedError(f"{found!r} is not {wanted!r}")


@dataclass
class Image:
    """What an image has: the variables that it sets, and the files of the project.

    Attributes:
        environment: For example the PATH with the programs of the project's environment.
        tree: A folder; or, if it is a repository of git, the commit that a workflow names in it.
    """

    environment: dict[str, str]
    tree: str

    def unpack(self, folder: Path, commit: str) -> None:
        """Write the files into the folder of a pod."""
        if not (Path(self.tree) / ".git").exists():
            shutil.copytree(self.tree, folder, dirs_exist_ok=True)
            return
        packed = subprocess.check_output(["git", "archive", "--format=tar", commit], cwd=self.tree)
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")


class Cluster:
    """The objects of a namespace, each a file `KIND/NAME.json`, and what its pods have left."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which may be that of a cluster that is up."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def install(self, image: Image) -> Path:
        """Write the programs, and return their folder; any name of an image stands for this one."""
        self.write("image", "all", {"environment": image.environment, "tree": image.tree})
        programs = self.folder / "bin"
        programs.mkdir()
        for name in ("kubectl", "argo"):
            text = PROGRAM.format(python=sys.executable, template=str(TEMPLATE), folder=str(self.folder), name=name)
            (programs / name).write_text(text, encoding="utf-8")
            (programs / name).chmod(0o755)
        return programs

    def file(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{name}.json"

    def read(self, kind: str, name: str) -> dict[str, Any]:
        file = self.file(kind, name)
        if not file.is_file():
            raise RefusedError(f'Error from server (NotFound): {kind.lower()}s "{name}" not found')
        return json.loads(file.read_text(encoding="utf-8"))

    def write(self, kind: str, name: str, document: dict[str, Any]) -> None:
        file = self.file(kind, name)
        file.parent.mkdir(exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(document), encoding="utf-8")
        draft.replace(file)

    def create(self, document: dict[str, Any]) -> None:
        """Create a workflow, and start what runs it."""
        check(document)
        equal(document["kind"], "Workflow")
        name = document["metadata"]["name"]
        if self.file("Workflow", name).exists():
            raise RefusedError(f'Error from server (AlreadyExists): workflows.argoproj.io "{name}" already exists')
        self.write("Workflow", name, document)
        code = f"from tests.package.pipeline.engines import cluster; cluster.control({str(self.folder)!r}, {name!r})"
        with (self.folder / "controller.log").open("ab") as log:
            subprocess.Popen([sys.executable, "-c", code], cwd=TEMPLATE, stdout=log, stderr=log, start_new_session=True)

    def apply(self, document: dict[str, Any]) -> None:
        """Create an object, or change it; annotations of others stay."""
        check(document)
        kind, name = document["kind"], document["metadata"]["name"]
        if self.file(kind, name).exists():
            others = self.read(kind, name)["metadata"].get("annotations", {})
            document["metadata"]["annotations"] = others | document["metadata"].get("annotations", {})
        self.write(kind, name, document)

    def tick(self, name: str) -> str:
        """Start what a CronWorkflow starts at its time, and return the name of the workflow."""
        spec = self.read("CronWorkflow", name)["spec"]
        return self.start(name, f"{name}-1700000000", spec["workflowSpec"], spec["workflowMetadata"]["labels"])

    def start(self, template: str, name: str, spec: dict[str, Any], labels: dict[str, str]) -> str:
        """Create a workflow of a template."""
        equal(spec, {"workflowTemplateRef": {"name": template}})
        found = self.read("WorkflowTemplate", template)
        annotations = found["metadata"]["annotations"]
        metadata = {"name": name, "labels": labels, "annotations": annotations}
        self.create({**found, "kind": "Workflow", "metadata": metadata})
        return name

    def workflow(self, name: str) -> dict[str, Any]:
        """Return a workflow with its states."""
        found = self.read("Workflow", name)
        for kind, place in (("status", found), ("shutdown", found["spec"])):
            if self.file(kind, name).exists():
                place[kind] = self.read(kind, name)[kind]
        return found

    def wait(self, name: str, seconds: float = 120) -> str:
        """Wait until a workflow has ended, and return its phase."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            phase = self.workflow(name).get("status", {}).get("phase", "")
            if phase in ENDED:
                return phase
            time.sleep(0.05)
        raise AssertionError((self.folder / "controller.log").read_text(encoding="utf-8"))

    def pods(self, name: str, slug: str) -> list[str]:
        """Return the names of the pods of a stage, the oldest first."""
        found = self.folder.glob(f"pods/{name}.{slug}.*.log")
        return [each.name.removesuffix(".log") for each in sorted(found, key=lambda each: each.stat().st_ctime_ns)]

    def log(self, pod: str) -> str:
        return (self.folder / "pods" / f"{pod}.log").read_text(encoding="utf-8")

    def delete(self, kind: str, name: str) -> None:
        """Delete an object; a workflow with its pods and their logs."""
        for each in (kind, *(("status", "shutdown") if kind == "Workflow" else ())):
            self.file(each, name).unlink(missing_ok=True)
        for pod in self.folder.glob(f"pods/{name}.*") if kind == "Workflow" else ():
            pod.unlink() if pod.is_file() else shutil.rmtree(pod, ignore_errors=True)


def check(document: dict[str, Any]) -> None:
    """Refuse a manifest that a schema refuses."""
    from tests.package.pipeline.engines.argo_schemas import FOLDER, faults

    if (FOLDER.is_dir() or not document["apiVersion"].startswith("argoproj.io/")) and (found := faults(document)):
        raise RefusedError("\n".join(["error: the manifest is invalid", *found]))


@dataclass
class Stage:
    """A stage of a workflow: its template, and its attempts."""

    template: dict[str, Any]
    needs: list[str]
    phase: str = ""
    message: str = ""
    attempts: list[dict[str, str]] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None
    until: float = 0.0


def control(folder: str, name: str) -> None:
    """Run a workflow; one that cannot be run, as is said, has an error."""
    try:
        Run(folder, name).go()
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        Cluster(Path(folder)).write("status", name, {"status": {"phase": "Error", "message": said}})
        raise


class Run:
    """A workflow that runs: what the controller of Argo and the nodes of the cluster do."""

    def __init__(self, folder: str, name: str) -> None:
        """Read the workflow, of which each field has to be known."""
        self.cluster, self.name = Cluster(Path(folder)), name
        document = self.cluster.read("Workflow", name)
        metadata = known("metadata", document["metadata"])
        self.commit = metadata["annotations"]["mlops/commit"]
        self.spec = known("spec", document["spec"])
        equal(len(metadata["name"]) < 64 and metadata["name"] == name, True)
        security = dict(self.spec["securityContext"])
        equal(security.pop("seccompProfile"), {"type": "RuntimeDefault"})
        equal(security.pop("runAsNonRoot"), True)
        equal(security.keys(), {"runAsUser", "runAsGroup", "fsGroup"})
        equal(0 in security.values(), False)
        equal(self.spec["ttlStrategy"].keys(), {"secondsAfterCompletion"})
        templates = {each["name"]: each for each in self.spec["templates"]}
        equal(len(templates), len(self.spec["templates"]))
        entry = templates.pop(self.spec["entrypoint"])
        equal(entry.keys(), {"name", "dag"})
        equal(entry["dag"].keys(), {"failFast", "tasks"})
        equal(entry["dag"]["failFast"], False)
        self.stages = {
            task["name"]: Stage(known("template", templates.pop(task["template"])), needs(task))
            for task in (known("task", each) for each in entry["dag"]["tasks"])
        }
        equal(templates, {})

    def go(self) -> None:
        """Run all stages, and keep their states in the file of the workflow."""
        while self.cluster.file("Workflow", self.name).exists():
            stop = self.cluster.file("shutdown", self.name).exists()
            for slug, stage in self.stages.items():
                if stage.phase == "Running":
                    self.poll(slug, stage, stop)
            for slug, stage in self.stages.items():
                if not stage.phase and not stop:
                    self.try_to_start(slug, stage)
            running = [each for each in self.stages.values() if each.phase == "Running"]
            has_ended = stop or all(each.phase in ENDED for each in self.stages.values())
            self.tell(has_ended and not running)
            if has_ended and not running:
                return
            time.sleep(0.05)
        for stage in self.stages.values():
            end(stage)

    def tell(self, has_ended: bool) -> None:
        is_well = all(each.phase == "Succeeded" for each in self.stages.values())
        phase = ("Succeeded" if is_well else "Failed") if has_ended else "Running"
        self.cluster.write("status", self.name, {"status": {"phase": phase, "nodes": dict(self.nodes())}})

    def nodes(self) -> Iterator[tuple[str, dict[str, str]]]:
        yield self.name, {"displayName": self.name, "type": "DAG", "phase": "Running", "message": ""}
        for slug, stage in self.stages.items():
            if stage.phase:
                yield f"{self.name}-{slug}", {"displayName": slug, "phase": stage.phase, "message": stage.message}
            for number, attempt in enumerate(stage.attempts):
                name = f"{slug}({number})"
                yield f"{self.name}-{name}", {"displayName": name, "type": "Pod", "hostNodeName": "node7"} | attempt

    def try_to_start(self, slug: str, stage: Stage) -> None:
        """Start a stage if those that it needs have succeeded; if one has not, it never starts."""
        phases = [self.stages[need].phase for need in stage.needs]
        if any(each in ("Failed", "Error", "Omitted") for each in phases):
            stage.phase = "Omitted"
        running = sum(each.phase == "Running" for each in self.stages.values())
        if all(each == "Succeeded" for each in phases) and running < self.spec["parallelism"]:
            self.start(slug, stage)

    def start(self, slug: str, stage: Stage) -> None:
        stage.phase = "Running"
        stage.attempts.append({"phase": "Running"})
        try:
            self.start_pod(slug, stage)
        except RefusedError as error:
            stage.phase = "Error"
            stage.message = stage.attempts[-1]["message"] = str(error)
            stage.attempts[-1]["phase"] = "Error"

    def start_pod(self, slug: str, stage: Stage) -> None:
        """Start the process of a pod in a copy of the image's tree."""
        container = self.check(stage)
        equal(stage.template["metadata"]["labels"]["app.kubernetes.io/component"], slug)
        self.cluster.read("ServiceAccount", self.spec["serviceAccountName"])
        name = f"{self.name}.{slug}.{len(stage.attempts) - 1}"
        place = self.cluster.folder / "pods" / name
        image = Image(**self.cluster.read("image", "all"))
        image.unpack(place / WORKDIR, self.commit)
        self.mount(place, stage.template, container)
        (place / "home").mkdir()
        environment = {"HOME": str(place / "home")} | image.environment
        for each in container.get("envFrom", []):
            equal(each.keys(), {"secretRef"})
            environment |= self.cluster.read("Secret", each["secretRef"]["name"])["data"]
        environment |= {each["name"]: each["value"] for each in container.get("env", [])}
        equal(all(isinstance(each, str) for each in environment.values()), True)
        command = [each.replace("{{workflow.name}}", self.name) for each in container["command"]]
        command[0] = shutil.which(command[0], path=environment["PATH"]) or command[0]
        with place.with_name(f"{name}.log").open("wb") as log:
            stage.process = subprocess.Popen(
                command,
                cwd=place / WORKDIR,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        stage.until = time.monotonic() + int(stage.template["activeDeadlineSeconds"])

    def check(self, stage: Stage) -> dict[str, Any]:
        """Return the container of a stage, of which each field has to be known."""
        container = known("container", stage.template["container"])
        equal(container["securityContext"], {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}})
        check_quantities(container.get("resources", {}))
        retry = known("retryStrategy", stage.template["retryStrategy"])
        equal(retry["retryPolicy"] in ("Always", "OnError"), True)
        return container

    def mount(self, place: Path, template: dict[str, Any], container: dict[str, Any]) -> None:
        volumes = {each["name"]: each for each in self.spec.get("volumes", []) + template.get("volumes", [])}
        for each in container.get("volumeMounts", []):
            at = place / each["mountPath"].lstrip("/")
            at.parent.mkdir(parents=True, exist_ok=True)
            volume = volumes[each["name"]]
            if "persistentVolumeClaim" in volume:
                claim = self.cluster.read("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
                at.symlink_to(claim["metadata"]["annotations"]["folder"])
            else:
                equal(volume["emptyDir"]["medium"], "Memory")
                at.mkdir()

    def poll(self, slug: str, stage: Stage, stop: bool) -> None:
        """See whether the process of a pod has ended, or has to."""
        said = ""
        if stop:
            said = "workflow shutdown with strategy:  Stop"
        elif time.monotonic() > stage.until:
            said = "Pod was active on the node longer than the specified deadline"
        if said:
            end(stage)
        code = stage.process.poll() if stage.process else None
        if code is None:
            return
        phase = "Failed" if code or said else "Succeeded"
        said = said or (f"Error (exit code {code})" if code else "")
        stage.attempts[-1] |= {"phase": phase, "message": said}
        retry = stage.template["retryStrategy"]
        if (
            phase == "Failed"
            and not stop
            and retry["retryPolicy"] == "Always"
            and len(stage.attempts) <= retry["limit"]
        ):
            self.start(slug, stage)
            return
        stage.phase, stage.message = phase, said


def needs(task: dict[str, Any]) -> list[str]:
    return task["depends"].split(" && ") if "depends" in task else []


def end(stage: Stage) -> None:
    """End the process of a pod, as the node does: it may tidy up first."""
    if stage.process and stage.process.poll() is None:
        os.killpg(stage.process.pid, signal.SIGTERM)
        try:
            stage.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(stage.process.pid, signal.SIGKILL)
            stage.process.wait()


def check_quantities(resources: dict[str, dict[str, str]]) -> None:
    for name, each in resources.get("requests", {}).items():
        equal(resources["limits"][name], each)
    for each in resources.get("limits", {}).values():
        if not re.fullmatch(r"[1-9]\d*(m|Ki|Mi|Gi|Ti)?", each):
            raise RefusedError(f"{each} is not a quantity")
