"""What is watched in production. `uv run poe monitor` runs it, and so does the git host's flow `monitor`.

That the service answers as it was released, and how old its model is, comes with the package; this file is yours.
"""

from copier_mlops.monitoring import problems
from copier_mlops.project import Settings
from mlflow.entities.model_registry import ModelVersion


def look(version: ModelVersion, settings: Settings) -> list[str]:
    """Return what is wrong with the version that an environment serves, in sentences; none if all is well."""
    found = problems(version, settings)

    # Checks of your own go here, each a sentence if something is wrong.

    return found
