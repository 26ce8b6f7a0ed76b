"""Monitor production: does the service answer with the released version, and is its model too old?"""

from __future__ import annotations

import argparse
import json
import re
import time
from typing import TYPE_CHECKING, Any

from copier_mlops import handover
from copier_mlops.command import CommandError, run
from copier_mlops.hosts import connect
from copier_mlops.monitoring.settings import load
from copier_mlops.project import answer, entry, level, root
from copier_mlops.registry import flows, registry
from copier_mlops.release import verify
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import models, server

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

# The team's file, which may check more than `problems` does.
ENTRY = "operation/monitoring/prediction_monitoring.py"
DAY = 24 * 60 * 60
COMMIT = re.compile("[0-9a-f]{40,64}")
# The newest runs that are compared with HEAD.
RUNS = 100
# A healthy service answers at once.
SECONDS = 10


def age_in_days(version: ModelVersion) -> float:
    """Return the days since a version was registered."""
    return (time.time() - version.creation_timestamp / 1000) / DAY


def trained_before(client: MlflowClient, version: ModelVersion) -> str:
    """Return the commit of a run that had the data, code and parameters of HEAD; empty if none had.

    A commit that this clone does not have counts as a change, and so does a run with uncommitted changes.
    """
    experiment = client.get_run(str(version.run_id)).info.experiment_id
    runs = client.search_runs([experiment], "tags.`git.dirty` = 'false'", max_results=RUNS)
    commits = dict.fromkeys(each.data.tags.get("git.commit", "") for each in runs)
    return next((each for each in commits if COMMIT.fullmatch(each) and _is_as_head(each)), "")


def _is_as_head(commit: str) -> bool:
    # A push of these paths to main starts cd: they decide the model.
    paths = flows(level())["cd"]["when"]["push"]
    try:
        run("git", "diff", "--quiet", commit, "HEAD", "--", *(path.removesuffix("/**") for path in paths))
    except CommandError:
        return False
    return True


def problems(version: ModelVersion, settings: Settings, seconds: float = SECONDS) -> list[str]:
    """Return what is wrong with the deployment that the registry records, in sentences; an empty list if all is well.

    Args:
        version: The version that the environment's alias points at.
        settings: The settings of the environment.
        seconds: How long the service has to answer.
    """
    deployed = version.tags.get(f"deployed.{settings.environment}")
    if deployed is None:
        return [f"version {version.version} has the alias {settings.model_alias}, but was never deployed"]
    try:
        list(verify.checks(json.loads(deployed), settings, seconds))
    except verify.DifferenceError as error:
        return [str(error)]
    return []


def look(version: ModelVersion, settings: Settings) -> list[str]:
    """Return the problems that the project's own `look` finds, or those of `problems` if it has none.

    Raises:
        SystemExit: The file fails, or does not return a list of sentences; the text names its line.
    """
    if not (root() / ENTRY).is_file():
        return problems(version, settings)
    found = entry(ENTRY, "look")(version, settings)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise SystemExit(
            f"monitor: look of {ENTRY} returns {type(found).__name__}, not a list of sentences\n"
            "  fix: end it with `return found`, an empty list if all is well"
        )
    return found


def watch(environment: str) -> dict[str, Any]:
    """Return the problems of the service, the age of its model, and whether training is due."""
    settings, monitoring = load_settings(environment), load(environment)
    client = server.connect(settings)
    version = models.current(client, settings)
    if version is None:
        return {"environment": environment, "version": None, "problems": ["nothing is released yet"], "due": False}
    age = age_in_days(version)
    old = age > monitoring.max_age_days
    before = trained_before(client, version) if old else ""
    seen = {
        "environment": environment,
        "version": str(version.version),
        "problems": look(version, settings),
        "age_in_days": round(age, 2),
        "due": old and not before,
    }
    if before:
        seen["reason"] = f"the model is old, but nothing has changed since commit {before[:12]} was trained"
    return seen


def start_training() -> str:
    """Start the flow `cd`, whose gates decide about the new model; return the address of the run."""
    if registry("hosts")[answer("git_host")]["api"]:
        return connect().start("cd", {})
    return "run: uv run poe cd"


def main(arguments: list[str] | None = None) -> None:
    """Monitor an environment, start a training if it is due, and exit with 1 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog="poe monitor", description=main.__doc__, epilog="For example: uv run poe monitor --dry-run"
    )
    parser.add_argument("--env", choices=["prod"], default="prod", help="environment to monitor (default: prod)")
    parser.add_argument("--dry-run", action="store_true", help="report whether training is due, but do not start it")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    seen = watch(options.env)
    if seen["due"] and not options.dry_run:
        seen["training"] = start_training()
    handover.write("watch", "seen", {**seen, "at": handover.now()})
    if options.json:
        print(json.dumps(seen, indent=2))
    else:
        for name, value in seen.items():
            print(f"monitor: {name.replace('_', ' ')}: {value}")
    raise SystemExit(1 if seen["problems"] else 0)


if __name__ == "__main__":
    main()
