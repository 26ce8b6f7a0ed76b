"""The engine `airflow`: each stage is a task of a DAG, whose workers call the environment of the project in a shell.

`compile` returns the DAG file, see `airflow_dag`. `submit` brings it to Airflow if this machine sees the folder of DAG
files, and starts a run of the DAG by the REST API, see `airflow_api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copier_mlops.pipeline.engines import (
    EngineAwayError,
    EngineError,
    StageState,
    State,
    Submission,
    airflow_dag,
    let_end,
)
from copier_mlops.pipeline.engines.airflow_api import Api, ConflictError, MissingError
from copier_mlops.pipeline.engines.airflow_dag import COMMIT, WAIT, Settings
from copier_mlops.pipeline.engines.airflow_delivery import check_commit, check_pools, deliver
from copier_mlops.pipeline.plan import Plan

STATES = {
    "running": State.RUNNING,
    "restarting": State.RUNNING,
    "success": State.SUCCEEDED,
    "failed": State.FAILED,
    "upstream_failed": State.SKIPPED,
    "skipped": State.SKIPPED,
    "removed": State.CANCELLED,
}
ENDED = ("success", "failed")
# The log of a task has lines of Airflow before and after those of its shell.
SHELL, OUTPUT, EXITED = "SubprocessHook", "Output:", "Command exited with return code"


def compile(plan: Plan) -> str:
    """Return the DAG file of the pipeline.

    Raises:
        EngineError, SystemExit: A setting is missing, or wrong.
    """
    return airflow_dag.write(plan, Settings.load("airflow"))


def submit(plan: Plan) -> Submission:
    """Start a run of the DAG, follow one of its name that is under way, or resume one that failed.

    Raises:
        EngineError: The login is wrong, a pool is missing, or the DAG of the server has other stages than dvc.yaml.
        EngineAwayError: Airflow does not answer.
    """
    settings = Settings.load("airflow")
    started = DagRun(plan, settings, Api(settings.url))
    started.api.get("version")  # an address that is wrong has no run either
    if let_end(started, started.is_under_way):
        return started
    found = started.find()
    if found and found["state"] == "success" and _commit_of(found) == plan.commit:
        return started
    check_commit(plan, settings)
    check_pools(plan, settings, started.api)
    deliver(plan, settings, started.api)
    started.start(found)
    return started


class DagRun:
    """A run of the DAG, whose id is the name of the run."""

    def __init__(self, plan: Plan, settings: Settings, api: Api) -> None:
        """Take what runs, and where."""
        self.plan, self.api, self.dag = plan, api, settings.dag_of(plan)
        self.path = ("dags", self.dag, "dagRuns", plan.run)
        self.attempts: dict[str, int] = {}

    @property
    def place(self) -> str:
        """The page of the run."""
        return f"{self.api.url}/dags/{self.dag}/runs/{self.plan.run}"

    def find(self) -> dict[str, Any] | None:
        """Return what Airflow knows of the run; None if it knows no such run.

        Raises:
            EngineError, EngineAwayError: As `submit`.
        """
        try:
            return dict(self.api.get(*self.path))
        except MissingError:
            return None

    def is_under_way(self) -> bool:
        """Return whether Airflow has begun it, and not ended it.

        Raises:
            EngineError, EngineAwayError: As `submit`.
        """
        found = self.find()
        return found is not None and found["state"] not in (*ENDED, None)

    def start(self, found: Mapping[str, Any] | None) -> None:
        """Start the run, or those tasks of it that have not succeeded; results of ended stages are used again.

        Raises:
            EngineError, EngineAwayError: As `submit`.
        """
        self.api.send("PATCH", "dags", self.dag, body={"is_paused": False})
        if found and _commit_of(found) == self.plan.commit:
            left = [each["task_id"] for each in self._tasks() if each["state"] != "success"]
            body = {"dry_run": False, "dag_run_id": self.plan.run, "only_failed": False, "task_ids": left}
            self.api.send("POST", "dags", self.dag, "clearTaskInstances", body=body)
            return
        if found:  # its parameters cannot be changed
            self.api.send("DELETE", *self.path)
        conf = {"commit": self.plan.commit, "run": self.plan.run, "propose": False}
        body = {"dag_run_id": self.plan.run, "logical_date": None, "conf": conf, "note": "Started by poe train"}
        try:
            self.api.send("POST", "dags", self.dag, "dagRuns", body=body)
        except ConflictError:
            if not self.find():
                raise

    def states(self) -> Mapping[str, StageState]:
        """Return the state of each stage.

        Raises:
            EngineError: The run was deleted, or a task before the stages failed.
            EngineAwayError: Airflow does not answer.
        """
        found = self.find()
        if found is None:
            raise EngineError(
                f"Airflow does not have the run {self.plan.run} of the DAG {self.dag} any more\n"
                f"  fix: uv run poe train --engine airflow --run {self.plan.run}"
            )
        tasks = {str(each["task_id"]): each for each in self._tasks()}
        self.attempts = {name: max(int(each["try_number"]), 1) for name, each in tasks.items()}
        has_ended = found["state"] in ENDED
        for name in (WAIT, COMMIT):
            if has_ended and name in tasks and tasks[name]["state"] == "failed":
                lines = [line for line in self._lines(name) if line] or ["it has no log"]
                raise EngineError(f"the task {name} failed: {lines[-1]}\n  fix: see {self.place}")
        return {node.name: _state(tasks.get(node.slug, {}), has_ended) for node in self.plan.nodes}

    def log(self, name: str) -> str:
        """Return what the last attempt of a stage has printed.

        Raises:
            EngineAwayError: Airflow does not answer.
        """
        slug = next(node.slug for node in self.plan.nodes if node.name == name)
        try:
            return "\n".join(self._lines(slug)) or f"Airflow has no output of it; see {self.place}"
        except EngineAwayError:
            raise
        except EngineError as error:
            return f"the log cannot be read: {str(error).splitlines()[0]}"

    def cancel(self) -> None:
        """Let Airflow end the tasks; their workers hear of it some seconds later.

        Raises:
            EngineError, EngineAwayError: As `submit`.
        """
        self.api.send("PATCH", *self.path, body={"state": "failed"})

    def _tasks(self) -> list[dict[str, Any]]:
        return self.api.all("task_instances", *self.path, "taskInstances", order_by="id")

    def _lines(self, task: str) -> list[str]:
        attempt = str(self.attempts.get(task, 1))
        document = self.api.get(*self.path, "taskInstances", task, "logs", attempt, full_content=True)
        return _printed(document.get("content", []))


def _commit_of(found: Mapping[str, Any]) -> str:
    return str((found.get("conf") or {}).get("commit"))


def _state(task: Mapping[str, Any], has_ended: bool) -> StageState:
    """Return the state of a task; when the run has ended, one that waits will not start any more."""
    state = STATES.get(str(task.get("state")), State.WAITING)
    if has_ended and not state.has_ended:
        state = State.CANCELLED
    return StageState(state, f"on {task['hostname']}" if task.get("hostname") else "")


def _printed(content: list[Any]) -> list[str]:
    """Return the lines of a log that come from the shell of the task, and why it failed."""
    lines, has_begun = list[str](), False
    for entry in content:
        if isinstance(entry, str):  # a log that Airflow could not read itself
            lines.append(entry)
            continue
        event, is_shell = str(entry.get("event", "")), str(entry.get("logger", "")).endswith(SHELL)
        if is_shell and has_begun and not event.startswith(EXITED):
            lines += event.splitlines() or [""]
        has_begun = has_begun or (is_shell and event == OUTPUT)
        lines += [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in entry.get("error_detail") or ()]
    return lines
