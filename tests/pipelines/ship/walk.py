"""A host's flow as it was read back from its own YAML, walked job by job, where no runner of that host can be had.

Each job gets a fresh copy of the commit, with what the jobs that it takes have left and with nothing else.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.pipelines.flows import Job
from tests.pipelines.hosts import READERS
from tests.pipelines.ship.result import Result
from tests.pipelines.ship.shop import Shop
from tests.project import registry

# How a job tells later ones something, where it is not a line of a file.
IN_THE_LOG = {"azure_devops": r"^##vso\[task\.setvariable variable=(\w+);isOutput=true\](\w+)$"}
# What a host's runner tells a job, beside what it tells all of them: by the job's id and its environment.
Told = Callable[[str, str], dict[str, str]]


def runner(host: str, told: Told, approved: set[str]) -> Callable[[Shop, str, Path], Result]:
    """A function that runs a flow of this host, on which the gates in `approved` are opened."""

    def run(shop: Shop, flow: str, store: Path) -> Result:
        store.mkdir(parents=True)
        result = Result()
        heard: dict[str, str] = {}
        for name, job in READERS[host](shop.project.path)[flow].jobs.items():
            if job.only_if and heard.get(job.only_if) != "true":
                continue
            if job.environment in registry("gates") and job.environment not in approved:
                break
            result.jobs.append(job.name)
            variables = shop.variables() | told(name, job.environment) | job.variables
            if not run_job(shop, name, job, store, variables, result):
                result.failed = True
                break
            heard |= told_by(host, job, result.printed, shop.folder / "outputs")
        return result

    return run


def told_by(host: str, job: Job, printed: str, outputs: Path) -> dict[str, str]:
    """What a job has told later ones; a host hands on only what the job declares."""
    in_file = outputs.read_text(encoding="utf-8") if outputs.exists() else ""
    found = re.findall(IN_THE_LOG[host], printed, re.M) if host in IN_THE_LOG else re.findall(r"(\w+)=(\w+)", in_file)
    return {name: value for name, value in found if name in job.tells}


def without_token(variables: dict[str, str]) -> dict[str, str]:
    """What a step is told that may not ask the host's API."""
    return {name: value for name, value in variables.items() if name != "HOST_TOKEN"}


def run_job(shop: Shop, name: str, job: Job, store: Path, variables: dict[str, str], result: Result) -> bool:
    """Run one job in a clone of its own; false where a step failed."""
    clone = shop.project.clone(store / "clone")
    try:
        for other in job.takes:
            shutil.copytree(store / other, clone.path / "build" / other)
        for step in job.steps:
            given = variables if step.token or shop.one_token else without_token(variables)
            done = subprocess.run(
                shlex.split(step.run),
                cwd=clone.path,
                env=clone.environment | given,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            result.printed += f"$ {step.run}\n{done.stdout}{done.stderr}"
            if done.returncode:
                return False
        if job.keeps:
            shutil.copytree(clone.path / "build" / name, store / name)
        return True
    finally:
        shutil.rmtree(clone.path)
