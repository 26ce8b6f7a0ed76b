"""The engine `prefect`: a run is a flow run of Prefect 3, which a worker starts, and each stage is a task of it.

`compile` writes the flow, see `prefect_flow`. `submit` gives it to the server, see `prefect_deployment`, and follows
the tasks of the flow run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shlex
import time
from collections.abc import Mapping
from typing import Any

from copier_mlops.pipeline.engines import EngineError, StageState, State, Submission, prefect_deployment
from copier_mlops.pipeline.engines.prefect_api import Api
from copier_mlops.pipeline.engines.prefect_deployment import Settings
from copier_mlops.pipeline.plan import Plan

STATES = {
    "SCHEDULED": State.WAITING,
    "PENDING": State.WAITING,
    "PAUSED": State.WAITING,
    "RUNNING": State.RUNNING,
    "CANCELLING": State.RUNNING,
    "COMPLETED": State.SUCCEEDED,
    "CANCELLED": State.CANCELLED,
    "FAILED": State.FAILED,
    "CRASHED": State.FAILED,
}
ENDED = {"COMPLETED", "CANCELLED", "FAILED", "CRASHED"}
# The state of a task that waited for one that failed.
NOT_READY = "NotReady"
# Prefect hears of the states and logs of tasks a moment after the end of their flow.
SECONDS_TO_HEAR = 10.0
LAST_MESSAGE = "Finished in state "
# A worker asks every few seconds whether a run is to be cancelled, and gives it half a minute to end.
SECONDS_TO_CANCEL = 60.0


def compile(plan: Plan) -> str:
    """Return the flow.

    Raises:
        EngineError, SystemExit: A setting is missing, or wrong.
    """
    return prefect_deployment.flow(plan, Settings.load("prefect"))


def submit(plan: Plan) -> Submission:
    """Create a flow run of the name of the run; if one is under way, only follow it.

    Raises:
        EngineError: The server refused it, or has no such work pool.
        EngineAwayError: The server does not answer.
    """
    settings = Settings.load("prefect")
    api = _connect(settings)
    pool = _pool(api, settings)
    flow = api.send("flows/", {"name": plan.project})["id"]
    wanted = {"flows": {"id": {"any_": [flow]}}, "flow_runs": {"name": {"any_": [plan.run]}}}
    known = api.list("flow_runs/filter", wanted | {"sort": "EXPECTED_START_TIME_DESC"})
    for each in known:
        if each["state_type"] not in (*ENDED, "CANCELLING"):
            return FlowRun(plan, api, each["id"], pool)
    body = prefect_deployment.describe(plan, settings)
    mark = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:8]
    name = f"poe-train-{mark}"  # one for each flow and setting, so that no run gets the flow of another
    found = api.get(f"deployments/name/{plan.project}/{name}") or api.send(
        "deployments/", body | {"name": name, "flow_id": flow}
    )
    parameters = {"run": plan.run, "commit": plan.commit, "propose": False}
    created = api.send(
        f"deployments/{found['id']}/create_flow_run",
        # The key makes one run of two that are submitted at the same moment.
        {"name": plan.run, "parameters": parameters, "idempotency_key": f"{plan.run}/{len(known)}"},
    )
    return FlowRun(plan, api, created["id"], pool)


def deploy(plan: Plan) -> str:
    """Give the flow to the server as the deployment `scheduled`, with the schedule of the settings.

    Returns:
        A sentence for the terminal.

    Raises:
        EngineError: The server refused it, or has no such work pool.
        EngineAwayError: The server does not answer.
    """
    settings = Settings.load("prefect")
    api = _connect(settings)
    _pool(api, settings)
    flow = api.send("flows/", {"name": plan.project})["id"]
    cron = settings.schedule
    schedules = [{"active": True, "schedule": {"cron": cron, "timezone": settings.timezone}}] if cron else []
    body = prefect_deployment.describe(plan, settings) | {
        "name": "scheduled",
        "flow_id": flow,
        "schedules": schedules,
        "concurrency_limit": settings.runs_at_once,
    }
    found = api.send("deployments/", body)
    when = f"runs at {cron} ({settings.timezone})" if cron else "has no schedule"
    return f"{plan.project}/scheduled {when}: {api.web}/deployments/deployment/{found['id']}"


class FlowRun:
    """A flow run."""

    def __init__(self, plan: Plan, api: Api, number: str, pool: dict[str, Any]) -> None:
        """Take the plan, the server, the id of the flow run, and the work pool as the server describes it."""
        self.plan, self.api, self.number, self.pool = plan, api, number, pool
        self.tasks: dict[str, dict[str, Any]] = {}
        self.ended_at = self.heard_until = 0.0

    @property
    def place(self) -> str:
        """The address of its page, and what to do if nothing would start it."""
        page = f"{self.api.web}/runs/flow-run/{self.number}"
        if self.pool.get("status") == "READY":
            return page
        return f"{page}; start a worker, since none is online: prefect worker start --pool {self.pool['name']}"

    def states(self) -> Mapping[str, StageState]:
        """Return the state of each stage.

        Raises:
            EngineError: The flow run was deleted.
            EngineAwayError: The server does not answer.
        """
        run = self._read()
        wanted = {"task_runs": {"flow_run_id": {"any_": [self.number]}}}
        self.tasks = {each["name"]: each for each in self.api.list("task_runs/filter", wanted)}
        place = str(run.get("infrastructure_pid") or "")
        place = f"process {place}" if place.isdigit() else place
        states = {node.name: self._state(self.tasks.get(node.name), place) for node in self.plan.nodes}
        if run["state_type"] not in ENDED:
            return states
        self.ended_at = self.ended_at or time.monotonic()
        return self._at_the_end(states, run["state_type"])

    def _read(self) -> dict[str, Any]:
        run = self.api.get(f"flow_runs/{self.number}")
        if not isinstance(run, dict):
            raise EngineError(
                f"the flow run {self.number} was deleted\n  fix: poe train --engine prefect --run {self.plan.run}"
            )
        return run

    def _state(self, task: dict[str, Any] | None, place: str) -> StageState:
        if task is None:
            return StageState(State.WAITING)
        if task["state_name"] == NOT_READY:
            return StageState(State.SKIPPED)
        return StageState(STATES.get(task["state_type"], State.WAITING), place)

    def _at_the_end(self, states: dict[str, StageState], ended: str) -> dict[str, StageState]:
        """Return the states when the flow run has ended, also of tasks that it left, or that the server knows late."""
        if ended == "COMPLETED":
            return {name: StageState(State.SUCCEEDED, each.place) for name, each in states.items()}
        is_early = time.monotonic() - self.ended_at < SECONDS_TO_HEAR
        if ended != "CANCELLED" and is_early and any(each.state is State.RUNNING for each in states.values()):
            return states
        left = {State.WAITING: State.SKIPPED, State.RUNNING: State.FAILED}
        if ended == "CANCELLED":
            left = dict.fromkeys((State.WAITING, State.RUNNING, State.SKIPPED), State.CANCELLED)
        states = {name: StageState(left.get(each.state, each.state), each.place) for name, each in states.items()}
        if ended != "CANCELLED" and all(each.state is not State.FAILED for each in states.values()):
            # It did not come to a stage, so its own log goes with the first one that is left.
            name = next((name for name, each in states.items() if each.state is State.SKIPPED), "")
            states |= {name: StageState(State.FAILED)} if name else {}
        return states

    def log(self, name: str) -> str:
        """Return the log of a stage's task, or that of the flow run if it did not come to that stage.

        Raises:
            EngineAwayError: The server does not answer.
        """
        task = self.tasks.get(name)
        key, number = ("task_run_id", task["id"]) if task else ("flow_run_id", self.number)
        self.heard_until = self.heard_until or time.monotonic() + SECONDS_TO_HEAR
        while True:
            lines = self.api.list("logs/filter", {"logs": {key: {"any_": [number]}}, "sort": "TIMESTAMP_ASC"})
            is_whole = any(each["message"].startswith(LAST_MESSAGE) for each in lines)
            if is_whole or time.monotonic() > self.heard_until:
                return "\n".join(filter(None, map(_shown, lines)))
            time.sleep(0.5)

    def cancel(self) -> None:
        """Let the worker end the flow run, and wait until it has.

        Raises:
            EngineAwayError: The server does not answer.
        """
        state = {"type": "CANCELLING", "name": "Cancelling"}
        self.api.send(f"flow_runs/{self.number}/set_state", {"state": state})
        until = time.monotonic() + SECONDS_TO_CANCEL
        while time.monotonic() < until and self._read()["state_type"] not in ENDED:
            time.sleep(0.5)


def _shown(line: Mapping[str, Any]) -> str:
    """Return a line of a log without what Prefect adds for its own developers: warnings, and where an error came from.

    The lines of commands have the level of an information.
    """
    message = str(line["message"])
    if line["level"] >= logging.ERROR:
        return message.partition("\n")[0]
    return "" if line["level"] == logging.WARNING else message


def _connect(settings: Settings) -> Api:
    address = os.environ.get("PREFECT_API_URL") or settings.api_url
    if not address:
        raise EngineError(
            "the address of Prefect is not set\n  fix: set PREFECT_API_URL, for example: http://127.0.0.1:4200/api"
        )
    return Api(address)


def _pool(api: Api, settings: Settings) -> dict[str, Any]:
    """Return the work pool.

    Raises:
        EngineError: The server does not have it, or it is of another type.
    """
    found = api.get(f"work_pools/{settings.work_pool}")
    if not isinstance(found, dict):
        raise EngineError(
            f"Prefect at {api.base} has no work pool {settings.work_pool!r}\n"
            f"  fix: prefect work-pool create --type {settings.type} {shlex.quote(settings.work_pool)}"
        )
    if found["type"] != settings.type:
        raise EngineError(
            f"the work pool {settings.work_pool} is of the type {found['type']}, not {settings.type}\n"
            "  fix: correct work_pool or type in operation/configuration/engines/prefect.yaml"
        )
    return found
