"""The engine `azureml`: a run is a pipeline job of Azure Machine Learning, and each stage is a command of it.

`compile` writes the job, see `azureml_job`. `submit` uploads the files of the commit and starts it, see `azureml_api`,
then follows it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from copier_mlops.pipeline.engines import (
    EngineAwayError,
    EngineError,
    StageState,
    State,
    Submission,
    azureml_code,
    azureml_job,
    let_end,
)
from copier_mlops.pipeline.engines.azureml_api import ENDED, Api
from copier_mlops.pipeline.engines.azureml_job import JOB, Settings
from copier_mlops.pipeline.plan import SHORT, Plan

STATES = {
    "Completed": State.SUCCEEDED,
    "Failed": State.FAILED,
    "NotResponding": State.FAILED,
    "Canceled": State.CANCELLED,
    "Skipped": State.SKIPPED,
    "Running": State.RUNNING,
    "Finalizing": State.RUNNING,
    "CancelRequested": State.RUNNING,
}
# Azure ends a container some time after it is told to.
SECONDS_TO_CANCEL = 120.0
HEAD = """\
# The stages of {project} as a pipeline job of Azure Machine Learning: the run {run} of the commit {commit}.
# Written by `poe compile --engine azureml`. In a copy of that commit: az ml job create --file FILE
"""


def compile(plan: Plan) -> str:
    """Return the pipeline job as YAML.

    Raises:
        EngineError, SystemExit: A setting is missing or wrong, or a name is not one for Azure.
    """
    found = azureml_job.document(plan, Settings.load("azureml"), plan.run)
    return azureml_job.text(found, HEAD.format(project=plan.project, run=plan.run, commit=plan.commit[:SHORT]))


def submit(plan: Plan) -> Submission:
    """Start a job; if one of this run is under way, or has succeeded with the same commit, only follow it.

    Raises:
        EngineError: Azure refused, or its nodes would not reach the data remote.
        EngineAwayError: Azure does not answer.
    """
    settings = Settings.load("azureml")
    found = azureml_job.document(plan, settings, plan.run)
    api, attempt = Api(settings), 1
    while job := api.job(_name(plan, attempt)):
        run, is_same = Run(plan, api, job), (job.tags or {}).get("commit") == plan.commit
        if let_end(run, run.is_under_way) or (is_same and run.has_succeeded()):
            return run
        attempt += 1
    with azureml_code.of(plan, settings.shared_folder) as code:
        return Run(plan, api, api.create(found, _name(plan, attempt), code))


def deploy(plan: Plan) -> str:
    """Give the workspace a schedule that starts the pipeline job, or stop the one that is there.

    Raises:
        EngineError: Azure refused, or its nodes would not reach the data remote.
        EngineAwayError: Azure does not answer.
    """
    settings = Settings.load("azureml")
    found = azureml_job.document(plan, settings, JOB)
    api = Api(settings)
    if not settings.schedule:
        api.stop_schedule(plan.project)
        return f"{plan.project} has no schedule in {api.workspace}; to have one, set schedule"
    with azureml_code.of(plan, settings.shared_folder) as code:
        api.schedule(plan.project, found, code, settings.schedule, settings.time_zone)
    return f"the schedule {plan.project} in {api.workspace} starts {plan.commit[:SHORT]} at {settings.schedule}"


def _name(plan: Plan, attempt: int) -> str:
    """Return the name of a job, which Azure gives only once. A project has no `_`, so no two runs share one."""
    return f"{plan.project}_{attempt}_{plan.run}"


class Run:
    """A pipeline job in the workspace."""

    def __init__(self, plan: Plan, api: Api, job: Any) -> None:
        """Take what runs, the workspace, and the job."""
        self.plan, self.api, self.name = plan, api, str(job.name)
        self.page = str(job.studio_url or "")

    @property
    def place(self) -> str:
        """The address of its page in the studio of Azure ML."""
        return self.page or f"the job {self.name} in {self.api.workspace}"

    def states(self) -> Mapping[str, StageState]:
        """Return the state of each stage.

        Raises:
            EngineError: The job was deleted, or ended before its first stage.
            EngineAwayError: Azure does not answer.
        """
        status = self._status()
        children = self.api.children(self.name)
        if status == "Failed" and not children:
            said = self.api.log(self.name).splitlines() or ["no reason given"]
            raise EngineError(f"Azure ML cannot run the job: {said[-1]}\n  fix: see {self.place}")
        return {node.name: self._state(children.get(node.slug), status) for node in self.plan.nodes}

    def is_under_way(self) -> bool:
        """Return whether Azure has not ended it.

        Raises:
            EngineError, EngineAwayError: As `states`.
        """
        return self._status() not in ENDED

    def has_succeeded(self) -> bool:
        """Return whether all stages have ended well.

        Raises:
            EngineError, EngineAwayError: As `states`.
        """
        return self._status() == "Completed"

    def _status(self) -> str:
        job = self.api.job(self.name)
        if job is None:
            raise EngineError(
                f"Azure ML does not have the job {self.name} any more\n"
                f"  fix: uv run poe train --engine azureml --run {self.plan.run}"
            )
        return self.api.status(job)

    def log(self, name: str) -> str:
        """Return what the command of a stage has printed, and why Azure takes it for failed.

        Raises:
            EngineAwayError: Azure does not answer.
        """
        slug = next(node.slug for node in self.plan.nodes if node.name == name)
        child = self.api.children(self.name).get(slug)
        try:
            found = self.api.log(child.name) if child else ""
        except EngineAwayError:
            raise
        except EngineError as error:  # logs are in a store with rights of its own; the results do not depend on them
            found = str(error).splitlines()[0]
        return found or f"Azure ML has no output of it; see {self.place}"

    def cancel(self) -> None:
        """End the job, and wait until it has.

        Raises:
            EngineAwayError: Azure does not answer.
        """
        self.api.cancel(self.name)
        until = time.monotonic() + SECONDS_TO_CANCEL
        while time.monotonic() < until and self._status() not in ENDED:
            time.sleep(1)

    def _state(self, child: Any, status: str) -> StageState:
        """Return the state of a stage; when the job has ended, one that waits will not start any more."""
        state = STATES.get(self.api.status(child) if child else "", State.WAITING)
        if status in ENDED and not state.has_ended:
            state = State.CANCELLED if status == "Canceled" else State.SKIPPED
        return StageState(state)
