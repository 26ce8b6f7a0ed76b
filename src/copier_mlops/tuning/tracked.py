"""Track a search in MLflow: one run for it, with a child for each trial. No trial is tracked twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from copier_mlops.settings import load_settings
from copier_mlops.tracking import server
from copier_mlops.tracking.lineage import as_name
from copier_mlops.tuning.space import PLACE
from copier_mlops.tuning.study import METRICS, PRINT, SAME, Study

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from optuna.trial import FrozenTrial

NAME, FINGERPRINT, TRIAL, COMMIT = "tune.search", "tune.fingerprint", "tune.trial", "tune.commit"
PARENT = "mlflow.parentRunId"
# Runs that MLflow returns at once.
MOST = 1000


def prepare() -> str:
    """Connect to the server and create the experiment; return why that is not possible, or an empty text."""
    try:
        server.fix_experiment()
    except server.TrackingError as error:
        return str(error).splitlines()[0].removeprefix("tracking: ")
    return ""


def track(study: Study, commit: str, is_complete: bool) -> str:
    """Track the trials that have ended, and return the ID of the run of the search.

    Args:
        study: The search.
        commit: The commit that its trials ran.
        is_complete: Whether it has ended; otherwise it can go on.

    Raises:
        TrackingError: The server does not answer.
    """
    settings = load_settings()
    client = server.connect(settings)
    experiment = server.make_experiment(client, settings).experiment_id
    parent = _parent(client, experiment, study, commit)
    known = {run.data.tags.get(TRIAL) for run in _children(client, experiment, parent)}
    for each in study.all():
        if str(each.number) not in known:
            _child(client, experiment, parent, each, study)
    if ranked := study.ranked():
        client.set_tag(parent, "tune.best", str(ranked[0].number))
        client.log_metric(parent, as_name(study.search.metric.name), float(ranked[0].value or 0.0))
    client.log_dict(parent, study.search.model_dump(exclude_none=True), PLACE.rpartition("/")[2])
    client.set_terminated(parent, "FINISHED" if is_complete else "KILLED")
    return parent


def _parent(client: MlflowClient, experiment: str, study: Study, commit: str) -> str:
    """Return the run of the search; create it if there is none."""
    tags = {NAME: study.folder.name, FINGERPRINT: str(study.study.user_attrs[PRINT])}
    query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    if found := client.search_runs([experiment], query, max_results=1):
        return str(found[0].info.run_id)
    began = [each.datetime_start for each in study.all() if each.datetime_start]
    run = client.create_run(
        experiment,
        start_time=int(min(began).timestamp() * 1000) if began else None,
        tags=tags | {COMMIT: commit},
        run_name=study.folder.name,
    )
    return str(run.info.run_id)


def _children(client: MlflowClient, experiment: str, parent: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment], f"tags.`{PARENT}` = '{parent}'", max_results=MOST, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _child(client: MlflowClient, experiment: str, parent: str, trial: FrozenTrial, study: Study) -> None:
    """Track a trial with its values, the numbers of its metrics file, its time and its state."""
    from mlflow.entities import Metric, Param

    began, ended = (
        int(each.timestamp() * 1000) if each else None for each in (trial.datetime_start, trial.datetime_complete)
    )
    tags = {PARENT: parent, TRIAL: str(trial.number)}
    if SAME in trial.user_attrs:
        tags[f"tune.{SAME}"] = str(trial.user_attrs[SAME])
    run = client.create_run(experiment, began, tags, f"{study.folder.name}-{trial.number}")
    values = [Param(as_name(key), str(each)) for key, each in trial.params.items()]
    numbers = [Metric(as_name(name), value, ended or 0, 0) for name, value in trial.user_attrs.get(METRICS, {}).items()]
    client.log_batch(run.info.run_id, numbers, values)
    client.set_terminated(run.info.run_id, "FAILED" if trial.value is None else "FINISHED", ended)
