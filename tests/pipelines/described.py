"""The description in extensions/flows, worked out in Python, and what each host cannot say in its files."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.pipelines.flows import Flow, Job, Login, Step, skipped_together
from tests.project import registry

UV = registry("tested")["uv"]
LOCKED = {"UV_LOCKED": "1"}


@functools.cache
def described(
    level: int,
    cloud: str = "none",
    heavy_runner: str = "",
    server: str = "",
    tracker: tuple[str, ...] = (),
    keys: tuple[str, ...] = (),
) -> dict[str, Flow]:
    """The flows that a project of this level has, whatever its host; `server` has its template.

    `tracker` and `keys` are the secrets that open the tracking server and the data remote.
    """
    files = [name for each in registry("levels")[: level + 1] for name in each["flows"]]
    flows = {name: flow for file in files for name, flow in registry(f"flows/{file}").items()}
    missing = {"cloud"} if cloud == "none" else set()
    return {
        name: described_flow(name, flow, level, missing, heavy_runner, server, tracker, keys)
        for name, flow in flows.items()
    }


def choices(described: list[str] | str) -> list[str]:
    """What a person chooses among: a list, or the entries of a registry."""
    return [each["name"] for each in registry(described)] if isinstance(described, str) else described


def described_flow(
    name: str, flow: dict, level: int, missing: set[str], heavy_runner: str, server: str, tracker: tuple, keys: tuple
) -> Flow:
    when = flow["when"]
    inputs = {name: each | {"choices": choices(each["choices"])} for name, each in when.get("manual", {}).items()}
    variables = LOCKED | {each["variable"]: f"input {name}" for name, each in inputs.items()}
    lock = "-".join([name, *(f"input {each}" for each in inputs)])
    jobs = {}
    for id_, job in flow["jobs"].items():
        kept = [each for each in job["steps"] if each["level"] <= level and missing.isdisjoint(each)]
        if kept:
            jobs[id_] = Job(
                steps=[described_step(each, server, tracker, keys) for each in kept],
                name=job["name"],
                minutes=job["minutes"],
                needs=set(job.get("needs", [])),
                takes=set(job.get("takes", [])),
                keeps=job.get("keeps", False),
                builds=job.get("builds", False),
                reports=job.get("reports", False),
                environment=job.get("gate") or job.get("stage", ""),
                address=any(step.get("address") for step in kept),
                manual="gate" in job,
                lock="" if flow.get("replaces") else changed(job.get("stage", ""), inputs) or lock,
                only=job.get("only", ""),
                only_if=job.get("only_if", ""),
                tells={step["says"] for step in kept if "says" in step},
                runner=heavy_runner if job.get("heavy") else "",
                history=job.get("history", False),
                may=set(job.get("may", [])) - missing,
                variables=variables,
                caches={"uv"},
                uv=UV,
                login=Login(server) if server else None,
            )
    skipped_together(jobs)
    return Flow(
        jobs=jobs,
        push=when.get("push"),
        change_request="change_request" in when,
        schedule=when.get("schedule", ""),
        manual="manual" in when,
        inputs=inputs,
        replaces=flow.get("replaces", False),
    )


def changed(stage: str, inputs: dict[str, dict]) -> str:
    """The environment that a job changes, which a person may have chosen by the only input."""
    return f"input {', '.join(inputs)}" if stage == "input" else stage


def described_step(step: dict, server: str, tracker: tuple, keys: tuple) -> Step:
    reads, tracks = bool(server) and step.get("template", False), tracker if step.get("tracks") else ()
    data = keys if step.get("data") else ()
    return Step(f"uv run poe {step['run']}", step["name"], step.get("token", False), reads, tracks, data)


@dataclass(frozen=True)
class Difference:
    """Something of the description that is not in a host's files, in the words of the page about that host."""

    text: str
    change: Callable[[dict[str, Flow]], dict[str, Flow]]


def flows(**values: object) -> Callable[[dict[str, Flow]], dict[str, Flow]]:
    """All flows with these values in place of their own."""
    return lambda them: {name: replace(flow, **values) for name, flow in them.items()}


def jobs(**values: object) -> Callable[[dict[str, Flow]], dict[str, Flow]]:
    """All jobs with these values in place of their own; a function gets the job."""

    def changed(job: Job) -> Job:
        return replace(job, **{name: value(job) if callable(value) else value for name, value in values.items()})

    return lambda them: {
        name: replace(flow, jobs={id_: changed(job) for id_, job in flow.jobs.items()}) for name, flow in them.items()
    }


def cloud_alone(job: Job) -> set[str]:
    return job.may & {"cloud"}


def unnamed(job: Job) -> list[Step]:
    return [replace(step, name="") for step in job.steps]


def with_own_environment(job: Job) -> str:
    return "template-update" if "propose" in job.may else job.environment


