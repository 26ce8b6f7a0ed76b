"""Approvals of jobs behind a gate: by whom, and of which document."""

import hashlib
from typing import Any

from copier_mlops import handover
from copier_mlops.hosts.interface import Approval
from copier_mlops.hosts.settings import GATES

# The document that an approver sees before the job starts. The approval is valid only for its exact bytes.
SUBJECTS = {"release": ("judge", "verdict"), "deploy-prod": ("release", "release"), "apply": ("plan", "plan")}


def digest(job: str) -> str:
    """Return the SHA-256 of the document that an approval of a job covers.

    Raises:
        SystemExit: The document is missing.
    """
    place = SUBJECTS[job]
    handover.read(*place)
    return hashlib.sha256(handover.file_of(*place).read_bytes()).hexdigest()


def record(gate: str, approval: Approval) -> dict[str, Any]:
    """Record the approval of the job behind a gate."""
    job = GATES[gate]
    document = {"gate": gate, "by": approval.by, "how": approval.how, "at": approval.at, "subject": digest(job)}
    handover.write(job, "approval", document)
    return document


def use_up(job: str) -> None:
    """Take an approval away once its job has done what it allowed; after a rollback or a teardown, it asks again."""
    handover.file_of(job, "approval").unlink(missing_ok=True)


def require(job: str) -> dict[str, Any]:
    """Return the approval of a job.

    Raises:
        SystemExit: There is no approval, or it was for something else.
    """
    gate = next(gate for gate, guarded in GATES.items() if guarded == job)
    fix = f"  fix: uv run poe gate-check {gate}"
    if not handover.file_of(job, "approval").is_file():
        raise SystemExit(f"{job}: nobody has approved it\n{fix}")
    document = handover.read(job, "approval")
    if document.get("subject") != digest(job):
        raise SystemExit(f"{job}: the approval of {document.get('by')} was for something else\n{fix}")
    return document
