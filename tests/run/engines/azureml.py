"""A stand-in for a workspace of Azure ML on this machine, whose image has the environment of a test's project."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.package.pipeline.engines.azureml_server import Server
from tests.run.project import Project


class Workspace(Server):
    """A workspace that takes projects, each of which has the next image."""

    project: Project

    @property
    def variables(self) -> dict[str, str]:
        """What a project sets to use it."""
        return super().variables | {
            "ENGINE_AZUREML_IMAGE": "project:{commit}",
            "ENGINE_AZUREML_COMPUTE": "cpu-cluster",
            "ENGINE_AZUREML_SHARED_FOLDER": str(self.folder.parent),
        }

    def take(self, project: Project) -> None:
        """Let stages have the environment of a project; its code is uploaded."""
        self.project = project

    def image(self, specification: dict[str, Any]) -> dict[str, str]:
        """Return the variables of the image, whose name has to be that of a commit."""
        path = specification["environment"].removeprefix("azureml:")
        name, _, commit = self.get(path)["properties"]["image"].partition(":")
        assert name == "project" and len(commit) == 12
        programs = self.project.path / ".venv" / "bin"
        return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def missing() -> str:
    """What is needed and not here."""
    return "" if shutil.which("git") else "git"


@contextmanager
def serve(folder: Path) -> Iterator[Workspace]:
    """Run the workspace until the block ends."""
    found = Workspace(folder, {})
    found.come_back()
    try:
        yield found
    finally:
        found.end()
    assert not found.faults
