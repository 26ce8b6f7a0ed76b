"""Ask the tracking server what it knows of the last run: its version, its page, and the figures of the served model.

The report does not need it: a server that does not answer at once costs one sentence, never a red task.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from copier_mlops.address import redacted
from copier_mlops.settings import Settings, sqlite_file
from copier_mlops.tracking import lineage

# A report waits so long for an answer: once, and in seconds. You can set other values for a slow server.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "3"}


@dataclass(frozen=True)
class Tracked:
    """The facts that the tracking server has of a run.

    Attributes:
        version: The registered version of this run, or why it has none.
        served: The version that the environment serves; empty if it serves none, or nobody knows.
        figures: The metrics of the served model, by their names.
        page: The address of the run's page; empty if the server has no pages.
        reason: Why this part of the report is left out; empty if the server answered.
    """

    version: str = "not known"
    served: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    page: str = ""
    reason: str = ""


def ask(folder: Path, settings: Settings) -> Tracked:
    """Return what the tracking server of an environment knows of the last run.

    Args:
        folder: The project's root.
        settings: Those of the environment.
    """
    file = sqlite_file(settings.tracking_uri)
    if file and not file.is_file():
        return Tracked(reason=f"{redacted(settings.tracking_uri)} is not there yet")
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    # MLflow takes seconds to load, and the rest of the report does not need it.
    from copier_mlops.tracking import server

    try:
        return _answer(folder, settings)
    except server.TrackingError as error:
        return Tracked(reason=str(error).splitlines()[0].removeprefix("tracking: "))
    except Exception as error:  # the errors of databases, networks and plugins share no class
        reason = " ".join(redacted(str(error)).split())[:200] or type(error).__name__
        return Tracked(reason=f"{redacted(settings.tracking_uri)} refused a request: {reason}")


def _answer(folder: Path, settings: Settings) -> Tracked:
    from copier_mlops.tracking import models, server

    client = server.connect(settings)
    pipeline = lineage.pipeline_hash(folder)
    found = [str(each.version) for each in models.versions(client, settings) if each.tags.get("pipeline") == pipeline]
    served = models.current(client, settings)
    figures = models.figures(client, served)
    page = ""
    experiment = client.get_experiment_by_name(settings.experiment)
    if experiment and settings.tracking_uri.startswith(("http://", "https://")):
        run = server.find_run(client, experiment.experiment_id, pipeline)
        place = redacted(settings.tracking_uri).rstrip("/")
        parts = (quote(each, safe="") for each in (experiment.experiment_id, run.info.run_id)) if run else ()
        page = "{}/#/experiments/{}/runs/{}".format(place, *parts) if run else ""
    return Tracked(found[-1] if found else "not registered", str(served.version) if served else "", figures, page)
