"""The manifests of Argo Workflows for a pipeline: plain dictionaries, with a template for each stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node, Resources, Time
from copier_mlops.pipeline.engines import kubernetes
from copier_mlops.pipeline.engines.kubernetes import GPU, SHARED, SHARED_PATH, KubernetesSettings, Name, filled
from copier_mlops.pipeline.plan import Plan

API = "argoproj.io/v1alpha1"
NAME, STAGE = "app.kubernetes.io/name", "app.kubernetes.io/component"
COMMIT = "mlops/commit"
# The name of the run in the command of a pod; Argo puts that of the workflow in its place.
RUN = "{{workflow.name}}"
# A CronWorkflow appends a number of seconds to its own name.
MOST_CRON = 52
# Attempts after a pod that was lost, for example with its machine. A stage that failed gets another if it says so.
LOST = 2


class Settings(KubernetesSettings):
    """The settings of Argo Workflows."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_ARGO_", extra="forbid", frozen=True)

    service_account: Annotated[
        Name, Field(description="service account of the pods; empty: that of the namespace", examples=["mlops-stages"])
    ] = "mlops-stages"
    user: Annotated[
        int, Field(ge=1, description="number of the user in the image, which is not root", examples=[1000])
    ] = 10001
    parallelism: Annotated[
        int, Field(ge=1, description="how many stages of a run may run at the same time", examples=[4])
    ] = 10
    keep: Annotated[Time, Field(description="how long the cluster keeps a run that has ended", examples=["24h"])] = (
        "168h"
    )
    schedule: Annotated[
        str | None,
        Field(
            pattern=r"^(@\w+|\S+( \S+){4})$",
            description="when scheduled runs start, as cron writes it; null: never",
            examples=["0 3 * * 1-5"],
        ),
    ] = None
    timezone: Annotated[str, Field(description="time zone of the schedule", examples=["Europe/Berlin"])] = "UTC"


def workflow(plan: Plan, settings: Settings) -> dict[str, Any]:
    """Return the Workflow of a run, whose name is that of the run.

    Raises:
        EngineError: Kubernetes would refuse a name or a quantity, or no image is named.
    """
    name = kubernetes.check_name(plan.run, kubernetes.MOST_LABEL, "the run")
    return _object("Workflow", name, plan, settings, specification(plan, settings))


def template(plan: Plan, settings: Settings) -> dict[str, Any]:
    """Return the WorkflowTemplate of the project, which scheduled runs use.

    Raises:
        EngineError: As `workflow`.
    """
    name = kubernetes.check_name(plan.project, MOST_CRON, "the project")
    return _object("WorkflowTemplate", name, plan, settings, specification(plan, settings))


def cron(plan: Plan, settings: Settings) -> dict[str, Any]:
    """Return the CronWorkflow that starts the template; the schedule has to be set.

    Raises:
        EngineError: As `workflow`.
    """
    name = kubernetes.check_name(plan.project, MOST_CRON, "the project")
    runs = {
        "schedules": [settings.schedule],
        "timezone": settings.timezone,
        "concurrencyPolicy": "Forbid",
        "workflowMetadata": {"labels": {NAME: plan.project}},
        "workflowSpec": {"workflowTemplateRef": {"name": name}},
    }
    return _object("CronWorkflow", name, plan, settings, runs)


def specification(plan: Plan, settings: Settings) -> dict[str, Any]:
    """Return the `spec` of a Workflow.

    Raises:
        EngineError: As `workflow`.
    """
    slugs = {node.name: node.slug for node in plan.nodes}
    entry = "pipeline"
    while entry in slugs.values():
        entry += "-dag"
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": settings.claim}}
    found = {
        "entrypoint": entry,
        "serviceAccountName": settings.service_account,
        "parallelism": settings.parallelism,
        "ttlStrategy": {"secondsAfterCompletion": dag.seconds(settings.keep)},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": settings.user,
            "runAsGroup": settings.user,
            "fsGroup": settings.user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "imagePullSecrets": [{"name": settings.pull_secret}] if settings.pull_secret else [],
        "nodeSelector": settings.node_selector,
        "volumes": [claim] if settings.claim else [],
        # A stage that fails ends its branch only.
        "templates": [
            {"name": entry, "dag": {"failFast": False, "tasks": [_task(node, slugs) for node in plan.nodes]}},
            *(_template(node, plan, settings) for node in plan.nodes),
        ],
    }
    return filled(found)


def text(*documents: Mapping[str, Any], comment: str = "") -> str:
    """Return manifests as YAML, with a comment before them.

    Raises:
        EngineError: One is too large for Kubernetes.
    """
    parts = [kubernetes.as_yaml(each, f"the manifest of {each['metadata']['name']}") for each in documents]
    return comment + "---\n".join(parts)


def _object(kind: str, name: str, plan: Plan, settings: Settings, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": settings.namespace,
        "labels": {NAME: plan.project},
        "annotations": {COMMIT: plan.commit},
    }
    return {"apiVersion": API, "kind": kind, "metadata": filled(metadata), "spec": dict(spec)}


def _task(node: Node, slugs: Mapping[str, str]) -> dict[str, Any]:
    needed = " && ".join(slugs[need] for need in node.needs)
    return filled({"name": node.slug, "template": node.slug, "depends": needed})


def _template(node: Node, plan: Plan, settings: Settings) -> dict[str, Any]:
    """Return the template of a stage: each attempt is a pod, which runs the stage in the tree of its image."""
    asked = node.resources
    shared = {"name": SHARED, "emptyDir": {"medium": "Memory", "sizeLimit": asked.shared_memory}}
    mounts = [{"name": SHARED, "mountPath": SHARED_PATH}] if asked.shared_memory else []
    mounts += [{"name": "data", "mountPath": settings.mount}] if settings.claim else []
    container = {
        "image": kubernetes.image(node, plan, settings, "argo"),
        "command": kubernetes.command(node, RUN),
        "env": [{"name": name, "value": value} for name, value in settings.variables.items()],
        "envFrom": [{"secretRef": {"name": settings.secret}}] if settings.secret else [],
        "resources": _resources(node),
        "volumeMounts": mounts,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return filled(
        {
            "name": node.slug,
            "metadata": {"labels": {NAME: plan.project, STAGE: node.slug}},
            "activeDeadlineSeconds": asked.seconds or dag.seconds(settings.timeout),
            "retryStrategy": _retries(asked),
            "tolerations": [kubernetes.TOLERATION] if asked.gpu else [],
            "volumes": [shared] if asked.shared_memory else [],
            "container": filled(container),
        }
    )


def _retries(asked: Resources) -> dict[str, Any]:
    if asked.retries:
        return {"limit": asked.retries, "retryPolicy": "Always"}
    return {"limit": LOST, "retryPolicy": "OnError"}


def _resources(node: Node) -> dict[str, Any]:
    """Return requests and limits; a graphics processor has only a limit."""
    written = kubernetes.quantities(node)
    found = {name: written[name] for name in ("cpu", "memory") if name in written}
    gpu = {GPU: str(node.resources.gpu)} if node.resources.gpu else {}
    return filled({"requests": found, "limits": found | gpu})
