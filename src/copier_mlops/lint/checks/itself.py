"""Files and checks that the lint could not check."""

from collections.abc import Iterator

from copier_mlops.lint.check import WARNING, Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry

# Files that the tools of a project read when they start. Other files are read by the checks that need them.
CORE = ("params.yaml", "dvc.yaml", "dvc.lock", ".pre-commit-config.yaml")
# Texts that an update merges: copier drops bytes that are not UTF-8, and ignores files with a NUL.
MERGED = (".gitignore", ".dvc/config", "operation/")
TEXT = (".gitignore", "config", ".py", ".yaml", ".j2", ".md", "Dockerfile")


class UnreadableFile(Check):
    """A file that cannot be read. The project remembers it when any check asks for it; here the others are read."""

    id = "MLO001"
    name = "unreadable-file"
    page = "itself"
    finds = (
        "A file that the lint must read is not valid YAML, TOML or JSON, is not UTF-8, or cannot be opened; or a text "
        "of the template is not UTF-8."
    )
    why = (
        "The lint cannot see any other fault in it, and the tools that need it stop, often with a worse message. When "
        "an update merges it, copier silently drops each byte that is not UTF-8, and your changes to a file with a "
        "NUL."
    )
    fix = "Repair the file, save it as UTF-8, or restore it with `git restore FILE`."
    example = Example("params.yaml", "seed: [42\n", "seed: 42\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Read the files that no other check reads; `run` adds the findings that the project remembers."""
        merged = MERGED + tuple(path.lstrip("/") for host in registry("hosts").values() for path in host["paths"])
        for path in project.files:
            if path in CORE or path.endswith(".dvc"):
                project.dvc(path)
            elif path.endswith(".toml") and "/" not in path:
                project.toml(path)
            elif path.startswith(merged) and path.endswith(TEXT):
                project.text(path)
        yield from ()


class NoGit(Check):
    """A folder that is not a git repository."""

    id = "MLO002"
    name = "no-git"
    severity = WARNING
    page = "itself"
    finds = "The project is not in a git repository, or git fails."
    why = "The lint cannot check what is in git, and `copier update` does not work without git."
    fix = (
        "Run `uv run poe setup`, which initialises git. If git distrusts the folder, its message tells you what to do."
    )
    example = Example(
        "git status",
        "fatal: not a git repository (or any of the parent directories): .git\n",
        "On branch main\nnothing to commit, working tree clean\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Report that git does not list the files."""
        if project.listing.without_git:
            said = "MLO404 and MLO501 to MLO503 were not checked, since they need the list of files in git"
            yield self.found("", 0, f"{said}: {project.listing.without_git}")


class CheckFailed(Check):
    """A check that raised an exception; `run` reports it, since only `run` sees it."""

    id = "MLO003"
    name = "check-failed"
    page = "itself"
    finds = "A check stopped with an error of its own."
    why = "You do not know what it would have found. All other checks have run, and the lint ends with 2."
    fix = "Report it with its message. You cannot silence it with `ignore`, since the fault is in the lint."
    example = Example(
        "mlops lint",
        ".: MLO003 MLO602 failed: KeyError: 'cmd'\n",
        "mlops lint: 0 errors, 0 warnings\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Find nothing."""
        yield from ()
