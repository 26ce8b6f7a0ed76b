"""Go back to a version that the environment ran before: deploy it, move the alias, verify. Managed by the template."""

import argparse

from operation.configuration.settings import load
from operation.execution import registry, tracking
from operation.execution.release import deploy, history, package, verify


def goal(ran: list[str], wanted: str | None, environment: str) -> int:
    """The place in the history to go back to: that of `wanted`, or else of the version before the last.

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
                f"  mend: a version that is new to it goes by uv run poe deploy --env {environment}"
            )
    return earlier[-1]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="poe rollback", description=__doc__)
    parser.add_argument("--env", choices=["dev", "stage", "prod"], help="which environment (default: dev)")
    parser.add_argument("--to", metavar="VERSION", help="version to go to (default: the one that ran before)")
    options = parser.parse_args(arguments)
    settings = load(options.env)
    client = tracking.connect(settings)
    now = registry.current(client, settings)
    if now is None:
        raise SystemExit(f"rollback: {settings.model_name} has no version at alias {settings.model_alias}")
    ran = history.versions(client, settings, str(now.version))
    place = goal(ran, options.to, settings.environment)
    print(f"rollback: {settings.environment} goes from version {now.version} back to {ran[place]}", flush=True)
    job = f"deploy-{settings.environment}"
    packaged = package.of_version(client, settings, ran[place], job)
    document = deploy.carry_out(client, settings, packaged, job, None)
    # What lies behind is forgotten, so that the next way back leads further back and not to what was left.
    history.keep(client, settings, ran[: place + 1])
    verify.verify(document, settings)


if __name__ == "__main__":
    main()
