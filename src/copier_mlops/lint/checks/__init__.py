"""The checks, a module for each page of docs/lint. What they are called and why they are there is in checks.yml."""

from collections.abc import Callable, Iterator

from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project

Run = Callable[[Project], Iterator[Finding]]
RUNS: dict[str, Run] = {}


def check(id: str) -> Callable[[Run], Run]:
    """The function that looks for the faults of an entry of checks.yml."""

    def register(run: Run) -> Run:
        RUNS[id] = run
        return run

    return register


def load() -> dict[str, Run]:
    """Every check, in the order of the ids."""
    from copier_mlops.lint.checks import (  # noqa: F401 (importing them registers their checks)
        answers,
        data,
        environments,
        itself,
        layout,
        leftovers,
        lock,
        package,
        pins,
        pipelines,
        secrets,
        template,
    )

    return dict(sorted(RUNS.items()))
