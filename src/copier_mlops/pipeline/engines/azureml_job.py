"""The pipeline job of Azure Machine Learning for a run: its own YAML (v2), with a command for each stage.

Azure copies the files of the commit, without git, to each node. So a command is `mlops stage` in that copy.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node, Time
from copier_mlops.pipeline.engines import EngineError
from copier_mlops.pipeline.engines.settings import EngineSettings
from copier_mlops.pipeline.plan import SHORT, Plan

SETTINGS = "operation/configuration/engines/azureml.yaml"
SCHEMA = "https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json"
# Azure sets it on each node of a job: the name of the job that a schedule has started.
JOB = "$AZUREML_ROOT_RUN_ID"
# The name of a run is part of the name of a job, and of names on the data remote.
RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
# The key of `computes` for stages that ask for a GPU and name no partition.
GPU = "gpu"
# The output that a stage has if others wait for it; Azure orders the nodes of a job by their data only.
DONE = "done"
Compute = Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9-]{0,31})?$")]


class Settings(EngineSettings):
    """The settings of Azure Machine Learning."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_AZUREML_", extra="forbid", frozen=True)

    subscription: Annotated[
        str,
        Field(
            pattern=r"^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$",
            description="id of your subscription",
            examples=["0b1f6471-1bf0-4dda-aec3-cb9272f09590"],
        ),
    ] = ""
    resource_group: Annotated[
        str,
        Field(
            max_length=90,
            pattern=r"^([-\w.()]*[-\w()])?$",
            description="resource group of the workspace",
            examples=["ml-team"],
        ),
    ] = ""
    workspace: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{2,32})?$",
            description="workspace that runs the stages",
            examples=["churn-workspace"],
        ),
    ] = ""
    image: Annotated[
        str,
        Field(
            pattern=r"^\S*$",
            description="image, or environment azureml:NAME:VERSION of the workspace; {commit} stands for the commit",
            examples=["registry.example.org/churn:1"],
        ),
    ] = ""
    compute: Annotated[Compute, Field(description="compute of stages that need no other", examples=["cpu-cluster"])] = (
        ""
    )
    computes: Annotated[
        dict[str, Compute],
        Field(
            default_factory=dict,
            description="compute by the partition that a stage names; the key gpu is for those that ask for a GPU",
            examples=[{"gpu": "gpu-cluster", "long": "large-cluster"}],
        ),
    ]
    identity: Annotated[
        Literal["", "managed", "user_identity"],
        Field(
            description="identity of the stages: managed, that of the compute; user_identity, yours; empty: no other",
            examples=["managed"],
        ),
    ] = ""
    experiment: Annotated[
        str,
        Field(
            max_length=255,
            pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]*)?$",
            description="experiment of the runs; empty: the name of the project",
            examples=["churn"],
        ),
    ] = ""
    shm_size: Annotated[
        str,
        Field(
            pattern=r"^([1-9]\d*[bkmg])?$",
            description="shared memory of stages that ask for none; empty: 2g, which Azure gives",
            examples=["16g"],
        ),
    ] = ""
    variables: Annotated[
        dict[str, str],
        Field(
            default_factory=dict,
            description="variables of each stage; none of them is secret",
            examples=[{"AZURE_STORAGE_ACCOUNT": "churndata"}],
        ),
    ]
    shared_folder: Annotated[
        str,
        Field(
            pattern="^(/.*)?$",
            description="folder that your machine and each node see, if the data remote is in one; empty: none",
            examples=["/mnt/share"],
        ),
    ] = ""
    timeout: Annotated[Time, Field(description="longest time of a stage that names none", examples=["12h"])] = "24h"
    schedule: Annotated[
        str | None,
        Field(
            pattern=r"^\S+( +\S+){4}$",
            description="when scheduled runs start, as cron writes it; null: never",
            examples=["0 3 * * 1-5"],
        ),
    ] = None
    time_zone: Annotated[
        str,
        Field(
            min_length=1,
            description="time zone of the schedule, by the name that Windows gives it",
            examples=["W. Europe Standard Time"],
        ),
    ] = "UTC"


