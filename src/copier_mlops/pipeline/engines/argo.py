"""The engine `argo`: a run is a Workflow of Argo Workflows on Kubernetes, and each stage is a pod of it.

`compile` writes the Workflow, see `argo_manifest`. `submit` gives it to the cluster, see `argo_client`, and follows it.
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
    argo_manifest,
    kubernetes,
)
from copier_mlops.pipeline.engines.argo_client import Client, Kubectl, client
from copier_mlops.pipeline.engines.argo_manifest import COMMIT, Settings
from copier_mlops.pipeline.plan import SHORT, Plan

PHASES = {
    "": State.WAITING,
    "Pending": State.WAITING,
    "Running": State.RUNNING,
    "Succeeded": State.SUCCEEDED,
    "Skipped": State.SKIPPED,
    "Omitted": State.SKIPPED,
    "Failed": State.FAILED,
    "Error": State.FAILED,
}
ENDED = {"Succeeded", "Failed", "Error"}
# A pod that is told to end has 30 seconds, unless the cluster says otherwise; and Argo ends a run after its last stage.
SECONDS_TO_END = 60.0
HEAD = "# The stages of {project} as pods of Argo Workflows: {what} of the commit {commit}, which the image has.\n"
HOW = "# Written by `poe compile --engine argo`. To {do} it: kubectl {verb} --filename=FILE\n"


def compile(plan: Plan) -> str:
    """Return the Workflow of a run as YAML.

    Raises:
        EngineError, SystemExit: A setting is missing or wrong, or Kubernetes would refuse a name or a quantity.
    """
    head = HEAD.format(project=plan.project, what=f"the run {plan.run}", commit=plan.commit[:SHORT])
    comment = head + HOW.format(do="start", verb="create")
    return argo_manifest.text(argo_manifest.workflow(plan, Settings.load("argo")), comment=comment)


def compile_template(plan: Plan) -> str:
    """Return the WorkflowTemplate of all runs as YAML, and a CronWorkflow if the settings have a schedule.

    Raises:
        EngineError, SystemExit: As `compile`.
    """
    head = HEAD.format(project=plan.project, what="the template of all runs", commit=plan.commit[:SHORT])
    comment = head + HOW.format(do="store", verb="apply")
    return argo_manifest.text(*_kept(plan, Settings.load("argo")), comment=comment)


def _kept(plan: Plan, settings: Settings) -> list[dict[str, Any]]:
    """Return what the cluster keeps for runs that start there."""
    documents = [argo_manifest.template(plan, settings)]
    if settings.schedule:
        documents.append(argo_manifest.cron(plan, settings))
    return documents


def submit(plan: Plan) -> Submission:
    """Create the Workflow; if one of this name is under way, only follow it, and if it has failed, replace it.

    Raises:
        EngineError: The cluster refused.
        EngineAwayError: It does not answer.
    """
    text, settings = compile(plan), Settings.load("argo")
    kubernetes.check_remote(plan, settings, "argo")
    submitted = Run(plan, client(settings.namespace))
    if known := submitted.let_end():
        phase = known["status"].get("phase", "")
        if phase not in ENDED or (phase == "Succeeded" and _commit_of(known) == plan.commit):
            return submitted
        submitted.client.delete(plan.run)  # stages that have ended have their results on the data remote
    try:
        submitted.client.create(text)
    except EngineAwayError:
        raise
    except EngineError:
        if submitted.client.get(plan.run) is None:  # nobody else has started it just now
            raise
    return submitted


def deploy(plan: Plan) -> str:
    """Give the pipeline to the cluster as a WorkflowTemplate, with a CronWorkflow if the settings have a schedule.

    Raises:
        EngineError: The cluster refused.
        EngineAwayError: It does not answer.
    """
    settings = Settings.load("argo")
    kubernetes.check_remote(plan, settings, "argo")
    kubectl = Kubectl(settings.namespace)
    kubectl.apply(argo_manifest.text(*_kept(plan, settings)))
    if not settings.schedule:
        kubectl.delete_schedule(plan.project)
    when = f"runs at {settings.schedule} ({settings.timezone})" if settings.schedule else "has no schedule"
    return f"the workflow template {plan.project} {when}: argo submit --from workflowtemplate/{plan.project}"


class Run:
    """A Workflow, whose name is that of the run."""

    def __init__(self, plan: Plan, client: Client) -> None:
        """Take what runs, and the program that talks to the cluster."""
        self.plan, self.client = plan, client

    @property
    def place(self) -> str:
        """The command that shows the Workflow."""
        return self.client.shown(self.plan.run)

    def states(self) -> Mapping[str, StageState]:
        """Return the state of each stage.

        Raises:
            EngineError: The Workflow was deleted, or Argo refuses it.
            EngineAwayError: The cluster does not answer.
        """
        found = self.client.get(self.plan.run)
        if found is None:
            raise EngineError(
                f"the cluster does not have the workflow {self.plan.run} any more\n"
                f"  fix: uv run poe train --engine argo --run {self.plan.run}"
            )
        return self._states(found)

    def _states(self, found: Mapping[str, Any]) -> dict[str, StageState]:
        status = found["status"]
        nodes = [each for each in status.get("nodes", {}).values() if each.get("type") != "DAG"]
        phase = status.get("phase", "")
        if phase == "Error" and not nodes:
            raise EngineError(f"Argo refuses the run: {status.get('message', 'no reason given')}\n  fix: {self.place}")
        if status.get("offloadNodeStatusVersion") and not nodes:
            raise EngineError(
                "Argo keeps the states of the run in its database, which kubectl does not read\n"
                f"  fix: install argo, set ARGO_SERVER, then: uv run poe train --engine argo --run {self.plan.run}"
            )
        is_stopped = bool(found["spec"].get("shutdown"))
        return {node.name: _state(node.slug, nodes, phase, is_stopped) for node in self.plan.nodes}

    def let_end(self) -> dict[str, Any] | None:
        """Return the Workflow; if it was stopped or all its stages have ended, wait for its end, to resume it.

        Raises:
            EngineError, EngineAwayError: As `states`.
        """
        until = time.monotonic() + SECONDS_TO_END
        while (found := self.client.get(self.plan.run)) and time.monotonic() < until:
            if found["status"].get("phase", "") in ENDED:
                break
            is_stopped = found["spec"].get("shutdown")
            if not is_stopped and not all(each.state.has_ended for each in self._states(found).values()):
                break
            time.sleep(0.5)
        return found

    def log(self, name: str) -> str:
        """Return what the last attempt of a stage has printed, and why Argo takes it for failed.

        Raises:
            EngineAwayError: The cluster does not answer.
        """
        slug = next(node.slug for node in self.plan.nodes if node.name == name)
        found = self.client.get(self.plan.run) or {"status": {}}
        nodes = found["status"].get("nodes", {}).values()
        said = [each.get("message", "") for each in nodes if each.get("displayName") == slug]
        try:
            printed = self.client.log(self.plan.run, slug)
        except EngineAwayError:
            raise
        except EngineError as error:  # its pod is gone, or never had an image
            printed = str(error).splitlines()[0]
        return "\n".join(filter(None, [printed, *said])) or f"the cluster has no output of it; see {self.place}"

    def cancel(self) -> None:
        """End the pods, and wait until they have.

        Raises:
            EngineAwayError: The cluster does not answer.
        """
        self.client.stop(self.plan.run)
        self.let_end()


def _commit_of(found: Mapping[str, Any]) -> str:
    return str(found["metadata"].get("annotations", {}).get(COMMIT))


def _state(slug: str, nodes: list[dict[str, Any]], phase: str, is_stopped: bool) -> StageState:
    """Return the state of a stage: its node is named by the slug, and each attempt `slug(0)`, `slug(1)` and so on."""
    found: dict[str, Any] = next((each for each in nodes if each.get("displayName") == slug), {})
    attempts = [each for each in nodes if str(each.get("displayName")).startswith(f"{slug}(")]
    last = max(attempts, key=lambda each: int(each["displayName"][len(slug) + 1 : -1]), default=found)
    state = PHASES.get(found.get("phase", ""), State.WAITING)
    if state is State.RUNNING and PHASES.get(last.get("phase", "")) is State.WAITING:
        state = State.WAITING  # its pod has no machine or no image yet
    if phase in ENDED and not state.has_ended:
        state = State.CANCELLED if is_stopped else State.SKIPPED
    if is_stopped and "shutdown" in found.get("message", "") + last.get("message", ""):
        state = State.CANCELLED
    node = last.get("hostNodeName", "")
    place = f"on {node}" if node else last.get("message", "") if state is State.WAITING else ""
    return StageState(state, place)
