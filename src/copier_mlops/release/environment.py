"""Plan and apply the creation or the removal of an environment.

Resources that environments share (experiment, registered model, data remote) are created if they are missing, but never
removed: data, runs and models are not deleted here.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from copier_mlops import handover, hosts
from copier_mlops.command import CommandError
from copier_mlops.release import approval, context, runner
from copier_mlops.release import settings as release
from copier_mlops.release.targets import target
from copier_mlops.settings import Settings, load_settings
from copier_mlops.setup import data
from copier_mlops.tracking import models, server


@dataclass(frozen=True)
class Resource:
    """A resource of an environment. Without `make` a deployment creates it; without `remove` it stays."""

    name: str
    is_there: Callable[[], bool]
    make: Callable[[], object] | None = None
    remove: Callable[[], object] | None = None


def resources(settings: Settings) -> list[Resource]:
    """Return the resources of an environment, in the order of their creation.

    Raises:
        SystemExit: The tracking server does not answer, or the files of the environment are wrong.
    """
    client = server.connect(settings)
    name, alias = settings.model_name, settings.model_alias
    service: list[Resource] = []
    if context.service() == "online":
        goal = release.load(settings.environment)
        runs_on = target(goal.target)
        runs_on.check(settings)
        runner.prepare(goal.prepare_deploy, "deploy")
        service = [
            Resource(
                f"service of {settings.environment}",
                lambda: runs_on.is_running(settings, client),
                remove=lambda: runs_on.stop(settings, client),
            )
        ]
    return [
        Resource("data remote", lambda: data.look_remote().ok, make=data.fix_remote),
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
    """Return the resources that a plan changes, each with the function that changes it, in order.

    Raises:
        SystemExit: The state of a resource cannot be read, for example by kubectl without a cluster.
    """
    found = []
    for each in reversed(resources(settings)) if teardown else resources(settings):
        change = each.remove if teardown else each.make
        try:
            if change and each.is_there() == teardown:
                found.append((each, change))
        except CommandError as error:
            raise SystemExit(f"plan: the state of {each.name} is unknown: {error}") from None
    return found


def plan(arguments: list[str] | None = None) -> None:
    """Show which resources would be created, or removed with --teardown, and change nothing."""
    parser = argparse.ArgumentParser(
        prog="poe plan", description=plan.__doc__, epilog="For example: uv run poe plan --env stage"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="environment (default: OPERATION_ENVIRONMENT, or dev)")
    parser.add_argument("--teardown", action="store_true", help="plan to remove the environment")
    options = parser.parse_args(arguments)
    settings = load_settings(options.env)
    names = [each.name for each, _ in changes(settings, options.teardown)]
    document = {"environment": settings.environment, "teardown": options.teardown, "resources": names}
    handover.write("plan", "plan", document)
    hosts.tell("changes", bool(names))
    verb = "take down" if options.teardown else "make"
    print(f"plan: {settings.environment}: " + ("nothing to do" if not names else f"{verb} {len(names)}"))
    for name in names:
        print(f"  {'-' if options.teardown else '+'} {name}")


def apply(arguments: list[str] | None = None) -> None:
    """Apply the approved plan, and change nothing else; a resource that fails does not stop the others."""
    parser = argparse.ArgumentParser(
        prog="poe apply", description=apply.__doc__, epilog="For example: uv run poe apply"
    )
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
