"""Monitor production; a project's operation/monitoring/prediction_monitoring.py starts from `problems`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from copier_mlops.monitoring.watch import problems

__all__ = ["problems"]


def __getattr__(name: str) -> Any:
    # Imported late: monitoring loads pandas and psutil, and its settings need neither.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from copier_mlops.monitoring import watch

    return getattr(watch, name)
