"""What a release is run by: the schemas of Kubernetes and compose pass the files, and files with a fault are found."""

import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.project import files

EXECUTION = Path("operation", "execution")
MANIFESTS = ("deployment.yaml", "service.yaml", "disruption.yaml")
LATEST = kubernetes_validate.latest_version()


def weaknesses(document: dict) -> list[str]:
    """Why the schema refuses a manifest, and which of its protections are missing."""
    try:
        kubernetes_validate.validate(document, LATEST, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return [str(error)]
    if document["kind"] != "Deployment":
        return []
    pod = document["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    guard, asked = container.get("securityContext", {}), container.get("resources", {})
    wanted = {
        "not as root": pod.get("securityContext", {}).get("runAsNonRoot") is True,
        "a number as user": pod.get("securityContext", {}).get("runAsUser", 0) > 0,
        "seccomp": pod.get("securityContext", {}).get("seccompProfile") == {"type": "RuntimeDefault"},
        "no token": pod.get("automountServiceAccountToken") is False,
        "no more rights": guard.get("allowPrivilegeEscalation") is False,
        "a root that is read-only": guard.get("readOnlyRootFilesystem") is True,
        "no capabilities": guard.get("capabilities") == {"drop": ["ALL"]},
        "limits": {"cpu", "memory"} == asked.get("requests", {}).keys() and "memory" in asked.get("limits", {}),
        "probes": {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys(),
        "labels": document["spec"]["selector"]["matchLabels"].items()
        <= document["spec"]["template"]["metadata"]["labels"].items(),
    }
    return [name for name, is_there in wanted.items() if not is_there]


def manifest(project: Path, name: str) -> dict:
    return yaml.safe_load((project / EXECUTION / "kubernetes" / name).read_text())


@pytest.mark.parametrize("package_name", ["german_credit", "c", "p" * 40])
@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifests_are_valid(release, name, package_name):
    assert weaknesses(manifest(release(package_name=package_name), name)) == []


def test_what_belongs_together_has_the_same_labels(project):
    pods = manifest(project, "deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    assert manifest(project, "service.yaml")["spec"]["selector"] == pods
    assert manifest(project, "disruption.yaml")["spec"]["selector"]["matchLabels"] == pods
    assert manifest(project, "kustomization.yaml")["resources"] == list(MANIFESTS)


CONTAINER = "spec.template.spec.containers.0"
FAULTS = [
    ("deployment.yaml", "apiVersion", "extensions/v1beta1"),
    ("deployment.yaml", "kind", "Deploiment"),
    ("deployment.yaml", "spec.replica", 2),
    ("deployment.yaml", "spec.selector", None),
    ("deployment.yaml", "spec.template.metadata.labels", {"app": "other"}),
    ("deployment.yaml", "spec.template.spec.securityContext.runAsNonRoot", False),
    ("deployment.yaml", "spec.template.spec.securityContext.runAsUser", 0),
    ("deployment.yaml", "spec.template.spec.securityContext.seccompProfile", None),
    ("deployment.yaml", "spec.template.spec.automountServiceAccountToken", True),
    ("deployment.yaml", f"{CONTAINER}.securityContext", None),
    ("deployment.yaml", f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False),
    ("deployment.yaml", f"{CONTAINER}.securityContext.capabilities", {"drop": ["NET_RAW"]}),
    ("deployment.yaml", f"{CONTAINER}.resources.limits", None),
    ("deployment.yaml", f"{CONTAINER}.readinessProbe", None),
    ("deployment.yaml", f"{CONTAINER}.livenessProbe.httpGet.port", None),
    ("deployment.yaml", f"{CONTAINER}.ports.0.containerPort", "8080"),
    ("deployment.yaml", f"{CONTAINER}.envFrom.0.configMap", {"name": "x"}),
    ("service.yaml", "spec.ports.0.port", None),
    ("service.yaml", "spec.selectors", {"app": "x"}),
    ("disruption.yaml", "spec.maxUnavailable", [1]),
    ("disruption.yaml", "apiVersion", "policy/v9"),
]


@pytest.mark.parametrize(("name", "place", "value"), FAULTS, ids=[f"{name}-{place}" for name, place, _ in FAULTS])
def test_a_fault_in_a_manifest_would_be_found(project, name, place, value):
    document = manifest(project, name)
    *parents, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    node = document
    for part in parents:
        node = node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    assert weaknesses(document)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kustomize builds the manifests of an environment")
@pytest.mark.parametrize(("environment", "replicas"), [("dev", 1), ("stage", 1), ("prod", 2)])
def test_each_environment_has_manifests_of_its_own(project, environment, replicas):
    place = project / "operation" / "configuration" / f"environment_{environment}"
    built = subprocess.run(["kubectl", "kustomize", place], capture_output=True, text=True, check=True)
    documents = {document["kind"]: document for document in yaml.safe_load_all(built.stdout)}
    assert documents.keys() == {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget"}
    assert [found for document in documents.values() for found in weaknesses(document)] == []
    assert {document["metadata"]["name"] for kind, document in documents.items() if kind != "ConfigMap"} == {
        f"german-credit-{environment}"
    }
    assert documents["Service"]["spec"]["selector"]["app.kubernetes.io/instance"] == environment
    assert documents["ConfigMap"]["data"] == {"OPERATION_ENVIRONMENT": environment}
    deployment = documents["Deployment"]["spec"]
    assert deployment["replicas"] == replicas
    (container,) = deployment["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": documents["ConfigMap"]["metadata"]["name"]}}]


def compose_faults(folder: Path, document: dict) -> str:
    """Why the schema of compose refuses a document, and which of its protections are missing."""
    file = folder / "compose.yaml"
    file.write_text(yaml.safe_dump(document))
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stdout + done.stderr
    (service,) = document["services"].values()
    wanted = {"user": "10001:10001", "read_only": True, "cap_drop": ["ALL"]}
    wanted["security_opt"] = ["no-new-privileges:true"]
    return " ".join(name for name, value in wanted.items() if service.get(name) != value)


def test_the_compose_file_is_valid(project, tmp_path):
    assert compose_faults(tmp_path, yaml.safe_load((project / EXECUTION / "compose.yaml").read_text())) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("portz", ["8080:8080"]),
        ("ports", "8080:8080"),
        ("image", 7),
        ("environment", 7),
        ("restart", ["always"]),
        ("read_only", False),
        ("cap_drop", []),
        ("user", "root"),
        ("security_opt", []),
    ],
)
def test_a_fault_in_the_compose_file_would_be_found(project, tmp_path, name, value):
    document = yaml.safe_load((project / EXECUTION / "compose.yaml").read_text())
    document["services"]["service"][name] = value
    assert compose_faults(tmp_path, document)


def test_without_the_http_door_there_is_no_target(release):
    names = {path for path in files(release(serving=["batch"])) if path.startswith("operation/")}
    assert {path for path in names if path.startswith("operation/execution/")} == {
        "operation/execution/image/.dockerignore",
        "operation/execution/image/Dockerfile",
    }
    assert not [path for path in names if "kustomization" in path]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_below_level_3_there_is_nothing_of_it(release, level):
    names = files(release(maturity_level=level))
    assert not [name for name in names if "release" in name or "/image/" in name or "kustomization" in name]
