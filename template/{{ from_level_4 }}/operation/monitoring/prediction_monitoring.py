"""The checks of production. `uv run poe monitor` runs them, and so does the git host's flow `monitor`.

The package checks that the service answers with the released version, and the age of its model. This file is yours.
"""

from copier_mlops.monitoring import problems
from copier_mlops.project import Settings
from mlflow.entities.model_registry import ModelVersion


def look(version: ModelVersion, settings: Settings) -> list[str]:
    """Return the problems of the version that an environment serves, in sentences; an empty list if all is well."""
    found = problems(version, settings)

    # Checks of your own go here, for example: if "reviewed" not in version.tags: found.append("it was not reviewed")

    return found
