"""Approvals of jobs behind a gate: by whom, and of which document."""

import hashlib
from typing import Any

from copier_mlops import handover
from copier_mlops.hosts.gates import Gate, gate_of, gates
from copier_mlops.hosts.interface import Approval


def digest(gate: Gate) -> str:
    """Return the SHA-256 of the document that the approval at a gate covers.

    Raises:
        SystemExit: The document is missing.
    """
    handover.read(*gate.document)
    return hashlib.sha256(handover.file_of(*gate.document).read_bytes()).hexdigest()


def record(name: str, approval: Approval) -> dict[str, Any]:
    """Record the approval of the job behind a gate."""
    gate = gates()[name]
    document = {"gate": name, "by": approval.by, "how": approval.how, "at": approval.at, "subject": digest(gate)}
    handover.write(gate.job, "approval", document)
    return document


def use_up(job: str) -> None:
    """Take an approval away once its job has done what it allowed; after a rollback or a teardown, it asks again."""
    handover.file_of(job, "approval").unlink(missing_ok=True)


def require(job: str) -> dict[str, Any]:
    """Return the approval of a job.

    Raises:
        SystemExit: There is no approval, or it was for something else.
    """
    gate = gate_of(job)
    if gate is None:
        raise SystemExit(f"{job}: no gate is before this job, so nobody can approve it")
    fix = f"  fix: uv run poe gate-check {gate.name}"
    if not handover.file_of(job, "approval").is_file():
        raise SystemExit(f"{job}: nobody has approved it\n{fix}")
    document = handover.read(job, "approval")
    if document.get("subject") != digest(gate):
        raise SystemExit(f"{job}: the approval of {document.get('by')} was for something else\n{fix}")
    return document
