"""The settings of the engine `prefect`, and the deployment that brings the flow to a worker.

Its pull step unpacks the flow in the folder of the project. So a worker, or an image, needs the project, but no flow.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
import zlib
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from copier_mlops.pipeline.engines import EngineError, prefect_flow
from copier_mlops.pipeline.engines.settings import EngineSettings
from copier_mlops.pipeline.plan import Plan

UNPACK = (
    "import base64, os, pathlib, zlib; "
    "file = pathlib.Path(os.environ['FLOW_FILE']); "
    "file.parent.mkdir(parents=True, exist_ok=True); "
    "part = file.with_suffix(f'.{os.getpid()}'); "
    "part.write_bytes(zlib.decompress(base64.b64decode(os.environ['FLOW_TEXT']))); "
    "part.replace(file)"
)
PARAMETERS = {
    "run": ("string", "The name of the run; empty for a new one"),
    "commit": ("string", "The commit whose code and data run, by its hash or a branch of the remote"),
    "propose": ("boolean", "Whether to propose the new dvc.lock as a change of the project"),
}


class Settings(EngineSettings):
    """The settings of Prefect."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_PREFECT_", extra="forbid", frozen=True)

    api_url: Annotated[
        str,
        Field(
            description="API of the server, or of a workspace; PREFECT_API_URL overrides it",
            examples=["http://127.0.0.1:4200/api"],
        ),
    ] = ""
    work_pool: Annotated[str, Field(min_length=1, description="work pool whose workers take the runs")] = "mlops"
    type: Annotated[Literal["process", "docker", "kubernetes"], Field(description="type of the work pool")] = "process"
    image: Annotated[
        str,
        Field(
            description="image of the types docker and kubernetes, with the project",
            examples=["ghcr.io/acme/churn:stages"],
        ),
    ] = ""
    folder: Annotated[
        str,
        Field(description="project on the worker or in the image; empty: where it is here", examples=["/srv/churn"]),
    ] = ""
    job_variables: Annotated[
        dict[str, Any],
        Field(
            default_factory=dict, description="further variables of the work pool", examples=[{"env": {"TZ": "UTC"}}]
        ),
    ]
    jobs: Annotated[int, Field(ge=1, description="how many stages of a run may run at the same time")] = 2
    commit: Annotated[str, Field(min_length=1, description="commit that a scheduled run takes")] = "origin/main"
    schedule: Annotated[
        str | None,
        Field(description="when scheduled runs start, as cron writes it; null: never", examples=["0 3 * * *"]),
    ] = None
    timezone: Annotated[str, Field(description="time zone of the schedule, for example Europe/Berlin")] = "UTC"
    runs_at_once: Annotated[
        int | None, Field(ge=1, description="how many scheduled runs may run at the same time; further ones wait")
    ] = 1


def flow(plan: Plan, settings: Settings) -> str:
    """Return the flow.

    Raises:
        EngineError: The folder has a name that Prefect would change.
    """
    folder = settings.folder or str(plan.folder)
    if "{{" in folder:
        raise EngineError(f"Prefect would read {folder!r} as a template\n  fix: rename the folder, without {{{{")
    return prefect_flow.write(plan.project, folder, plan.nodes, settings.commit, settings.jobs)


def describe(plan: Plan, settings: Settings) -> dict[str, Any]:
    """Return the deployment as the API takes it, without a name and the flow's id.

    Raises:
        EngineError: A setting is missing, or the folder has a name that Prefect would change.
    """
    text = flow(plan, settings)
    folder = settings.folder or str(plan.folder)
    file = f"build/prefect/flow-{hashlib.sha256(text.encode()).hexdigest()[:8]}.py"
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    unpack = {
        "script": shlex.join(["uv", "run", "--no-sync", "python", "-c", UNPACK]),
        "directory": folder,
        "env": {"FLOW_FILE": file, "FLOW_TEXT": packed},
    }
    if settings.type != "process" and not settings.image:
        raise EngineError(
            f"a work pool of the type {settings.type} needs an image\n"
            "  fix: set image in operation/configuration/engines/prefect.yaml"
        )
    defaults = {"run": "", "commit": settings.commit, "propose": True}
    schema = {
        "title": "Parameters",
        "type": "object",
        "properties": {
            name: {"type": kind, "title": name, "description": text, "default": defaults[name], "position": position}
            for position, (name, (kind, text)) in enumerate(PARAMETERS.items())
        },
    }
    return {
        "description": "Written by poe from dvc.yaml and operation/configuration/engines/prefect.yaml.",
        "work_pool_name": settings.work_pool,
        "entrypoint": f"{file}:{prefect_flow.FUNCTION}",
        "pull_steps": [
            {"prefect.deployments.steps.run_shell_script": unpack},
            {"prefect.deployments.steps.set_working_directory": {"directory": folder}},
        ],
        "parameters": defaults,
        "parameter_openapi_schema": schema,
        "job_variables": ({"image": settings.image} if settings.image else {}) | settings.job_variables,
    }
