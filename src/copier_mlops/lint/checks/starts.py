"""The start of CI: its files lie in the folder that the host reads, and the branch that they name is there."""

import os
from collections.abc import Iterator
from pathlib import Path

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.listing import git
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry

MAIN = "main"
# How the hosts name the one branch whose pushes start a flow: as a list, or on Bitbucket as a key.
NAMED = rf"^ +((branches|include): \[{MAIN}\]|{MAIN}:)$"
ALL_BRANCHES = "refs/heads/*:"


def branch_without_main(root: Path) -> str:
    """Return the branch that is checked out if the repository has no branch `main`; otherwise an empty text.

    A clone of one branch or commit, as on many CI hosts, does not know the others: the text is empty then, too.

    Raises:
        OSError: Git or a repository is missing, or no branch is checked out; the text is git's own.
    """
    branch = os.fsdecode(git(root, "symbolic-ref", "--short", "HEAD")).strip()
    wanted = (f"refs/heads/{MAIN}", f"refs/remotes/*/{MAIN}")
    if branch == MAIN or git(root, "for-each-ref", "--count=1", *wanted):
        return ""
    try:
        fetched = os.fsdecode(git(root, "config", "--get-regexp", r"^remote\..*\.fetch$"))
    except OSError:  # no remote
        return branch
    return branch if ALL_BRANCHES in fetched else ""


class BranchMissing(Check):
    """CI that starts at pushes to `main`, in a repository without this branch."""

    id = "MLO210"
    name = "branch-missing"
    page = "pipelines"
    finds = "A CI file that starts at pushes to `main`, in a repository that has no such branch, here or on a remote."
    why = "Nothing checks your pushes, and nothing says so: the host sees a push to another branch."
    fix = (
        "Rename your main branch, for example: `git branch -m master main`, then `git push -u origin main`. Make it "
        "the default branch in the settings of your host."
    )
    example = Example("git branch", "* master\n", "* main\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Look for a CI file that names the branch, then ask git."""
        named = [(path, project.line_of(path, NAMED)) for path in project.flows(project.host)] if project.host else []
        path, line = next(((path, line) for path, line in named if line), ("", 0))
        if not path or project.listing.without_git:
            return
        try:
            branch = branch_without_main(project.root)
        except OSError:  # a commit is checked out, not a branch
            return
        if branch:
            said = f"starts at pushes to `{MAIN}`, but your repository has no such branch; you are on `{branch}`"
            yield self.found(path, line, said)


class CiUnread(Check):
    """CI files of a project that is a folder of a larger repository."""

    id = "MLO211"
    name = "ci-unread"
    page = "pipelines"
    finds = "A project with CI files that is a folder of a larger repository."
    why = "Your host reads CI files only at the root of a repository, so nothing checks your pushes."
    fix = (
        "Give the project a repository of its own; `git subtree split --prefix FOLDER --branch project` and "
        "`git push ADDRESS project:main` keep its history. If it has to stay, let a CI file at the root call "
        "`uv run --directory FOLDER poe ci`, and put `ci-unread` into `ignore` of the lint's settings."
    )
    example = Example("git ls-files", "models/churn/.github/workflows/ci.yml\n", ".github/workflows/ci.yml\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Report the first CI file, if git's root is above the project."""
        prefix = project.listing.prefix
        flows = project.flows(project.host) if prefix and project.host else []
        if flows:
            name = registry("hosts")[project.host]["name"]
            yield self.found(flows[0], 0, f"{name} does not read CI files in {prefix}, only those at the root")
