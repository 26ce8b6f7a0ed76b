"""The engine `kubeflow`: a run is a run of Kubeflow Pipelines on Kubernetes, and each stage is a task with a pod.

`compile` writes the pipeline, see `kubeflow_pipeline`. `submit` gives it to the server, see `kubeflow_api`, and follows
the run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from copier_mlops.pipeline.engines import (
    EngineError,
    StageState,
    State,
    Submission,
    kubeflow_pipeline,
    kubernetes,
    let_end,
)
from copier_mlops.pipeline.engines.kubeflow_api import Api
from copier_mlops.pipeline.engines.kubeflow_pipeline import JOB, Settings
from copier_mlops.pipeline.plan import SHORT, Plan

STATES = {
    "PENDING": State.WAITING,
    "PAUSED": State.WAITING,
    "RUNNING": State.RUNNING,
    "CANCELING": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "SKIPPED": State.SKIPPED,
    "FAILED": State.FAILED,
    "CANCELED": State.CANCELLED,
}
ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
# A pod that is told to end has 30 seconds, unless the cluster says otherwise.
SECONDS_TO_CANCEL = 60.0
HEAD = """\
# The stages of {project} as tasks of Kubeflow Pipelines: the run {run} of the commit {commit}, which the image has.
# Written by `poe compile --engine kubeflow`.
"""


def compile(plan: Plan) -> str:
    """Return the pipeline as YAML.

    Raises:
        EngineError, SystemExit: A setting is missing or wrong, or a name or a demand is too large.
    """
    found = kubeflow_pipeline.document(plan, Settings.load("kubeflow"), plan.run)
    return kubeflow_pipeline.text(found, HEAD.format(project=plan.project, run=plan.run, commit=plan.commit[:SHORT]))


def submit(plan: Plan) -> Submission:
    """Start a run; if one of this name is under way, or has succeeded with the same commit, only follow it.

    Raises:
        EngineError: The server refused.
        EngineAwayError: It does not answer.
    """
    settings = Settings.load("kubeflow")
    kubernetes.check_remote(plan, settings, "kubeflow")
    spec = kubeflow_pipeline.document(plan, settings, plan.run)
    kubeflow_pipeline.text(spec)  # which refuses one that is too large
    api = Api(settings.url, settings.namespace)
    experiment = api.experiment(settings.experiment or plan.project)
    about = f"commit {plan.commit}"
    for each in api.runs(experiment, plan.run):
        found = Run(plan, api, str(each.run_id))
        if let_end(found, found.is_under_way) or (each.description == about and found.state == "SUCCEEDED"):
            return found
    return Run(plan, api, api.create(experiment, plan.run, about, spec, settings.service_account))


def deploy(plan: Plan) -> str:
    """Give the pipeline to the server as a version named by the commit, and a recurring run if there is a schedule.

    Raises:
        EngineError: The server refused.
        EngineAwayError: It does not answer.
    """
    settings = Settings.load("kubeflow")
    kubernetes.check_remote(plan, settings, "kubeflow")
    found = kubeflow_pipeline.document(plan, settings, JOB)
    api = Api(settings.url, settings.namespace)
    pipeline = api.upload(plan.project, f"{plan.project}-{plan.commit[:SHORT]}", kubeflow_pipeline.text(found))
    experiment = api.experiment(settings.experiment or plan.project)
    api.schedule(experiment, plan.project, pipeline, settings.schedule, settings.service_account)
    when = f"runs at {settings.schedule}" if settings.schedule else "has no schedule"
    return f"the pipeline {plan.project} {when}: {api.url}/#/pipelines/details/{pipeline[0]}/version/{pipeline[1]}"


class Run:
    """A run on the server."""

    def __init__(self, plan: Plan, api: Api, number: str) -> None:
        """Take what runs, the server, and the id of the run."""
        self.plan, self.api, self.number = plan, api, number

    @property
    def place(self) -> str:
        """The address of its page."""
        return f"{self.api.url}/#/runs/details/{self.number}"

    @property
    def state(self) -> str:
        """The state of the run as a whole, for example `RUNNING`.

        Raises:
            EngineError: The run was deleted.
            EngineAwayError: The server does not answer.
        """
        return str(self._read().state)

    def is_under_way(self) -> bool:
        """Return whether the server has not ended it.

        Raises:
            EngineError, EngineAwayError: As `state`.
        """
        return self.state not in ENDED

    def states(self) -> Mapping[str, StageState]:
        """Return the state of each stage.

        Raises:
            EngineError: The run was deleted, or did not come to a stage.
            EngineAwayError: The server does not answer.
        """
        found = self._read()
        tasks = {str(each.display_name): each for each in _tasks(found)}
        states = {node.name: _state(tasks.get(node.slug), found.state) for node in self.plan.nodes}
        if found.state == "FAILED" and not tasks:
            said = found.error.message if found.error else "no reason given"
            raise EngineError(f"Kubeflow refuses the run: {said}\n  fix: see {self.place}")
        return states

    def _read(self) -> Any:
        found = self.api.run(self.number)
        if found is None:
            raise EngineError(
                f"Kubeflow does not have the run {self.plan.run} any more\n"
                f"  fix: uv run poe train --engine kubeflow --run {self.plan.run}"
            )
        return found

    def log(self, name: str) -> str:
        """Return what the pod of the last attempt of a stage has printed, and why Kubeflow takes it for failed.

        Raises:
            EngineAwayError: The server does not answer.
        """
        slug = next(node.slug for node in self.plan.nodes if node.name == name)
        tasks = {str(each.task_id): each for each in _tasks(self._read())}
        task = next((each for each in tasks.values() if each.display_name == slug), None)
        pods = list(_pods(task, tasks)) if task else []
        printed = self.api.log(self.number, pods[-1]) if pods else ""
        said = task.error.message if task and task.error else ""
        return "\n".join(filter(None, [printed, said])) or f"Kubeflow has no output of it; see {self.place}"

    def cancel(self) -> None:
        """End the pods, and wait until they have.

        Raises:
            EngineAwayError: The server does not answer.
        """
        self.api.terminate(self.number)
        until = time.monotonic() + SECONDS_TO_CANCEL
        while time.monotonic() < until and self._read().state not in ENDED:
            time.sleep(0.5)


def _tasks(run: Any) -> list[Any]:
    return list((run.run_details and run.run_details.task_details) or [])


def _pods(task: Any, tasks: Mapping[str, Any]) -> Iterator[str]:
    """Give the pods of a task: those of its children are a driver, which prepares it, and then one for each attempt."""
    for child in task.child_tasks or []:
        if found := tasks.get(str(child.task_id)):
            yield from _pods(found, tasks)
        elif child.pod_name:
            yield str(child.pod_name)
    if task.pod_name:
        yield str(task.pod_name)


def _state(task: Any, run: str) -> StageState:
    """Return the state of a stage; when the run has ended, one that waits will not start any more."""
    state = STATES.get(task.state if task else "", State.WAITING)
    if run in ENDED and not state.has_ended:
        state = State.CANCELLED if run == "CANCELED" else State.SKIPPED
    return StageState(state)