def document(plan: Plan, settings: Settings, run: str) -> dict[str, Any]:
    """Return the pipeline job as Azure reads it from YAML.

    Args:
        plan: What runs.
        settings: Where.
        run: The name of the run in the commands, or `JOB`.

    Raises:
        EngineError: A setting is missing, or the name of the run is not one for Azure.
    """
    if run != JOB and not RUN.fullmatch(run):
        raise EngineError(
            f"{run!r:.80} cannot name a run in Azure ML\n"
            "  fix: use at most 63 letters, digits, '_' and '-', for example: nightly-7"
        )
    needed = {need for node in plan.nodes for need in node.needs}
    keys = {node.name: key(node) for node in plan.nodes}
    found: dict[str, Any] = {
        "$schema": SCHEMA,
        "type": "pipeline",
        "display_name": plan.project if run == JOB else run,
        "experiment_name": settings.experiment or plan.project,
        "tags": {"run": "" if run == JOB else run, "commit": plan.commit},
        "identity": {"type": settings.identity},
        # Azure's own reuse of results is off: DVC knows what has changed. A failure ends its branch only.
        "settings": {"force_rerun": True, "continue_on_step_failure": True},
        "jobs": {keys[node.name]: _command(node, keys, needed, plan, settings, run) for node in plan.nodes},
    }
    if not settings.identity:
        del found["identity"]
    if run == JOB:
        del found["tags"]["run"]
    return found


def text(found: dict[str, Any], comment: str = "") -> str:
    """Return a job as YAML."""
    import yaml

    return comment + yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=1000)


def key(node: Node) -> str:
    """Return the name of a stage in a job: Azure takes those of Python's variables, in lower case."""
    return node.slug.replace("-", "_")


def _command(
    node: Node, keys: dict[str, str], needed: set[str], plan: Plan, settings: Settings, run: str
) -> dict[str, Any]:
    """Return the job of a stage."""
    attempts = 1 + node.resources.retries
    command = f"mlops stage {node.slug} --run {run}"
    if node.name in needed:
        command += f" && echo {DONE} > ${{{{outputs.{DONE}}}}}/{DONE}"
    if attempts > 1:  # Azure repeats no command by itself
        numbers = " ".join(map(str, range(1, attempts + 1)))
        command = f"for attempt in {numbers}; do {command} && exit 0; done; exit 1"
    seconds = node.resources.seconds or dag.seconds(settings.timeout)
    found: dict[str, Any] = {
        "type": "command",
        "display_name": node.slug,
        "command": command,
        "code": ".",
        "environment": _environment(node, plan, settings),
        "compute": f"azureml:{_compute(node, settings)}",
        "environment_variables": settings.variables,
        "inputs": {f"after_{keys[need]}": f"${{{{parent.jobs.{keys[need]}.outputs.{DONE}}}}}" for need in node.needs},
        "outputs": {DONE: {"type": "uri_folder"}} if node.name in needed else {},
        "limits": {"timeout": seconds * attempts},
        "resources": {"shm_size": shared} if (shared := _shared_memory(node) or settings.shm_size) else {},
    }
    return {name: each for name, each in found.items() if each}


def _shared_memory(node: Node) -> str:
    """Return what a stage asks for as Docker writes it, for example `2g` for `2Gi`; it has no larger unit."""
    asked = node.resources.shared_memory or ""
    return f"{int(asked[:-2]) * 1024}g" if asked.endswith("Ti") else asked[:-1].lower()


def _environment(node: Node, plan: Plan, settings: Settings) -> str | dict[str, str]:
    found = (node.resources.image or settings.image).replace("{commit}", plan.commit[:SHORT])
    if not found:
        raise EngineError(f"no image is named\n  fix: set image in {SETTINGS}, or ENGINE_AZUREML_IMAGE")
    return found if found.startswith("azureml:") else {"image": found}


def _compute(node: Node, settings: Settings) -> str:
    """Return the compute of a stage: that of its partition, else that for GPUs if it asks for one, else the common."""
    if node.resources.partition and node.resources.partition not in settings.computes:
        raise EngineError(
            f"the stage {node.name} wants the partition {node.resources.partition}, which is not in computes\n"
            f"  fix: name its compute in {SETTINGS}, for example: computes: {{{node.resources.partition}: cpu-cluster}}"
        )
    wanted = node.resources.partition or (GPU if node.resources.gpu else "")
    found = settings.computes.get(wanted) or settings.compute
    if not found:
        raise EngineError(f"no compute is named\n  fix: set compute in {SETTINGS}, or ENGINE_AZUREML_COMPUTE")
    return found
