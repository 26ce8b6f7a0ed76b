"""The pipeline of Kubeflow for a run: its own YAML (IR), with a container for each stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node
from copier_mlops.pipeline.engines import kubernetes
from copier_mlops.pipeline.engines.kubernetes import BYTES, GPU, SHARED, SHARED_PATH, KubernetesSettings, Name
from copier_mlops.pipeline.plan import Plan

# In its place, Kubeflow puts the name of the run in the cluster, for example churn-x7f2k.
JOB = "{{$.pipeline_job_name}}"
# The version of the form that kfp writes.
SCHEMA, SDK = "2.1.0", "kfp-2.17.3"


class Settings(KubernetesSettings):
    """The settings of Kubeflow Pipelines."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_KUBEFLOW_", extra="forbid", frozen=True)

    url: Annotated[
        str,
        Field(
            pattern=r"^(https?://\S+)?$",
            description="address of Kubeflow Pipelines; KF_PIPELINES_ENDPOINT overrides it",
            examples=["http://127.0.0.1:8888"],
        ),
    ] = ""
    experiment: Annotated[
        str, Field(description="experiment of the runs; empty: the name of the project", examples=["churn"])
    ] = ""
    service_account: Annotated[
        Name, Field(description="service account of the pods; empty: that of Kubeflow", examples=["mlops-stages"])
    ] = ""
    secret_keys: Annotated[
        tuple[str, ...],
        Field(description="keys of the secret that become variables", examples=[["AWS_ACCESS_KEY_ID"]]),
    ] = ()
    schedule: Annotated[
        str | None,
        Field(
            description="when scheduled runs start: cron with a field for seconds before the five; null: never",
            examples=["0 0 3 * * 1-5"],
        ),
    ] = None


def document(plan: Plan, settings: Settings, run: str) -> dict[str, Any]:
    """Return the pipeline as the API of Kubeflow takes it.

    Args:
        plan: What runs.
        settings: Where.
        run: The name of the run in the commands, or `JOB`.

    Raises:
        EngineError: No image is named, or a name or a demand is too large.
    """
    if run != JOB:
        kubernetes.check_name(run, kubernetes.MOST_LABEL, "the run")
    slugs = {node.name: node.slug for node in plan.nodes}
    spec = {
        "components": {f"comp-{slug}": {"executorLabel": f"exec-{slug}"} for slug in slugs.values()},
        "deploymentSpec": {
            "executors": {
                f"exec-{each.slug}": {"container": _container(each, plan, settings, run)} for each in plan.nodes
            }
        },
        "pipelineInfo": {"name": plan.project},
        "root": {"dag": {"tasks": {node.slug: _task(node, slugs) for node in plan.nodes}}},
        "schemaVersion": SCHEMA,
        "sdkVersion": SDK,
    }
    pods = {f"exec-{node.slug}": _pod(node, settings) for node in plan.nodes}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": pods}}}}
    return {"pipeline_spec": spec, "platform_spec": platform}


def text(found: Mapping[str, Any], comment: str = "") -> str:
    """Return a pipeline as YAML: the stages, and what they ask of Kubernetes.

    Raises:
        EngineError: One of them is too large for Kubeflow.
    """
    parts = [kubernetes.as_yaml(each, "the pipeline") for each in found.values()]
    return comment + "---\n".join(parts)


def _task(node: Node, slugs: Mapping[str, str]) -> dict[str, Any]:
    """Return the task of a stage. Kubeflow's cache is off: DVC knows what has changed."""
    retries = {"maxRetryCount": node.resources.retries, "backoffDuration": "0s"} if node.resources.retries else {}
    found = {
        "componentRef": {"name": f"comp-{node.slug}"},
        "dependentTasks": [slugs[need] for need in node.needs],
        "retryPolicy": retries,
        "taskInfo": {"name": node.slug},
    }
    return {"cachingOptions": {}, **kubernetes.filled(found)}


def _container(node: Node, plan: Plan, settings: Settings, run: str) -> dict[str, Any]:
    found = {
        "command": kubernetes.command(node, run),
        "env": [{"name": name, "value": value} for name, value in settings.variables.items()],
        "image": kubernetes.image(node, plan, settings, "kubeflow"),
        "resources": _resources(node),
    }
    return kubernetes.filled(found)


def _resources(node: Node) -> dict[str, Any]:
    """Return the demands twice, as kfp does: older servers read numbers, newer ones quantities of Kubernetes."""
    found, asked = dict[str, Any](), node.resources
    written = kubernetes.quantities(node)
    if cpu := written.get("cpu"):
        found |= {"cpuLimit": asked.cpu, "cpuRequest": asked.cpu}
        found |= {"resourceCpuLimit": cpu, "resourceCpuRequest": cpu}
    if memory := written.get("memory"):
        size = int(memory[:-2]) * BYTES[memory[-2:]] / 10**9
        found |= {"memoryLimit": size, "memoryRequest": size}
        found |= {"resourceMemoryLimit": memory, "resourceMemoryRequest": memory}
    if asked.gpu:
        count = str(asked.gpu)
        found["accelerator"] = {"count": count, "resourceCount": count, "resourceType": GPU, "type": GPU}
    return found


def _pod(node: Node, settings: Settings) -> dict[str, Any]:
    """Return what a stage asks of Kubernetes itself."""
    found: dict[str, Any] = {"activeDeadlineSeconds": str(node.resources.seconds or dag.seconds(settings.timeout))}
    if settings.secret:
        keys = [{"envVar": key, "secretKey": key} for key in settings.secret_keys]
        found["secretAsEnv"] = [{"keyToEnv": keys, "optional": False, **_named("secretName", settings.secret)}]
    if settings.pull_secret:
        found["imagePullSecret"] = [_named("secretName", settings.pull_secret)]
    if settings.claim:
        claim = {"runtimeValue": {"constant": settings.claim}}
        found["pvcMount"] = [{"constant": settings.claim, "mountPath": settings.mount, "pvcNameParameter": claim}]
    if settings.node_selector:
        found["nodeSelector"] = {"labels": settings.node_selector}
    if node.resources.gpu:
        found["tolerations"] = [kubernetes.TOLERATION]
    if size := node.resources.shared_memory:
        volume = {"volumeName": SHARED, "mountPath": SHARED_PATH, "medium": "Memory", "sizeLimit": size}
        found["emptyDirMounts"] = [volume]
    return found


def _named(key: str, name: str) -> dict[str, Any]:
    """Return a name twice, as kfp does: older servers read the first."""
    return {key: name, f"{key}Parameter": {"runtimeValue": {"constant": name}}}
