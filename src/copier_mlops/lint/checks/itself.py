"""What the lint could not check. MLO003 comes from run.py, which sees a check fail."""

from collections.abc import Iterator

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry

# What the tools of a project read at once when they start. Other files are read by the checks that need them.
CORE = ("params.yaml", "dvc.yaml", "dvc.lock", ".pre-commit-config.yaml")
# Texts that an update merges: copier drops what is not UTF-8, and passes over what holds a NUL.
MERGED = (".gitignore", ".dvc/config", "operation/")
TEXT = (".gitignore", "config", ".py", ".yaml", ".j2", ".md", "Dockerfile")


@check("MLO001")
def unreadable(project: Project) -> Iterator[Finding]:
    """A file that cannot be read: the project remembers it, whoever asked for it; here all are asked for."""
    merged = MERGED + tuple(path.lstrip("/") for host in registry("hosts").values() for path in host["paths"])
    for path in project.files:
        if path in CORE or path.endswith(".dvc"):
            project.dvc(path)
        elif path.endswith(".toml") and "/" not in path:
            project.toml(path)
        elif path.startswith(merged) and path.endswith(TEXT):
            project.text(path)
    yield from ()


@check("MLO002")
def without_git(project: Project) -> Iterator[Finding]:
    """A folder that is no git repository."""
    if project.listing.without_git:
        said = "MLO404 and MLO501 to MLO503 were not checked, since nobody says what is in git"
        yield Finding("", 0, "MLO002", f"{said}: {project.listing.without_git}")
