"""What the lint could not check. MLO003 comes from run.py, which sees a check fail."""

from collections.abc import Iterator

from copier_mlops_lint.checks import check
from copier_mlops_lint.finding import Finding
from copier_mlops_lint.project import Project


@check("MLO002")
def without_git(project: Project) -> Iterator[Finding]:
    """A folder that is no git repository."""
    if project.listing.without_git:
        said = "MLO404 and MLO501 to MLO503 were not checked, since nobody says what is in git"
        yield Finding("", 0, "MLO002", f"{said}: {project.listing.without_git}")
