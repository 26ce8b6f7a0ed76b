"""The HTTP service of the predictor, to which you may add routes. `uv run poe serve` runs it, and so does the image.

The package provides `/predict`, `/health`, `/metrics` and the limits of a request. This file is yours.
"""

from copier_mlops.project import Settings
from copier_mlops.serving import Predictor, online
from fastapi import FastAPI


def create_app(predictor: Predictor, settings: Settings) -> FastAPI:
    """Return the service for a predictor."""
    app = online.create_app(predictor, settings)

    # Routes of your own go here, for example:
    #
    # @app.get("/about")
    # def about() -> dict[str, str]:
    #     return {"model": settings.model_name, "version": predictor.version}

    return app
