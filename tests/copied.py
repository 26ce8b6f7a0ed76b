"""pytest-copier as the tests use it: without --trust, from any template and version."""

from dataclasses import dataclass, replace
from pathlib import Path

from pytest_copier.plugin import CopierFixture

from tests.project import copy_project, update_project
from tests.run.project import Project


@dataclass
class Copier(CopierFixture):
    """Copies and updates projects; a template that needs --trust is refused.

    pytest-copier itself renders with `unsafe=True`, which hides such a template, and from the newest tag only.
    """

    def copy(self, dst: Path, version: str | None = "HEAD", **data: object) -> Project:
        """Copy a version of the template, given some answers."""
        copy_project(self.template, dst, version, **self.defaults | data)
        return Project(dst, self)

    def update(self, project: Path, version: str | None = None, **data: object) -> Project:
        """Update a project to a version of its template, the newest one by default, given some answers."""
        update_project(project, version, **data)
        return Project(project, self)

    def at(self, template: Path | str) -> "Copier":
        """Return the same for another template: a folder, or an address."""
        return replace(self, template=template)
