"""Read the flows of extensions/flows, for the answers of a project.

A renderer gets the flows that a project has, and writes them in the syntax of its host.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

EXTENSIONS = Path(__file__).resolve().parents[1]
# Where a job with `reports` leaves the results of its tests, and what they covered.
TEST_REPORTS = "build/test-reports"
COVERAGE = "build/coverage.xml"
# How long a host keeps what jobs leave. Bitbucket's own limit is 14 days; on Azure DevOps, it is a setting.
KEPT_DAYS = 30


@dataclass(frozen=True)
class Answers:
    """The answers on which the structure of a host's files depends; the files have all others as Jinja expressions.

    Attributes:
        level: Maturity level that was reached, 1 to 4.
        cloud: Whether the flows log in to a cloud, from level 3 on.
        heavy: Whether heavy steps have a runner of their own, from level 3 on.
        template_on_server: Whether git reads the template over HTTP, and so needs a login if it is private.
        package_index: Whether the package of the template comes from an index.
        tracks: Whether the tracking server may need a login by secrets.
        keys: Whether the data remote needs secrets: the login to the cloud does not open it.
    """

    level: int
    cloud: bool = False
    heavy: bool = False
    template_on_server: bool = False
    package_index: bool = False
    tracks: bool = False
    keys: bool = False

    @property
    def installs_from_server(self) -> bool:
        """Whether an installation reads the template over HTTP."""
        return self.template_on_server and not self.package_index


@dataclass(frozen=True)
class Step:
    """One task of poe_tasks.toml, with its arguments."""

    name: str
    run: str
    level: int
    cloud: bool = False
    token: bool = False
    template: bool = False
    tracks: bool = False
    data: bool = False
    address: bool = False
    yours: bool = False
    says: str = ""

    @property
    def task(self) -> str:
        """The name of the task, without arguments."""
        return self.run.split()[0]


@dataclass(frozen=True)
class Job:
    """A job: steps that run on one machine. extensions/flows/ci.yml explains each key."""

    id: str
    name: str
    minutes: int
    steps: list[Step]
    needs: list[str] = field(default_factory=list)
    takes: list[str] = field(default_factory=list)
    keeps: bool = False
    builds: bool = False
    gate: str = ""
    stage: str = ""
    reports: bool = False
    may: list[str] = field(default_factory=list)
    only: str = ""
    only_if: str = ""
    heavy: bool = False
    history: bool = False

    @property
    def environment(self) -> str:
        """The environment of the git host in which the job runs: its gate, or the one that it changes, or empty."""
        return self.gate or self.stage

    @property
    def address_task(self) -> str:
        """The task that tells the host the address of what it deployed, or empty."""
        return next((step.task for step in self.steps if step.address), "")


@dataclass(frozen=True)
class Input:
    """An input of a flow that is started by hand."""

    name: str
    help: str
    choices: list[str]
    default: str
    variable: str


@dataclass(frozen=True)
class Flow:
    """A flow: its triggers, and its jobs in the order of their steps on a laptop.

    Attributes:
        push: Paths, one of which must have changed on main; empty: any; None: a push does not start it.
        schedule: Cron, UTC; empty if it has none.
    """

    id: str
    name: str
    why: str
    jobs: dict[str, Job]
    push: list[str] | None = None
    change_request: bool = False
    schedule: str = ""
    manual: bool = False
    inputs: list[Input] = field(default_factory=list)
    replaces: bool = False

    @property
    def title(self) -> str:
        """The first line of a file for this flow."""
        return f"{self.name}: {self.why}. Managed by the template."

    @property
    def has_gate(self) -> bool:
        """Whether one of its jobs waits for an approval."""
        return any(job.gate for job in self.jobs.values())

    def teller(self, job: Job) -> tuple[str, str]:
        """Return the job that says what `only_if` of a job names, and the task of its step."""
        return next((id, step.task) for id in job.needs for step in self.jobs[id].steps if step.says == job.only_if)

    def condition(self, id: str) -> str:
        """Return the condition of a job: its own, or that of a job that it needs; empty if it always runs."""
        job = self.jobs[id]
        return job.only_if or next(filter(None, map(self.condition, job.needs)), "")


def flows_of(answers: Answers) -> dict[str, Flow]:
    """Return the flows of a project by id, with only the flows, jobs and steps that its answers need."""
    levels = load("levels")[: answers.level + 1]
    described = {id: flow for level in levels for file in level["flows"] for id, flow in load(f"flows/{file}").items()}
    flows = {id: _flow(id, flow, answers) for id, flow in described.items()}
    return {id: flow for id, flow in flows.items() if flow.jobs}


@functools.cache
def load(name: str) -> Any:
    """Return a registry of this repository, for example `hosts`."""
    return yaml.safe_load((EXTENSIONS / f"{name}.yml").read_text(encoding="utf-8"))


def _flow(id: str, flow: dict[str, Any], answers: Answers) -> Flow:
    when = dict(flow["when"])
    inputs = [_input(name, each) for name, each in (when.get("manual") or {}).items()]
    jobs = {name: job for name, each in flow["jobs"].items() if (job := _job(name, each, answers))}
    return Flow(
        id=id,
        name=flow["name"],
        why=flow["why"],
        jobs=jobs,
        push=when.get("push"),
        change_request=when.get("change_request", False),
        schedule=when.get("schedule", ""),
        manual="manual" in when,
        inputs=inputs,
        replaces=flow.get("replaces", False),
    )


def _input(name: str, asked: dict[str, Any]) -> Input:
    choices = asked["choices"]
    if isinstance(choices, str):
        choices = [each["name"] for each in load(choices)]
    return Input(name=name, **(asked | {"choices": choices}))


def _job(id: str, job: dict[str, Any], answers: Answers) -> Job | None:
    steps = [Step(**each) for each in job["steps"]]
    steps = [each for each in steps if each.level <= answers.level and (answers.cloud or not each.cloud)]
    may = [each for each in job.get("may", []) if each != "cloud" or answers.cloud]
    return Job(id=id, **(job | {"steps": steps, "may": may})) if steps else None
