"""A stand-in for Kubeflow Pipelines on this machine, whose image has the project of a test, without git."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.package.pipeline.engines.kubeflow_server import Server
from tests.run.project import Project


class Cluster(Server):
    """A server that takes projects, each of which is the next image."""

    project: Project

    @property
    def variables(self) -> dict[str, str]:
        """What a project sets to use it."""
        return {
            "KF_PIPELINES_ENDPOINT": self.url,
            "ENGINE_KUBEFLOW_IMAGE": "project:{commit}",
            "ENGINE_KUBEFLOW_CLAIM": "mlops-data",
        }

    def take(self, project: Project) -> None:
        """Let pods have the tree of a project, beside it, so that they see its data remote, and its environment."""
        self.project, self.folder = project, project.path.parent
        programs = project.path / ".venv" / "bin"
        self.environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def missing() -> str:
    """What is needed and not here."""
    return "" if shutil.which("git") else "git"


@contextmanager
def serve(folder: Path) -> Iterator[Cluster]:
    """Run the server until the block ends."""

    def unpack(image: str, tree: Path) -> None:
        name, _, commit = image.partition(":")
        assert name == "project" and len(commit) == 12
        packed = subprocess.check_output(["git", "archive", commit], cwd=found.project.path)
        tree.mkdir()
        subprocess.run(["tar", "--extract"], cwd=tree, input=packed, check=True)

    found = Cluster(folder, unpack, {})
    found.come_back()
    try:
        yield found
    finally:
        found.go_away()
    assert not found.faults