def tokenless(job: Job) -> list[Step]:
    return [replace(step, token=False, template=False, tracks=(), data=()) for step in job.steps]


def is_of_environment(lock: str) -> bool:
    return lock == "input environment" or lock in [each["name"] for each in registry("environments")]


def only_of_environment(job: Job) -> str:
    return job.lock if is_of_environment(job.lock) else ""


def of_all_environments(job: Job) -> str:
    return "environments" if is_of_environment(job.lock) else job.lock.split("-input ")[0]


def packaging_with_token(job: Job) -> list[Step]:
    return [replace(step, token=step.token or job.builds) for step in job.steps]


def ci_by_hand_beside_others(them: dict[str, Flow]) -> dict[str, Flow]:
    return {name: replace(flow, manual=flow.manual or len(them) > 1) for name, flow in them.items()}


def ci_without_rights(them: dict[str, Flow]) -> dict[str, Flow]:
    ci = them["ci"]
    return {"ci": replace(ci, jobs={name: job for name, job in ci.jobs.items() if not job.may})}


def one_after_the_other(them: dict[str, Flow]) -> dict[str, Flow]:
    def needing(flow: Flow) -> dict[str, Job]:
        ids = list(flow.jobs)
        return {id_: replace(flow.jobs[id_], needs={*ids[:at][-1:]}) for at, id_ in enumerate(ids)}

    return {name: replace(flow, jobs=needing(flow)) for name, flow in them.items()}


DIFFERENCES = {
    "github": [
        Difference("An approval is a setting of the environment.", jobs(manual=False)),
        Difference(
            "A flow waits as a whole; of its jobs, only those that change an environment do.",
            jobs(lock=only_of_environment),
        ),
        Difference(
            "The job that proposes updates has an environment, which keeps its token.",
            jobs(environment=with_own_environment),
        ),
        Difference(
            "The steps that package may push to GitHub's registry, by the job's own token.",
            jobs(steps=packaging_with_token),
        ),
    ],
    "azure_devops": [
        Difference("An approval is a setting of the environment.", jobs(manual=False)),
        Difference("Only at an environment with an exclusive lock does a run wait for another.", jobs(lock="")),
        Difference("Every pipeline can be started by hand.", flows(manual=True)),
        Difference("What the token may do is a setting of the project's build service.", jobs(may=cloud_alone)),
        Difference("An environment shows no address of what runs in it.", jobs(address=False)),
        Difference("Every job's machine has docker, so no job asks for it.", jobs(builds=False)),
    ],
    "gitlab": [
        Difference("A push to main is one pipeline, with CI in it and, if its paths have changed, CD.", flows()),
        Difference("Lines of a script have no names, and jobs are called by their id.", jobs(name="", steps=unnamed)),
        Difference("The token is a variable of the project: every job could read it.", jobs(steps=tokenless)),
        Difference("What the token may do is a setting of the token.", jobs(may=cloud_alone)),
        Difference("A schedule is a setting of the project.", flows(schedule="")),
        Difference(
            "No rule can read what an earlier job found: that job cancels others.", jobs(only_if="", tells=set())
        ),
        Difference("Every flow can be started by hand.", ci_by_hand_beside_others),
    ],
    "bitbucket": [
        Difference("A push to main is one pipeline, with CI and, if its paths have changed, CD after it.", flows()),
        Difference("Lines of a script have no names.", jobs(steps=unnamed)),
        Difference("The token is a variable of the repository: every step could read it.", jobs(steps=tokenless)),
        Difference("What the token may do is a setting of the token.", jobs(may=cloud_alone)),
        Difference("A schedule is a setting of the repository.", flows(schedule="")),
        Difference("A newer run does not end an older one.", flows(replaces=False)),
        Difference("Steps come one after the other: each needs the one before it.", one_after_the_other),
        Difference(
            "Jobs wait for each other whatever environment they change.",
            jobs(lock=of_all_environments),
        ),
        Difference("An environment shows no address of what runs in it.", jobs(address=False)),
        Difference(
            "Results of tests are found by the name of their folder; coverage has no place.", jobs(reports=False)
        ),
        Difference(
            "Variables that hold for every step are settings of the repository.",
            jobs(variables=lambda job: {name: value for name, value in job.variables.items() if name not in LOCKED}),
        ),
    ],
    "forgejo": [
        Difference("Only the flow CI is there, without its comment.", ci_without_rights),
        Difference("Results of tests and coverage are only in the log.", jobs(reports=False)),
    ],
}


@functools.cache
def expected(host: str, *answers: object, **more: object) -> dict[str, Flow]:
    """What the files of a host must say; the answers are those of `described`."""
    found = described(*answers, **more)
    for difference in DIFFERENCES[host]:
        found = difference.change(found)
    return found
