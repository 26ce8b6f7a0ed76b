"""The tracking server: reach it, or say in one sentence why not.

MLflow takes 1.5 seconds and more to import, so `connect` imports it, and whatever can be said before is said before.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from copier_mlops.project import Settings, answered_tracking_uri, load_settings, root
from copier_mlops.setup.checks import Check, Finding

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

MEND = "start it, or name another one: MLFLOW_TRACKING_URI, the answer tracking_uri, or an environment's settings.yaml"
# How such a file names a server of its own.
OWN = re.compile(r"^tracking_uri: *[\"']?([^\"'\s]+)", re.MULTILINE)

# A server that is down is reported within seconds, not after minutes of retries; set these yourself for a slow one.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class TrackingError(SystemExit):
    """The tracking server does not answer, or does not do what it was asked; the text says which and what to do."""


def connect(settings: Settings) -> MlflowClient:
    """A client of the tracking server, which has answered once.

    Raises:
        TrackingError: It does not answer.
    """
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    import mlflow
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(settings.tracking_uri)
    client = MlflowClient(settings.tracking_uri)
    try:
        client.search_experiments(max_results=1)
    except Exception as error:  # the database's and the network's errors share no class
        raise TrackingError(
            f"tracking: {settings.tracking_uri} does not answer: {_reason(error)}\n"
            f"  mend: {MEND}\n"
            "  nothing is lost: what the pipeline made is in build/ and dvc.lock; `uv run poe track` goes on"
        ) from None
    return client


def experiment(client: MlflowClient, settings: Settings) -> Experiment:
    """The experiment of this project.

    Raises:
        TrackingError: There is none, or it was deleted.
    """
    found = client.get_experiment_by_name(settings.experiment)
    if found is None:
        raise TrackingError(f"tracking: no experiment {settings.experiment}\n  mend: uv run poe setup")
    if found.lifecycle_stage != "active":
        restore = f"uv run mlflow experiments restore --experiment-id {found.experiment_id}"
        raise TrackingError(f"tracking: the experiment {settings.experiment} was deleted\n  mend: {restore}")
    return found


def find_run(client: MlflowClient, experiment_id: str, pipeline: str) -> Run | None:
    """The finished run, the newest if several, that tracks this state of the pipeline (SHA-256 of dvc.lock)."""
    query = f"tags.pipeline = '{pipeline}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment_id], query, max_results=1, order_by=["attributes.start_time DESC"])
    return runs[0] if runs else None


def look_server() -> Finding:
    """Whether the tracking server answers; a SQLite file that is not there yet is not made by looking."""
    settings = load_settings()
    others = _others()
    scheme, _, file = settings.tracking_uri.partition(":///")
    if scheme == "sqlite" and not Path(file).is_file():
        return Finding(False, f"{settings.tracking_uri} is not there yet{others}", "uv run poe setup")
    try:
        connect(settings)
    except TrackingError as error:
        return Finding(False, str(error).splitlines()[0].removeprefix("tracking: ") + others, MEND)
    return Finding(True, f"{settings.tracking_uri} answers{others}")


def _others() -> str:
    """A clause that names the files of environments whose tracking_uri is not the one that was answered."""
    answer, files = answered_tracking_uri(), []
    for file in sorted(root().glob("operation/configuration/environment_*/settings.yaml")):
        own = OWN.search(file.read_text(encoding="utf-8"))
        if own and own[1] != answer:
            files.append(file.relative_to(root()).as_posix())
    return f"; the answer is {answer}, but another one stands in {', '.join(files)}" if files else ""


def look_experiment() -> Finding:
    """Whether the project's experiment is there."""
    settings = load_settings()
    if not (server := look_server()).ok:
        return Finding(False, "cannot be looked up while the tracking server is away", server.advice)
    try:
        found = experiment(connect(settings), settings)
    except TrackingError as error:
        text, _, advice = str(error).partition("\n  mend: ")
        return Finding(False, text.removeprefix("tracking: "), advice)
    return Finding(True, f"{found.name}, number {found.experiment_id}")


def mend_server() -> None:
    """Make the tables of a SQLite file, in one process, before others write to it."""
    connect(load_settings())


def mend_experiment() -> None:
    """Create the experiment; artefacts of a SQLite file go to mlruns/ beside it."""
    settings = load_settings()
    client = connect(settings)
    if client.get_experiment_by_name(settings.experiment) is None:
        place = (root() / "mlruns").as_uri() if settings.tracking_uri.startswith("sqlite:") else None
        client.create_experiment(settings.experiment, artifact_location=place and f"{place}/{settings.experiment}")


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"


CHECKS = [Check("tracking server", look_server, mend_server), Check("experiment", look_experiment, mend_experiment)]
