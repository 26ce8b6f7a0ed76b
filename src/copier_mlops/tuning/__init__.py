"""A search for better parameters of the pipeline: `poe tune`."""

from copier_mlops.pipeline import PipelineError


class TuneError(PipelineError):
    """A search that cannot begin or go on; the text says why, and the fix."""
