"""A stand-in for Argo Workflows on this machine, whose image has the project of a test, without git."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.package.pipeline.engines.cluster import Cluster as Folder
from tests.package.pipeline.engines.cluster import Image
from tests.run.project import Project

REMOTE = "german-credit-data"
ENGINES = Path("operation", "configuration", "engines")


class Cluster(Folder):
    """A cluster that takes projects, each of which is the next image."""

    programs: Path

    @property
    def variables(self) -> dict[str, str]:
        """What a project sets to use it: pods get the data remote, which is beside the project, by the claim only."""
        return {
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "ENGINE_ARGO_IMAGE": "project:{commit}",
            "ENGINE_ARGO_CLAIM": "mlops-data",
            "ENGINE_ARGO_MOUNT": f"/{REMOTE}",
        }

    def take(self, project: Project) -> None:
        """Let pods have the tree of a project, its environment, and what it renders for the cluster."""
        programs = project.path / ".venv" / "bin"
        environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        self.write("image", "all", {"environment": environment, "tree": str(project.path)})
        for name in ("argo_access.yaml", "argo_volume.yaml"):
            for each in yaml.safe_load_all(project.text((ENGINES / name).as_posix())):
                if each["kind"] == "PersistentVolumeClaim":
                    each["metadata"]["annotations"] = {"folder": str(project.path.parent / REMOTE)}
                self.apply(each)

    def go_away(self) -> None:
        """Answer no more; pods go on."""
        (self.folder / "away").touch()

    def come_back(self) -> None:
        """Answer again."""
        (self.folder / "away").unlink()


def missing() -> str:
    """What is needed and not here."""
    return "" if shutil.which("git") else "git"


@contextmanager
def serve(folder: Path) -> Iterator[Cluster]:
    """Let the cluster be there until the block ends."""
    found = Cluster(folder)
    found.programs = found.install(Image({}, ""))
    try:
        yield found
    finally:
        for each in (folder / "Workflow").glob("*.json"):
            each.unlink()  # a controller that is still at work ends
