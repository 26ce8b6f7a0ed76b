"""Point the environment's alias at an earlier version of the model. Managed by the template."""

import argparse

from operation.configuration.settings import load
from operation.execution import registry, tracking


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="poe rollback", description=__doc__)
    parser.add_argument("--env", choices=["dev", "stage", "prod"], help="environment whose alias moves (default: dev)")
    parser.add_argument("--to", type=int, metavar="VERSION", help="version to go to (default: the one before)")
    options = parser.parse_args(arguments)
    settings = load(options.env)
    client = tracking.connect(settings)
    versions = {int(each.version): each for each in registry.versions(client, settings)}
    now = registry.current(client, settings)
    if now is None:
        raise SystemExit(f"rollback: {settings.model_name} has no version at alias {settings.model_alias}")
    earlier = [number for number in versions if number < int(now.version)]
    if options.to is None and not earlier:
        raise SystemExit(f"rollback: version {now.version} is the first; there is none to go back to")
    target = options.to if options.to is not None else max(earlier)
    if target not in versions:
        raise SystemExit(f"rollback: no version {target}; there are {', '.join(map(str, versions))}")
    print(f"rollback: {registry.point(client, settings, versions[target])}")


if __name__ == "__main__":
    main()
