"""Make an environment ready, or take it down: a plan that a person sees, and its application.

What environments share (experiment, registered model, data remote) is made if it is missing and never taken down:
no data, run or model is deleted here.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from copier_mlops import handover
from copier_mlops.command import CommandError
from copier_mlops.project import Settings, load_settings
from copier_mlops.release import approval, context
from copier_mlops.release import settings as release
from copier_mlops.release.targets import target
from copier_mlops.setup import checks
from copier_mlops.tracking import models, server


@dataclass(frozen=True)
class Resource:
    """One thing of an environment: without `make` it comes with a deployment, without `remove` it stays."""

    name: str
    is_there: Callable[[], bool]
    make: Callable[[], object] | None = None
    remove: Callable[[], object] | None = None


def resources(settings: Settings) -> list[Resource]:
    """Return what an environment consists of, in the order in which it is made.

    Raises:
        SystemExit: The tracking server is away, or the files of the environment are wrong.
    """
    client = server.connect(settings)
    name, alias = settings.model_name, settings.model_alias
    service: list[Resource] = []
    if context.service() == "online":
        runs_on = target(release.load(settings.environment).target)
        runs_on.check(settings)
        service = [
            Resource(
                f"service of {settings.environment}",
                lambda: runs_on.is_running(settings, client),
                remove=lambda: runs_on.stop(settings, client),
            )
        ]
    return [
        Resource("data remote", lambda: checks.look_remote().ok, make=checks.fix_remote),
        Resource(
            f"experiment {settings.experiment}",
            lambda: client.get_experiment_by_name(settings.experiment) is not None,
            make=server.fix_experiment,
        ),
        Resource(
            f"registered model {name}",
            lambda: bool(client.search_registered_models(f"name = '{name}'")),
            make=lambda: client.create_registered_model(name),
        ),
        *service,
        Resource(
            f"alias {alias} of {name}",
            lambda: models.current(client, settings) is not None,
            remove=lambda: client.delete_registered_model_alias(name, alias),
        ),
    ]


def changes(settings: Settings, teardown: bool) -> list[tuple[Resource, Callable[[], object]]]:
    """Return what a plan would change and what changes it, in the order in which it is done.

    Raises:
        SystemExit: A program that knows it is not installed or refuses, as kubectl does without a cluster.
    """
    found = []
    for each in reversed(resources(settings)) if teardown else resources(settings):
        change = each.remove if teardown else each.make
        try:
            if change and each.is_there() == teardown:
                found.append((each, change))
        except CommandError as error:
            raise SystemExit(f"plan: whether {each.name} is there cannot be seen: {error}") from None
    return found


def plan(arguments: list[str] | None = None) -> None:
    """Show what an environment lacks, or with --teardown what would be taken down, and change nothing."""
    parser = argparse.ArgumentParser(prog="poe plan", description=plan.__doc__)
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment (default: OPERATION_ENVIRONMENT)")
    parser.add_argument("--teardown", action="store_true", help="plan to take the environment down")
    options = parser.parse_args(arguments)
    settings = load_settings(options.env)
    names = [each.name for each, _ in changes(settings, options.teardown)]
    document = {"environment": settings.environment, "teardown": options.teardown, "resources": names}
    handover.write("plan", "plan", document)
    verb = "take down" if options.teardown else "make"
    print(f"plan: {settings.environment}: " + ("nothing to do" if not names else f"{verb} {len(names)}"))
    for name in names:
        print(f"  {'-' if options.teardown else '+'} {name}")


def apply(arguments: list[str] | None = None) -> None:
    """Do what the approved plan says, and nothing else; a part that fails leaves the others alone."""
    parser = argparse.ArgumentParser(prog="poe apply", description=apply.__doc__)
    parser.parse_args(arguments)
    planned = handover.read("plan", "plan")
    approved = approval.require("apply")
    settings = load_settings(planned["environment"])
    from mlflow.exceptions import MlflowException

    done, failed = [], []
    for resource, change in changes(settings, planned["teardown"]):
        if resource.name not in planned["resources"]:
            print(f"  leave {resource.name}: it is not in the plan")
            continue
        try:
            change()
        except (MlflowException, CommandError, OSError, SystemExit) as error:
            failed.append(resource.name)
            print(f"  FAILED {resource.name}: {error}")
        else:
            done.append(resource.name)
            print(f"  done {resource.name}")
    approval.use_up("apply")
    handover.write("apply", "applied", {**planned, "done": done, "failed": failed, "approval": approved})
    print(f"apply: {settings.environment}: {len(done)} done, {len(failed)} failed")
    if failed:
        raise SystemExit("apply: fix what failed, then plan again: uv run poe plan")
