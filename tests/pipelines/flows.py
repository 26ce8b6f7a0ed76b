"""Flows in words that belong to no host: what a host's files and the description are both brought into."""

from dataclasses import dataclass, field


class UnreadableError(ValueError):
    """A file says something that no renderer writes."""


@dataclass
class Step:
    run: str
    name: str = ""
    token: bool = False
    template: bool = False
    """Whether it gets TEMPLATE_TOKEN, which reads a private template."""
    tracks: tuple[str, ...] = ()
    """The variables of the login to the tracking server that it gets."""
    data: tuple[str, ...] = ()
    """The variables of the keys of the data remote that it gets."""

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name else ""
        token = " with its token" if self.token else ""
        tracks = f" with the login of the tracker, {', '.join(self.tracks)}" if self.tracks else ""
        data = f" with the keys of the data, {', '.join(self.data)}" if self.data else ""
        return f"`{self.run}`{name}{token}{tracks}{data}{' with the token of the template' if self.template else ''}"


@dataclass
class Login:
    """What a job does before its first step so that git can read a private template, and on which server."""

    server: str
    run: str = field(default="", compare=False)
    variables: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass
class Job:
    steps: list[Step]
    name: str = ""
    minutes: int = 0
    needs: set[str] = field(default_factory=set)
    takes: set[str] = field(default_factory=set)
    keeps: bool = False
    builds: bool = False
    reports: bool = False
    """Whether the host gets the results of its tests."""
    environment: str = ""
    address: bool = False
    """Whether the host shows the address of what it deployed."""
    manual: bool = False
    lock: str = ""
    only: str = ""
    only_if: str = ""
    """What an earlier job must have told, true or false, or the host skips it and asks nobody."""
    tells: set[str] = field(default_factory=set)
    runner: str = ""
    history: bool = False
    may: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    caches: set[str] = field(default_factory=set)
    uv: str = ""
    login: Login | None = None


@dataclass
class Flow:
    jobs: dict[str, Job]
    push: list[str] | None = None
    change_request: bool = False
    schedule: str = ""
    manual: bool = False
    inputs: dict[str, dict] = field(default_factory=dict)
    replaces: bool = False


def ancestors(jobs: dict[str, Job], name: str) -> set[str]:
    """All jobs that must have succeeded before this one starts."""
    found, waiting = set(), [name]
    while waiting:
        for other in jobs[waiting.pop()].needs - found:
            if other not in jobs:
                raise UnreadableError(f"{name} needs {other}, which is not there")
            found.add(other)
            waiting.append(other)
    if name in found:
        raise UnreadableError(f"{name} waits for itself")
    return found


def skipped_together(jobs: dict[str, Job]) -> None:
    """Give each job the condition of a job that it needs: if that one is skipped, this one is, too."""
    for name, job in jobs.items():
        above = [jobs[other].only_if for other in ancestors(jobs, name)]
        job.only_if = job.only_if or next(filter(None, above), "")


def must_tell(jobs: dict[str, Job], job: Job, told: str, by: str) -> None:
    """A condition reads what a job tells that this job needs; otherwise it never holds."""
    if by not in job.needs or told not in jobs[by].tells:
        raise UnreadableError(f"{job.name} waits for {told}, which {by} does not tell it")


def reduced(jobs: dict[str, Job]) -> dict[str, set[str]]:
    """What each job needs, without what another of its needs brings along: hosts differ in what they repeat."""
    above = {name: ancestors(jobs, name) for name in jobs}
    return {name: job.needs - set().union(*(above[other] for other in job.needs)) for name, job in jobs.items()}


def differences(read: dict[str, Flow], expected: dict[str, Flow]) -> list[str]:
    """Where two sets of flows differ, a sentence each."""
    found = [f"there is no flow {name}" for name in expected.keys() - read.keys()]
    found += [f"nobody described the flow {name}" for name in read.keys() - expected.keys()]
    for name in expected.keys() & read.keys():
        found += [f"{name}: {text}" for text in flow_differences(read[name], expected[name])]
    return found


def flow_differences(read: Flow, expected: Flow) -> list[str]:
    found = compared(read, expected, without=("jobs",))
    if list(read.jobs) != list(expected.jobs):
        return [*found, f"jobs are {list(read.jobs)}, not {list(expected.jobs)}"]
    needs = [reduced(flow.jobs) for flow in (read, expected)]
    for name, job in expected.jobs.items():
        found += [f"{name}: {text}" for text in compared(read.jobs[name], job, without=("needs", "steps"))]
        found += [f"{name}: {text}" for text in step_differences(read.jobs[name].steps, job.steps)]
        if needs[0][name] != needs[1][name]:
            found.append(f"{name} needs {shown(needs[0][name])}, not {shown(needs[1][name])}")
    return found


def step_differences(read: list[Step], expected: list[Step]) -> list[str]:
    """Compare the steps of a job: a sentence for each that is missing, was not described, or is somewhere else."""
    found = [f"nobody described the step {each}" for each in read if each not in expected]
    found += [f"there is no step {each}" for each in expected if each not in read]
    return found or (["the steps are in another order"] if read != expected else [])


def compared(read: object, expected: object, without: tuple[str, ...]) -> list[str]:
    pairs = zip(vars(read).items(), vars(expected).values(), strict=True)
    different = [(key, one, two) for (key, one), two in pairs if key not in without and one != two]
    return [f"{key} is {shown(one)}, not {shown(two)}" for key, one, two in different]


def shown(value: object) -> str:
    """Write a value so that it reads the same in each run: a set in the order of the alphabet."""
    return repr(sorted(value) if isinstance(value, set) else value)
