"""The engine that builds and runs images: docker, or podman, where one answers."""

import subprocess
from pathlib import Path

from copier_mlops.command import show

ENGINES = ("docker", "podman")


def find() -> str | None:
    """The first engine that is installed and answers; docker's client alone is none."""
    for name in ENGINES:
        try:
            asked = subprocess.run([name, "info"], capture_output=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        # Without its daemon, docker still describes its client; not every version then ends with an error.
        if asked.returncode == 0 and b"Cannot connect" not in asked.stderr:
            return name
    return None


def is_elsewhere(image: str) -> bool:
    """Whether a name of an image begins with a registry, by docker's own rule: a dot, a port, or localhost."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def build(engine: str, context: Path, image: str, labels: dict[str, str]) -> None:
    """Build a context, and push the image where its name begins with a registry.

    Raises:
        SystemExit: The engine cannot.
    """
    named = [f"--label=org.opencontainers.image.{name}={value}" for name, value in labels.items()]
    show("package", engine, "build", f"--tag={image}", *named, str(context))
    if is_elsewhere(image):
        show("package", engine, "push", image)
