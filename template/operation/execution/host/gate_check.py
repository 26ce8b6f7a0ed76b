"""Pass a gate, or stay before it: what the host asked a person, or else what a person says here.

Managed by the template.
"""

import argparse
import getpass
import json
import os
import subprocess
import sys

from operation.configuration.host import GATES
from operation.configuration.settings import ROOT
from operation.execution.host.base import now
from operation.execution.host.connect import connect
from operation.execution.host.interface import Approval, Host, HostError
from operation.execution.host.refusals import one_line
from operation.execution.release import handover

# Set by machines that run steps; a person at a keyboard has none of them.
MACHINES = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "BITBUCKET_BUILD_NUMBER", "JENKINS_URL")
# What a person reads before the answer: where it is, and what says that there is nothing to release.
VERDICT = ("evaluate", "verdict", "promoted")
PACKAGE = ("package", "package", "released")
ABOUT = {"model": (VERDICT,), "prod": (PACKAGE, VERDICT)}
MOST_LINES = 60


def nothing_to_approve(gate: str) -> str:
    """Why there is nothing to approve, where a job before said so; empty where there is."""
    for job, name, key in ABOUT.get(gate, ()):
        if (handover.BUILD / job / f"{name}.json").is_file():
            document = handover.read(job, name)
            # The first that is there decides: it is what the steps after the gate read.
            closed = document.get(key) is False
            return one_line(str(document.get("reason") or f"{job} says that nothing is released")) if closed else ""
    return ""


def show_what(gate: str) -> None:
    """Print what the approval is about.

    Raises:
        SystemExit: It is not here: nobody approves what cannot be seen.
    """
    files = [handover.BUILD / job / f"{name}.json" for job, name, _ in ABOUT.get(gate, ())]
    if gate == "infrastructure":
        files = sorted(each for each in (handover.BUILD / "plan").glob("*") if each.is_file())
    here = [each for each in files if each.is_file()]
    if not here:
        place = "build/plan" if gate == "infrastructure" else files[0].relative_to(ROOT).as_posix()
        raise SystemExit(f"gate-check: {place} is not here: there is nothing to look at\n  mend: run the jobs before")
    for file in here:
        print(f"--- {file.relative_to(ROOT).as_posix()}")
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines[:MOST_LINES]:
            print("".join(letter if letter.isprintable() else " " for letter in line)[:200])
        if len(lines) > MOST_LINES:
            print(f"… and {len(lines) - MOST_LINES} more lines")


def ask_host(host: Host, gate: str) -> Approval:
    """Who approved on the host.

    Raises:
        HostError: Nobody had to, nobody did, or the host cannot be asked.
    """
    try:
        protection = host.protection(gate)
        if protection is None:
            raise HostError(
                f"{host.name} asks nobody before a job of the gate {gate} runs, so the gate is closed",
                "name approvers in operation/configuration/host.yaml, then: uv run poe host-setup",
            )
        approval = host.approval(gate)
    except (KeyError, TypeError, AttributeError) as error:
        raise HostError(f"{host.name}'s answer has not the form that is documented: {error!r}") from None
    if approval is None:
        text = f"{host.name} knows of nobody who approved {gate} in this run, so the gate is closed"
        raise HostError(text, f"run the job in the environment {gate}")
    return approval


def ask_person(gate: str) -> Approval:
    """Who approved here.

    Raises:
        SystemExit: Nobody did.
    """
    if machine := next((name for name in MACHINES if os.environ.get(name)), None):
        text = f"gate-check: {machine} is set, so no person is here to ask, and this is not the host of this project"
        raise SystemExit(f"{text}\n  mend: run it on the host, or by hand without {machine}")
    show_what(gate)
    try:
        answer = input(f"\nApprove {gate}? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise SystemExit(f"\ngate-check: {gate} was not approved")
    return Approval(_person(), "asked at the keyboard")


def _person() -> str:
    command = ["git", "config", "user.name"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.stdout.strip() or getpass.getuser()


def main(arguments: list[str] | None = None) -> None:
    """Stay before a gate until a person has approved: on the host where this is a run of it, at the keyboard else."""
    parser = argparse.ArgumentParser(prog="poe gate-check", description=main.__doc__)
    parser.add_argument("gate", choices=list(GATES))
    gate = parser.parse_args(arguments).gate
    if reason := nothing_to_approve(gate):
        print(f"gate-check: nothing to approve: {reason}")
        return
    host = connect()
    approval = ask_host(host, gate) if host.on_runner() else ask_person(gate)
    document = {"gate": gate, "by": approval.by, "how": approval.how, "at": approval.at or now()}
    handover.write(GATES[gate], "approval", document)
    print(f"gate-check: {json.dumps(document, ensure_ascii=False)}", file=sys.stdout)


if __name__ == "__main__":
    main()
