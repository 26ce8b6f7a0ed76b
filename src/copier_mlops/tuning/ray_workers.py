"""Trials as tasks of Ray, by the address of a cluster; each node sees the project in the same folder.

A task starts the process of the trial on its node, with the Python of this environment. So Ray's own Python needs
nothing of the project, and the stages are those of any other trial.
"""

from __future__ import annotations

import logging
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from copier_mlops.pipeline.dag import Resources
from copier_mlops.tuning import TuneError, process
from copier_mlops.tuning.workers import LOG, command, limits

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
# Ray tells nobody of this run, and does not start its workers by `uv run` in copies of the project.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
# The words of Ray if the head of a cluster has answered, and the server of this client did not start in time.
BUSY = "Initialization failure"


class OnRay:
    """Tasks of a Ray cluster, each of which asks for what `meta.execution` of the stage says."""

    def __init__(self, address: str, jobs: int | None, resources: Resources) -> None:
        """Connect to a cluster, or start one on this machine.

        Args:
            address: `local` starts Ray on this machine, `auto` finds the one that runs here; otherwise that of a
                cluster, for example `ray://head:10001`.
            jobs: How many trials may run at once; None for as many as the cluster has cores for.
            resources: What a trial asks of a node.

        Raises:
            TuneError: The cluster does not answer, or cannot run a trial.
        """
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        import ray  # type: ignore[import-not-found, unused-ignore]

        self.ray: Any = ray
        self.asked = asked(resources)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address == "local":
            options["include_dashboard"] = False
        self._connect(address, options)
        self.jobs = min(jobs or 2**31, self._places())
        ray.cloudpickle.register_pickle_by_value(process)
        self.task = ray.remote(max_retries=0, **self.asked)(process.follow)
        self.started: list[Any] = []

    def _connect(self, address: str, options: dict[str, Any]) -> None:
        """Connect, for a second time if the head of the cluster answered, but was too busy to start a server for us.

        Raises:
            TuneError: The cluster does not answer.
        """
        for is_last in (False, True):
            try:
                self.ray.init(address=address, **options)
            except Exception as error:  # of gRPC, Ray or the system
                reason = " ".join(str(error).split())
                if BUSY in reason and not is_last:
                    self.ray.shutdown()
                    continue
                raise TuneError(
                    f"no Ray answers at {address}: {reason:.200}\n"
                    "  fix: start one with `ray start --head`, or on this machine only: uv run poe tune --ray local.\n"
                    "  If it asks for a token: RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH names the file that has it"
                ) from None
            return

    def _places(self) -> int:
        """Return how many trials the cluster can run at once.

        Raises:
            TuneError: None.
        """
        has = self.ray.cluster_resources()
        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        places = int(min(has.get(names[name], 0) // value for name, value in self.asked.items() if value))
        if places < 1:
            self.ray.shutdown()
            wanted = ", ".join(f"{names[name]} {value:g}" for name, value in self.asked.items() if value)
            raise TuneError(
                f"the Ray cluster cannot run a trial, which asks for {wanted}\n"
                "  fix: ask for less in `meta.execution` of the stage in dvc.yaml, or add a node"
            )
        return places

    def start(self, root: Path, folder: Path) -> Future[int]:
        """Start a trial; see `Workers`."""
        variables = limits(max(1, int(self.asked["num_cpus"])))
        task = self.task.remote(command(folder), str(root), str(folder / LOG), variables)
        self.started.append(task)
        future: Future[int] = task.future()
        return _as_code(future)

    def end(self) -> None:
        """End the trials; see `Workers`."""
        try:
            running: list[Any] = []
            if self.started:
                _, running = self.ray.wait(self.started, num_returns=len(self.started), timeout=0)
            for task in running:
                self.ray.cancel(task)  # raises KeyboardInterrupt in the task, which ends its process
            if running:
                self.ray.wait(running, num_returns=len(running), timeout=2 * process.GRACE)
        finally:
            self.ray.shutdown()


def asked(resources: Resources) -> dict[str, float]:
    """Return what a stage asks for, in Ray's words."""
    found = {"num_cpus": float(resources.cpu or 1), "num_gpus": float(resources.gpu)}
    if resources.memory:
        found["memory"] = int(resources.memory[:-2]) * UNITS[resources.memory[-2:]]
    return found


def _as_code(future: Future[int]) -> Future[int]:
    """Return a future that gives 1 if Ray lost the task, for example with its node: the trial has failed."""
    code: Future[int] = Future()

    def done(ended: Future[int]) -> None:
        code.set_result(1 if ended.cancelled() or ended.exception() else ended.result())

    future.add_done_callback(done)
    return code
