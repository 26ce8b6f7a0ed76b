"""The script of a run on Slurm: a line of `sbatch` for each stage, which waits for the jobs of those that it needs.

Items of a `foreach` or `matrix` that need the same become one array, so that the queue shows one line for them.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.plan import SHORT, Plan

# The logs of a run, and the exit codes of its stages.
FOLDER = Path("build", "slurm")
HEAD = """\
#!/bin/bash
# The stages of {project} as jobs of Slurm: the run {run} of the commit {commit}. Each line that it prints is a stage
# and the number of its job.
set -euo pipefail
cd {folder}
mkdir -p {logs}

# If Slurm refuses a job, those before it are cancelled.
jobs=()
trap 'test ${{#jobs[@]}} -eq 0 || scancel "${{jobs[@]}}"' ERR
"""


def write(plan: Plan, partition: str, timeout: str, options: Sequence[str], setup: Sequence[str]) -> str:
    """Return the script.

    Args:
        plan: The run.
        partition: The partition of stages that name none; empty for the cluster's own.
        timeout: The longest time of stages that name none, for example `12h`.
        options: Further options of `sbatch`.
        setup: Lines of shell before each stage.
    """
    logs = (FOLDER / plan.run).as_posix()
    head = HEAD.format(
        project=plan.project,
        run=plan.run,
        commit=plan.commit[:SHORT],
        folder=shlex.quote(str(plan.folder)),
        logs=logs,
    )
    groups = _groups(plan.nodes)
    jobs = {
        node.name: _variable(index) + (f"_{place}" if len(group) > 1 else "")
        for index, group in enumerate(groups)
        for place, node in enumerate(group)
    }
    parts = [head]
    for index, group in enumerate(groups):
        asked = _resources(group[0].resources, partition, timeout)
        parts.append(_job(plan, group, _variable(index), jobs, [*asked, *options], setup))
    return "\n".join(parts)


def log_name(nodes: Iterable[Node], name: str) -> str:
    """Return the name of the file that has the output of a stage."""
    for group in _groups(nodes):
        for index, node in enumerate(group):
            if node.name == name:
                return _log(group).replace("%a", str(index))
    raise KeyError(name)


def _groups(nodes: Iterable[Node]) -> list[list[Node]]:
    """Return the stages of each job; an array has several."""
    groups: dict[object, list[Node]] = {}
    for node in nodes:
        base, item, _ = node.name.partition("@")
        groups.setdefault((base, node.needs, node.resources) if item else node.name, []).append(node)
    return list(groups.values())


def _variable(index: int) -> str:
    return f"job{index}"


def _log(group: list[Node]) -> str:
    return f"{group[0].slug}-%a.log" if len(group) > 1 else f"{group[0].slug}.log"


def _resources(asked: Resources, partition: str, timeout: str) -> list[str]:
    """Return what a stage asks for as options of `sbatch`; a `timeout` is rounded up to a minute, as Slurm counts."""
    seconds = asked.seconds or dag.seconds(timeout)
    found = [f"--time={math.ceil(seconds / 60)}"]
    if chosen := asked.partition or partition:
        found.append(f"--partition={chosen}")
    if asked.cpu:
        found.append(f"--cpus-per-task={math.ceil(asked.cpu)}")
    if asked.memory:
        found.append(f"--mem={asked.memory.removesuffix('i')}")
    if asked.gpu:
        found.append(f"--gpus={asked.gpu}")
    return found


def _job(
    plan: Plan, group: list[Node], variable: str, jobs: Mapping[str, str], options: list[str], setup: Sequence[str]
) -> str:
    """Return the lines that submit a job; its body comes after them, and is not read by this shell."""
    first, is_array = group[0], len(group) > 1
    logs = (FOLDER / plan.run).as_posix()
    base = first.name.partition("@")[0] if is_array else first.slug
    asked = [f"--job-name={plan.run}.{base}", f"--output={logs}/{_log(group)}", *options]
    if is_array:
        asked.append(f"--array=0-{len(group) - 1}")
    line = f"{variable}=$(sbatch --parsable {shlex.join(asked)}"
    if first.needs:
        needed = ":".join(_braced(jobs[need]) for need in first.needs)
        line += f' --kill-on-invalid-dep=yes --dependency="afterok:{needed}"'
    body = ["#!/bin/bash", "set -e", *_command(plan, group, setup)]
    after = [f'jobs+=("${variable}")']
    after += [f'echo {shlex.quote(each.name)} "{_braced(jobs[each.name])}"' for each in group]
    names = ", ".join(each.name for each in group)
    return "\n".join([f"# {names}", f"{line} <<'STAGE'", *body, "STAGE", ")", *after, ""])


def _braced(job: str) -> str:
    """Return a number of a job for the script: `job3_1` is the item 1 of the array that the variable `job3` names."""
    variable, item, number = job.partition("_")
    return f"${{{variable}}}{item}{number}"


def _command(plan: Plan, group: list[Node], setup: Sequence[str]) -> list[str]:
    """Return the lines of a job that run its stage, again if it may fail, and keep its exit code."""
    first, lines, logs = group[0], list[str](), (FOLDER / plan.run).as_posix()
    command, slug = shlex.join(plan.command(first)), first.slug
    if len(group) > 1:
        lines += [f"{name}=({shlex.join(getattr(each, name[:-1]) for each in group)})" for name in ("names", "slugs")]
        name, slug = (f"${{{each}[$SLURM_ARRAY_TASK_ID]}}" for each in ("names", "slugs"))
        command = command.replace(shlex.quote(first.name), f'"{name}"', 1)
    lines += [f"trap 'echo $? > \"{logs}/{slug}.code\"' EXIT", *setup]
    if retries := first.resources.retries:
        attempts = " ".join(str(each + 1) for each in range(retries + 1))
        return [*lines, f"for attempt in {attempts}; do", f"  {command} && exit", "done", "exit 1"]
    return [*lines, command]
