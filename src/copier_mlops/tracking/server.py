"""Connect to the tracking server, or say in one sentence why that failed.

MLflow takes 1.5 seconds and more to import, so `connect` imports it only after the checks that do not need it.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copier_mlops.address import redacted
from copier_mlops.collector import without_collector
from copier_mlops.project import root
from copier_mlops.settings import Settings, load_settings, sqlite_file, tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

FIX = "start it, or name another one: MLFLOW_TRACKING_URI, the answer tracking_uri, or an environment's settings.yaml"
# With these, a server that is down is reported within seconds. You can set other values for a slow server.
RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
# `track` prints where it logs to; MLflow would print the address with all that is in it.
QUIET = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
POOL = "MLFLOW_SQLALCHEMYSTORE_POOLCLASS"


class TrackingError(SystemExit):
    """The tracking server does not answer, or refused a request; the text says which, and how to fix it."""


@without_collector("mlflow")
def connect(settings: Settings) -> MlflowClient:
    """Return a client of the tracking server, after it has answered once.

    Raises:
        TrackingError: It does not answer.
    """
    for name, value in (RETRIES | QUIET).items():
        os.environ.setdefault(name, value)
    import mlflow
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(settings.tracking_uri)
    file = sqlite_file(settings.tracking_uri)
    try:
        if file and not file.exists():
            _make_database(file)
        client = MlflowClient(settings.tracking_uri)
        client.search_experiments(max_results=1)
    except Exception as error:  # the database's and the network's errors share no class
        refused = re.search(r"\b(401|403)\b|UNAUTHENTICATED|PERMISSION_DENIED", str(error))
        raise TrackingError(
            f"tracking: {redacted(settings.tracking_uri)} {'refuses the login' if refused else 'does not answer'}: "
            f"{_reason(error)}\n"
            f"  fix: {fix(settings.tracking_uri, bool(refused))}\n"
            "  nothing is lost: results are in build/ and dvc.lock; continue with `uv run poe track`"
        ) from None
    return client


def fix(uri: str, refused: bool) -> str:
    """Return what to do about a server that does not answer, or that refused the login."""
    entry = tracker(uri)
    # A service without an address of its own, such as Databricks, always runs; so the login is what lacks.
    needs_login = entry.get("pattern") and entry.get("credentials")
    return str(entry["credentials"]) if needs_login or (refused and entry.get("credentials")) else FIX


def _make_database(file: Path) -> None:
    """Create a SQLite file with MLflow's tables, atomically.

    MLflow runs some 70 migrations, each of which waits for the disk. The file gets its name only after the last one, so
    these waits can be skipped, which takes a third of the time.
    """
    from mlflow import MlflowClient
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    draft = file.with_name(f"{file.name}.{os.getpid()}.draft")
    before = os.environ.get(POOL)
    # Without a pool, each connection is closed after use: Windows cannot rename an open file.
    os.environ[POOL] = "NullPool"
    event.listen(Engine, "connect", _without_waiting)
    try:
        MlflowClient(f"sqlite:///{draft.as_posix()}").search_experiments(max_results=1)
        if not file.exists():  # another process may have been faster
            draft.replace(file)
    finally:
        event.remove(Engine, "connect", _without_waiting)
        os.environ.pop(POOL)
        if before is not None:
            os.environ[POOL] = before
        draft.unlink(missing_ok=True)


def _without_waiting(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def experiment(client: MlflowClient, settings: Settings) -> Experiment:
    """Return the experiment of this project.

    Raises:
        TrackingError: There is no experiment, or it was deleted.
    """
    found = client.get_experiment_by_name(settings.experiment)
    if found is None:
        raise TrackingError(f"tracking: no experiment {settings.experiment}\n  fix: uv run poe train, which creates it")
    if found.lifecycle_stage != "active":
        restore = f"uv run mlflow experiments restore --experiment-id {found.experiment_id}"
        raise TrackingError(f"tracking: the experiment {settings.experiment} was deleted\n  fix: {restore}")
    return found


def find_run(client: MlflowClient, experiment_id: str, pipeline: str) -> Run | None:
    """Return the newest finished run that tracks this state of the pipeline (SHA-256 of dvc.lock), or None."""
    query = f"tags.pipeline = '{pipeline}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment_id], query, max_results=1, order_by=["attributes.start_time DESC"])
    return runs[0] if runs else None


def make_experiment(client: MlflowClient, settings: Settings) -> Experiment:
    """Return this project's experiment, and create it if needed; artifacts of a SQLite file go to mlruns/ beside it.

    Raises:
        TrackingError: It was deleted.
    """
    if client.get_experiment_by_name(settings.experiment) is None:
        place = (root() / "mlruns").as_uri() if settings.tracking_uri.startswith("sqlite:") else None
        client.create_experiment(settings.experiment, artifact_location=place and f"{place}/{settings.experiment}")
    return experiment(client, settings)


def fix_experiment() -> None:
    """Create the experiment of the chosen environment if there is none.

    Raises:
        TrackingError: The server does not answer, or the experiment was deleted.
    """
    settings = load_settings()
    make_experiment(connect(settings), settings)


def _reason(error: Exception) -> str:
    text = redacted(str(error)).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
