"""Roll back to a version that the environment ran before: deploy it, move the alias, verify.

At levels without deployments, only the alias moves.
"""

import argparse

from copier_mlops.project import DEPLOYS, level
from copier_mlops.release import deploy, history, package, verify
from copier_mlops.settings import load_settings
from copier_mlops.tracking import models, server
from copier_mlops.tracking.rollback import move_alias


def position(ran: list[str], wanted: str | None, environment: str) -> int:
    """Return the position in the history to go back to: of `wanted`, or else of the version before the last.

    Raises:
        SystemExit: The environment never ran such a version.
    """
    earlier = [place for place, version in enumerate(ran) if version != ran[-1]]
    if wanted is None and not earlier:
        raise SystemExit(f"rollback: {environment} ran no version before {ran[-1]}; nothing was changed")
    if wanted is not None:
        earlier = [place for place, version in enumerate(ran) if version == wanted]
        if not earlier:
            raise SystemExit(
                f"rollback: {environment} never ran version {wanted}; it ran {', '.join(ran)}; nothing was changed\n"
                f"  fix: to deploy a version that is new to it: uv run poe deploy --env {environment}"
            )
    return earlier[-1]


def roll_back(environment: str | None, wanted: str | None) -> None:
    """Deploy the version that an environment ran before, or `wanted`, and verify it.

    Raises:
        SystemExit: The environment never ran such a version, or it does not start.
    """
    settings = load_settings(environment)
    client = server.connect(settings)
    now = models.current(client, settings)
    if now is None:
        raise SystemExit(f"rollback: {settings.model_name} has no version at alias {settings.model_alias}")
    ran = history.versions(client, settings, str(now.version))
    place = position(ran, wanted, settings.environment)
    print(f"rollback: {settings.environment} goes from version {now.version} back to {ran[place]}", flush=True)
    job = f"deploy-{settings.environment}"
    packaged = package.of_version(client, settings, ran[place], job)
    document = deploy.deploy(client, settings, packaged, job, None)
    # Later versions are dropped from the history, so that the next rollback goes further back.
    history.keep(client, settings, ran[: place + 1])
    verify.verify(document, settings)


def main(arguments: list[str] | None = None) -> None:
    """Roll back to the version that an environment ran before, and verify it."""
    parser = argparse.ArgumentParser(
        prog="poe rollback", description=main.__doc__, epilog="For example: uv run poe rollback --env prod --to 2"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment to roll back (default: dev)")
    parser.add_argument(
        "--to", metavar="VERSION", help="version to go back to, for example 2 (default: the one before)"
    )
    options = parser.parse_args(arguments)
    if level() < DEPLOYS:
        move_alias(options.env, options.to)
    else:
        roll_back(options.env, options.to)


if __name__ == "__main__":
    main()
