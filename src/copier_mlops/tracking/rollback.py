"""Go back to an earlier version: deploy it again, or at levels that deploy nothing, move the environment's alias."""

import argparse

from copier_mlops.project import level, load_settings
from copier_mlops.tracking import models, server

# From this level on, an environment is deployed to; below, its alias is all that it has.
RELEASE = 3


def move_alias(environment: str | None, wanted: str | None) -> None:
    """Point an environment's alias at an earlier version of the model: at `wanted`, or else at the one before.

    Raises:
        SystemExit: There is no such version, or the server is away.
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


def main(arguments: list[str] | None = None) -> None:
    """Bring back the version that an environment ran before, and verify it."""
    parser = argparse.ArgumentParser(prog="poe rollback", description=main.__doc__)
    parser.add_argument("--env", metavar="ENVIRONMENT", help="which environment (default: dev)")
    parser.add_argument("--to", metavar="VERSION", help="version to go to (default: the one that ran before)")
    options = parser.parse_args(arguments)
    if level() < RELEASE:
        move_alias(options.env, options.to)
        return
    from copier_mlops.release.rollback import roll_back

    roll_back(options.env, options.to)
