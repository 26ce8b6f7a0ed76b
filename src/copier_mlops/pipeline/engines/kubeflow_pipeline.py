"""The pipeline of Kubeflow for a run: its own YAML (IR), with a container for each stage.

The image has the project without git, so a container runs `mlops stage` in the tree of its image, and needs no commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.engines import EngineError
from copier_mlops.pipeline.engines.settings import EngineSettings
from copier_mlops.pipeline.plan import SHORT, Plan

SETTINGS = "operation/configuration/engines/kubeflow.yaml"
# In its place, Kubeflow puts the name of the run in the cluster, for example churn-x7f2k.
JOB = "{{$.pipeline_job_name}}"
# The version of the form that kfp writes.
SCHEMA, SDK = "2.1.0", "kfp-2.17.3"
GPU = "nvidia.com/gpu"
# A name of a run is part of names on the data remote, and what Kubeflow shows.
RUN = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# Kubeflow's API server takes pipelines up to this size.
MOST_BYTES = 1_000_000
BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
Name = Annotated[str, Field(max_length=253, pattern=rf"^({LABEL}(\.{LABEL})*)?$")]


class Settings(EngineSettings):
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
    image: Annotated[
        str,
        Field(
            pattern=r"^\S*$",
            description="image with the project; {commit} in it stands for the commit",
            examples=["registry.example.org/churn:{commit}"],
        ),
    ] = ""
    namespace: Annotated[
        str,
        Field(
            pattern=rf"^({LABEL})?$",
            description="your namespace, if Kubeflow has several; empty: it has one",
            examples=["team-risk"],
        ),
    ] = ""
    experiment: Annotated[
        str, Field(description="experiment of the runs; empty: the name of the project", examples=["churn"])
    ] = ""
    service_account: Annotated[
        Name, Field(description="service account of the pods; empty: that of Kubeflow", examples=["mlops-stages"])
    ] = ""
    secret: Annotated[
        Name, Field(description="Secret with variables of each stage; empty: none", examples=["churn-remote"])
    ] = ""
    secret_keys: Annotated[
        tuple[str, ...],
        Field(description="keys of the secret that become variables", examples=[["AWS_ACCESS_KEY_ID"]]),
    ] = ()
    pull_secret: Annotated[
        Name, Field(description="Secret with the login to the image's registry; empty: none", examples=["registry"])
    ] = ""
    variables: Annotated[
        dict[str, str],
        Field(
            default_factory=dict,
            description="further variables of each stage",
            examples=[{"AWS_REGION": "eu-central-1"}],
        ),
    ]
    claim: Annotated[
        Name,
        Field(
            description="PersistentVolumeClaim with the data remote, if that is a folder; empty: none",
            examples=["mlops-data"],
        ),
    ] = ""
    mount: Annotated[str, Field(pattern="^/", description="folder of the claim in the pods")] = "/data"
    node_selector: Annotated[
        dict[str, str],
        Field(default_factory=dict, description="labels of the nodes of the pods", examples=[{"pool": "training"}]),
    ]
    timeout: Annotated[
        str, Field(pattern=r"^[1-9]\d*[smh]$", description="longest time of a stage that names none", examples=["12h"])
    ] = "24h"
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
    if run != JOB and not RUN.fullmatch(run):
        raise EngineError(
            f"{run!r:.80} cannot name a run in Kubeflow\n"
            "  fix: use at most 63 lower case letters, digits and '-', for example: nightly-7"
        )
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
        EngineError: It is too large for Kubeflow.
    """
    import yaml

    parts = [yaml.safe_dump(each, sort_keys=False, allow_unicode=True, width=1000) for each in found.values()]
    whole = comment + "---\n".join(parts)
    if len(whole.encode()) > MOST_BYTES:
        raise EngineError(
            f"the pipeline has {len(whole.encode()):,} bytes, and {MOST_BYTES:,} are the most\n"
            "  fix: let one stage of dvc.yaml do several items of a matrix"
        )
    return whole


def _task(node: Node, slugs: Mapping[str, str]) -> dict[str, Any]:
    """Return the task of a stage. Kubeflow's cache is off: DVC knows what has changed."""
    found = {
        "cachingOptions": {},
        "componentRef": {"name": f"comp-{node.slug}"},
        "dependentTasks": [slugs[need] for need in node.needs],
        "retryPolicy": {"maxRetryCount": node.resources.retries, "backoffDuration": "0s"},
        "taskInfo": {"name": node.slug},
    }
    left_out = [
        name
        for name, is_asked in (("dependentTasks", node.needs), ("retryPolicy", node.resources.retries))
        if not is_asked
    ]
    return {name: each for name, each in found.items() if name not in left_out}


def _container(node: Node, plan: Plan, settings: Settings, run: str) -> dict[str, Any]:
    image = node.resources.image or settings.image
    if not image:
        raise EngineError(f"no image is named\n  fix: set image in {SETTINGS}, or ENGINE_KUBEFLOW_IMAGE")
    # The slug, since Kubeflow would read braces in the name of a stage.
    found = {
        "command": ["mlops", "stage", node.slug, "--run", run],
        "env": [{"name": name, "value": value} for name, value in settings.variables.items()],
        "image": image.replace("{commit}", plan.commit[:SHORT]),
        "resources": _resources(node.resources),
    }
    return {name: each for name, each in found.items() if each}


def _resources(asked: Resources) -> dict[str, Any]:
    """Return the demands twice, as kfp does: older servers read numbers, newer ones quantities of Kubernetes."""
    found: dict[str, Any] = {}
    if asked.cpu:
        quantity = f"{round(asked.cpu * 1000)}m"
        found |= {"cpuLimit": asked.cpu, "cpuRequest": asked.cpu}
        found |= {"resourceCpuLimit": quantity, "resourceCpuRequest": quantity}
    if asked.memory:
        size = int(asked.memory[:-2]) * BYTES[asked.memory[-2:]] / 10**9
        found |= {"memoryLimit": size, "memoryRequest": size}
        found |= {"resourceMemoryLimit": asked.memory, "resourceMemoryRequest": asked.memory}
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
        found["tolerations"] = [{"effect": "NoSchedule", "key": GPU, "operator": "Exists"}]
    return found


def _named(key: str, name: str) -> dict[str, Any]:
    """Return a name twice, as kfp does: older servers read the first."""
    return {key: name, f"{key}Parameter": {"runtimeValue": {"constant": name}}}
