"""The pipeline of dvc.yaml, and the engines that run it."""


class PipelineError(RuntimeError):
    """A pipeline, or a run of it, that cannot go on; the text says why, and the fix."""
