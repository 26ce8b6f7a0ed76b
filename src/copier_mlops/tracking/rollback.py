"""Roll back at levels without deployments: move the environment's alias to an earlier version."""

from copier_mlops.settings import load_settings
from copier_mlops.tracking import models, server


def move_alias(environment: str | None, wanted: str | None) -> None:
    """Point an environment's alias at an earlier version of the model (default: the one before).

    Raises:
        SystemExit: There is no such version, or the server does not answer.
    """
    settings = load_settings(environment)
    client = server.connect(settings)
    versions = {str(each.version): each for each in models.versions(client, settings)}
    now = models.current(client, settings)
    if now is None:
        raise SystemExit(f"rollback: {settings.model_name} has no version at alias {settings.model_alias}")
    earlier = [number for number in versions if int(number) < int(now.version)]
    if wanted is None and not earlier:
        raise SystemExit(f"rollback: version {now.version} is the first; there is none to go back to")
    target = wanted or max(earlier, key=int)
    if target not in versions:
        raise SystemExit(f"rollback: no version {target}; there are {', '.join(versions)}")
    print(f"rollback: {models.point(client, settings, versions[target])}")
