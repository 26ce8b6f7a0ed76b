"""Where the plots of this state of the pipeline are. Managed by the template."""

from operation.configuration.settings import ROOT, load

BY_HAND = "Plots: `uv run dvc pull`, then `uv run dvc plots show`."


def link() -> str:
    """Markdown that leads to the plots: to those of the tracked run, where others reach its server, too."""
    settings = load()
    if not settings.tracking_uri.startswith("http"):
        return BY_HAND
    from operation.execution import lineage, tracking  # MLflow takes seconds to import

    try:
        client = tracking.connect(settings)
        experiment = tracking.experiment(client, settings).experiment_id
    except tracking.TrackingError:
        return BY_HAND
    run = tracking.find_run(client, experiment, lineage.pipeline_hash(ROOT))
    if run is None:
        return BY_HAND
    place = f"{settings.tracking_uri.rstrip('/')}/#/experiments/{experiment}/runs/{run.info.run_id}/artifacts"
    return f"[The plots of this result]({place})"
