"""The pipeline of dvc.yaml, and the engines that run it."""

import os


class PipelineError(RuntimeError):
    """A pipeline, or a run of it, that cannot go on; the text says why, and the fix."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
