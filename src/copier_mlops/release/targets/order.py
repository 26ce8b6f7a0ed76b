"""What every target is told."""

from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from copier_mlops.project import Settings, root


@dataclass(frozen=True)
class Order:
    """Run this package in that environment. A target that cannot raises SystemExit with what went wrong."""

    settings: Settings
    url: str
    package: dict
    context: Path
    """The build context that the package was made of."""
    folder: Path
    """Where the target writes what it needs: build/deploy-<environment>."""
    client: MlflowClient

    def image(self) -> tuple[str, str]:
        """Repository and tag of the image.

        Raises:
            SystemExit: It was never built.
        """
        if not self.package["built"]:
            place = self.context.relative_to(root()).as_posix()
            raise SystemExit(
                f"deploy: the image {self.package['image']} was never built\n"
                f"  mend: start docker or podman and run: uv run poe package; its context is {place}"
            )
        repository, _, tag = self.package["image"].rpartition(":")
        return repository, tag
