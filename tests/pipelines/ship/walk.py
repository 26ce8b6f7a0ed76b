"""A host's flow as it was read back from its own YAML, walked job by job where no runner of that host can be had.

Each job gets a fresh copy of the commit, with what the jobs that it takes have left and with nothing else.
"""

import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.pipelines.ship.shop import Shop


@dataclass
class Walk:
    """What happened: the jobs that ran, whether the last one failed, and all that was printed."""

    jobs: list[str] = field(default_factory=list)
    failed: bool = False
    printed: str = ""


def walk(shop: Shop, flow, store: Path, approved: set[str], **variables: str) -> Walk:
    """Run the jobs in order, until one fails or waits for an approval that nobody gives."""
    result = Walk()
    for name, job in flow.jobs.items():
        if job.gate and job.gate not in approved:
            break
        result.jobs.append(name)
        if not run_job(shop, name, job, store, result, variables):
            result.failed = True
            break
    return result


def run_job(shop: Shop, name: str, job, store: Path, result: Walk, variables: dict[str, str]) -> bool:
    """Run one job in a clone of its own; false where a step failed."""
    clone = shop.project.clone(store / "clone")
    try:
        for other in job.takes:
            shutil.copytree(store / other, clone.path / "build" / other)
        for step in job.steps:
            done = subprocess.run(
                shlex.split(step.run),
                cwd=clone.path,
                env=clone.environment | variables,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            result.printed += done.stdout + done.stderr
            if done.returncode:
                return False
        if job.keeps:
            shutil.copytree(clone.path / "build" / name, store / name, dirs_exist_ok=True)
        return True
    finally:
        shutil.rmtree(clone.path)
