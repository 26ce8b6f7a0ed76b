"""Refuse what would end with the machine of a CI job: a service, or a registry in a file.

A job of a git host runs on a machine, or in a container, that is thrown away. A process or a container that the job
starts there is not a deployment.
"""

from copier_mlops.project import DEPLOYS
from copier_mlops.registry import flows
from copier_mlops.release import containers, context
from copier_mlops.release import settings as release
from copier_mlops.release.runner import ci_variable
from copier_mlops.release.targets import target
from copier_mlops.settings import Settings, load_settings, sqlite_file

# The targets that start the service on the machine of the job.
HERE = ("local", "compose")
FILE = "operation/configuration/environment_{}/release.yaml"


def require_lasting(*environments: str) -> None:
    """Check that a service which this machine starts stays.

    Raises:
        SystemExit: This is a CI machine, and the target of an environment is this machine.
    """
    machine = ci_variable()
    goals = {name: release.load(name) for name in environments}
    ending = {name: goal.target for name, goal in goals.items() if goal.target in HERE and not goal.outlives_job}
    if not machine or not ending:
        return
    having = " and ".join(f"{name} has the target {place}" for name, place in ending.items())
    files = ", ".join(FILE.format(name) for name in ending)
    raise SystemExit(
        f"deploy: {having}, and this is a CI machine ({machine} is set): what a job starts there ends with it\n"
        f"  fix: write target: kubernetes and the service's url into {files}\n"
        "  or, if the runner of these jobs is the server itself: outlives_job: true. `poe cd` on a laptop keeps local"
    )


def stages() -> list[str]:
    """Return the environments to which the flow cd deploys, in its order."""
    return [job["stage"] for job in flows(DEPLOYS)["cd"]["jobs"].values() if job.get("stage")]


def check() -> None:
    """Check, before a long training, that the flow cd can deploy from this machine, and change nothing.

    Raises:
        SystemExit: A service, the tracking server or the image would end with this machine, or the files of an
            environment are wrong.
    """
    if context.service() == "online":
        require_lasting(*stages())
    goals = {name: release.load(name) for name in stages()}
    if ci_variable() and not all(goal.outlives_job for goal in goals.values()):
        # The job that trains tracks in the environment that no step names.
        for settings in (load_settings(), *map(load_settings, stages())):
            require_server(settings)
        if any(goal.target == "kubernetes" for goal in goals.values()):
            require_registry()
    for name, goal in goals.items():
        target(goal.target).check(load_settings(name))
        print(f"deploy: {name} has the target {goal.target}")


def require_server(settings: Settings) -> None:
    """Check that the jobs of a git host, each on its own machine, share the tracking server of an environment.

    Raises:
        SystemExit: It is a file.
    """
    if file := sqlite_file(settings.tracking_uri):
        raise SystemExit(
            f"deploy: the tracking server of {settings.environment} is the file {file.name}, and each job of a git "
            "host has its own machine\n"
            "  fix: name a server that all jobs reach: uvx copier update --data tracking_uri=URL"
        )


def require_registry() -> None:
    """Check that the image leaves the machine that builds it.

    Raises:
        SystemExit: Its name has no registry.
    """
    image = release.load("prod").image
    if context.service() == "online" and not containers.is_elsewhere(image):
        raise SystemExit(
            f"deploy: the image {image or 'of the service'} names no registry, and the machine that builds it is gone "
            "when the cluster asks for it\n"
            f"  fix: write image: REGISTRY/NAME into {FILE.format('prod')}"
        )
