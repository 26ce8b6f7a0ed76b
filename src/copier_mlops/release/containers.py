"""Build images with docker or podman, whichever answers first."""

from pathlib import Path

from copier_mlops.command import CommandError, run, show

PROGRAMS = ("docker", "podman")


def find() -> str | None:
    """Return the first program that is installed and answers, or None."""
    for name in PROGRAMS:
        try:
            # Not `info`: without its daemon, docker describes its client, and some versions exit with 0.
            run(name, "ps", "--quiet", timeout=30)
        except CommandError:
            continue
        return name
    return None


def is_elsewhere(image: str) -> bool:
    """Return whether the name of an image begins with a registry, by docker's rule: a dot, a port, or localhost."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def build(task: str, program: str, context: Path, image: str, labels: dict[str, str]) -> None:
    """Build a context, and push the image if its name begins with a registry.

    Args:
        task: The task that says so, for example `package`.
        program: docker or podman.
        context: A folder with a Dockerfile.
        image: The name of the image.
        labels: What is known of it, for example its `revision`.

    Raises:
        SystemExit: The build or the push failed.
    """
    named = [f"--label=org.opencontainers.image.{name}={value}" for name, value in labels.items()]
    # podman's own format keeps no HEALTHCHECK, for which compose waits.
    form = ["--format=docker"] if program == "podman" else []
    show(task, program, "build", *form, f"--tag={image}", *named, str(context))
    if is_elsewhere(image):
        show(task, program, "push", image)
