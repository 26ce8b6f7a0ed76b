"""Watch what production serves: does it answer as released, and is its model too old?"""

import argparse
import json
import time

from mlflow.entities.model_registry import ModelVersion

from copier_mlops import handover
from copier_mlops.hosts import connect
from copier_mlops.monitoring.settings import load
from copier_mlops.project import Settings, answer, load_settings
from copier_mlops.registry import registry
from copier_mlops.release import verify
from copier_mlops.tracking import models, server

DAY = 24 * 60 * 60
# A service that answers does so at once.
SECONDS = 10


def age_in_days(version: ModelVersion) -> float:
    """Days since a version was registered."""
    return (time.time() - version.creation_timestamp / 1000) / DAY


def problems(version: ModelVersion, settings: Settings) -> list[str]:
    """What is wrong with the deployment that the registry remembers, in sentences; none where all is well."""
    deployed = version.tags.get(f"deployed.{settings.environment}")
    if deployed is None:
        return [f"version {version.version} has the alias {settings.model_alias}, but was never deployed"]
    try:
        list(verify.checks(json.loads(deployed), settings, SECONDS))
    except verify.DifferenceError as error:
        return [str(error)]
    return []


def watch(environment: str) -> dict:
    """What was seen: whether the service answers as released, the age of its model, and whether training is due."""
    settings, monitoring = load_settings(environment), load(environment)
    version = models.current(server.connect(settings), settings)
    if version is None:
        return {"environment": environment, "version": None, "problems": ["nothing is released yet"], "due": False}
    age = age_in_days(version)
    return {
        "environment": environment,
        "version": str(version.version),
        "problems": problems(version, settings),
        "age_in_days": round(age, 2),
        "due": age > monitoring.max_age_days,
    }


def ask_for_training() -> str:
    """Have a new model trained by the flow `cd`, where its gates decide; says where it runs."""
    if registry("hosts")[answer("git_host")]["api"]:
        return connect().start("cd", {})
    return "run: uv run poe cd"


def main(arguments: list[str] | None = None) -> None:
    """Watch an environment; ends with 1 where it does not answer as it was released."""
    parser = argparse.ArgumentParser(prog="poe monitor", description=main.__doc__)
    parser.add_argument("--env", choices=["prod"], default="prod", help="environment (default: prod)")
    parser.add_argument("--dry-run", action="store_true", help="say that training is due, and start nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    seen = watch(options.env)
    if seen["due"] and not options.dry_run:
        seen["training"] = ask_for_training()
    handover.write("watch", "seen", {**seen, "at": handover.now()})
    if options.json:
        print(json.dumps(seen, indent=2))
    else:
        for name, value in seen.items():
            print(f"monitor: {name.replace('_', ' ')}: {value}")
    raise SystemExit(1 if seen["problems"] else 0)


if __name__ == "__main__":
    main()
