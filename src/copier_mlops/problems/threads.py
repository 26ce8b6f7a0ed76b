"""Choose how many threads learn: for few records, they would wait for each other longer than they work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# Boosting 640 records took 11 s with two threads beside other work, and 6 s with one.
FEW = 10_000


@contextmanager
def threads_for(records: int) -> Iterator[None]:
    """Let code in the block use one thread if there are few records, and all cores otherwise.

    For example: `with problems.threads_for(len(table)): model.fit(…)`.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with threadpool_limits(1 if records < FEW else None):
        yield
