"""Check that a gate was approved, on the git host or at the keyboard."""

import argparse
import getpass
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from copier_mlops import handover
from copier_mlops.command import CommandError, run
from copier_mlops.hosts import connect
from copier_mlops.hosts.gates import gates
from copier_mlops.hosts.interface import Approval, Host, HostError
from copier_mlops.hosts.refusals import one_line
from copier_mlops.release import approval
from copier_mlops.release.runner import ci_variable

# Of nested values, only these are printed; the file has all of them.
EXPLAINED = ("run", "approval")
WIDEST = 200


def nothing_to_approve(gate: str) -> str:
    """Return why there is nothing to approve, if an earlier job said so; otherwise an empty text."""
    for job, name, key in gates()[gate].verdicts:
        if handover.file_of(job, name).is_file():
            document = handover.read(job, name)
            # The first that exists decides: the steps after the gate read it.
            closed = document.get(key) is False
            return one_line(str(document.get("reason") or f"{job} says that nothing is released")) if closed else ""
    return ""


def print_facts(gate: str) -> None:
    """Print the facts of the document that the approval will cover.

    Raises:
        SystemExit: The document is missing, so that nobody can judge it.
    """
    job, name = gates()[gate].document
    document = handover.read(job, name)
    print(f"build/{job}/{name}.json:")
    for key, value in facts(document):
        print(f"  {key:<18} {value}")


def facts(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the names and values of a document, on one line each, without control characters."""
    for key, value in document.items():
        if isinstance(value, dict):
            if key in EXPLAINED:
                yield from facts(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{prefix}{key}", one_line(text, WIDEST)


def approval_on_host(host: Host, gate: str) -> Approval:
    """Return the approval on the host.

    Raises:
        HostError: The gate has no approvers, nobody approved, or the host could not be reached.
    """
    try:
        protection = host.protection(gate)
        if protection is None:
            raise HostError(
                f"{host.name} requests no approval before a job of the gate {gate} runs, so the gate is closed",
                "name approvers in operation/configuration/host.yaml, then: uv run poe host-setup",
            )
        found = host.approval(gate)
    except (KeyError, TypeError, AttributeError) as error:
        raise HostError(f"{host.name}'s answer does not have the form that is documented: {error!r}") from None
    if found is None:
        text = f"{host.name} has no approval of {gate} in this run, so the gate is closed"
        raise HostError(text, f"run the job in the environment {gate}")
    for gap in protection.gaps:
        print(f"gate-check: warning: {gap}")
    return found


def approval_here(gate: str) -> Approval:
    """Ask at the keyboard, and return the approval.

    Raises:
        SystemExit: There is no keyboard, or the answer was not yes.
    """
    if machine := ci_variable():
        text = f"gate-check: {machine} is set, so no person is here to ask, and this is not the host of this project"
        raise SystemExit(f"{text}\n  fix: run it on the host, or by hand without {machine}")
    print_facts(gate)
    print(f"\nApprove {gate}? [y/N] ", end="", flush=True)
    answer = read_line(sys.stdin.fileno())
    if answer.strip().lower() not in ("y", "yes"):
        raise SystemExit(f"\ngate-check: {gate} was not approved")
    return Approval(_person(), "asked at the keyboard")


def read_line(file: int) -> str:
    """Read one line of a file, byte by byte: the next line answers the next gate, in another process."""
    line = b""
    while (byte := os.read(file, 1)) not in (b"", b"\n"):
        line += byte
    return line.decode("utf-8", errors="replace")


def _person() -> str:
    try:
        return run("git", "config", "user.name") or getpass.getuser()
    except CommandError:
        return getpass.getuser()


def main(arguments: list[str] | None = None) -> None:
    """Wait at a gate until a person has approved: on the host in a run, otherwise at the keyboard."""
    parser = argparse.ArgumentParser(
        prog="poe gate-check", description=main.__doc__, epilog="For example: uv run poe gate-check model"
    )
    parser.add_argument("gate", choices=list(gates()))
    gate = parser.parse_args(arguments).gate
    if reason := nothing_to_approve(gate):
        print(f"gate-check: nothing to approve: {reason}")
        return
    host = connect()
    found = approval_on_host(host, gate) if host.on_runner() else approval_here(gate)
    document = approval.record(gate, replace(found, at=found.at or handover.now()))
    print(f"gate-check: {gate} was approved by {document['by']}: {document['how']}")


if __name__ == "__main__":
    main()
