"""The gates of flows, as `extensions/gates.yml` declares them."""

import functools
from dataclasses import dataclass

from copier_mlops.registry import flows, registry


@dataclass(frozen=True)
class Gate:
    """A gate, for example `model`: before its job, here `release`, a person approves.

    Attributes:
        document: The job and name of the document that the approver sees, for example `judge` and `verdict`.
        verdicts: Job, name and key of documents that may say that nothing is to be approved.
        bitbucket: The type of its environment on Bitbucket.
    """

    name: str
    job: str
    document: tuple[str, str]
    verdicts: tuple[tuple[str, str, str], ...]
    bitbucket: str


@functools.cache
def gates() -> dict[str, Gate]:
    """Return all gates by their names; the flows say which job is behind each."""
    described = flows(len(registry("levels")) - 1).values()
    jobs = {job["gate"]: id for flow in described for id, job in flow["jobs"].items() if "gate" in job}
    found = {}
    for name, entry in registry("gates").items():
        document = (entry["document"]["job"], entry["document"]["name"])
        verdicts = tuple((each["job"], each["name"], each["key"]) for each in entry["verdicts"])
        found[name] = Gate(name, jobs[name], document, verdicts, entry["bitbucket"])
    return found


def gate_of(job: str) -> Gate | None:
    """Return the gate before a job; None if it has none."""
    return next((gate for gate in gates().values() if gate.job == job), None)
