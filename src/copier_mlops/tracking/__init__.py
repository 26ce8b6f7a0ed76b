"""Runs, models and versions in MLflow. A script of your own can connect with `connect(load_settings())`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from copier_mlops.tracking.models import current, predictor
    from copier_mlops.tracking.server import TrackingError, connect

__all__ = ["TrackingError", "connect", "current", "predictor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from copier_mlops.tracking import models, server

    return getattr(server if hasattr(server, name) else models, name)
