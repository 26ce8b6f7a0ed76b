"""The plan that an engine gets: the stages of the pipeline, the commit whose code they run, and the name of the run."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node

# The part of a commit's hash that names it in texts.
SHORT = 12


@dataclass(frozen=True)
class Plan:
    """One run of the pipeline.

    Attributes:
        project: The name of the project for engines, for example `churn`.
        folder: The project on this machine.
        run: The name of the run, for example `nightly-7`.
        commit: The commit whose code runs, for example `4d47cb6…`.
        nodes: The stages, each after those that it needs.
    """

    project: str
    folder: Path
    run: str
    commit: str
    nodes: tuple[Node, ...]

    def command(self, node: Node) -> list[str]:
        """Return the command that runs a stage, in the folder of the project on any machine that has it."""
        return stage_command(node.name, self.run, self.commit)


def stage_command(name: str, run: str, commit: str) -> list[str]:
    """Return the command that runs a stage in a copy of the commit; an engine may have placeholders for the others."""
    return ["uv", "run", "--no-sync", "mlops", "stage", name, "--run", run, "--commit", commit]


def make(root: Path, run: str, commit: str) -> Plan:
    """Read the pipeline of a project into a plan.

    Raises:
        DagError: Its stages cannot run apart.
    """
    from copier_mlops.pipeline.apart import opened
    from copier_mlops.project import answer

    with opened(root) as repo:
        nodes = tuple(dag.read(repo))
    return Plan(dag.slug(str(answer("package_name"))), root, run, commit, nodes)


def name_of_run(commit: str) -> str:
    """Return a name for a run that starts now, for example `20261130-183012-4d47cb6`."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{commit[:7]}"
