"""Propose an update of the template: push a branch with it, and open one change request.

Each version has its own branch, which is pushed once and never by force. After that, it belongs to you.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from copier_mlops.command import CommandError, run
from copier_mlops.fleet import login
from copier_mlops.fleet.proposal import PREFIX, Update, describe
from copier_mlops.hosts import connect
from copier_mlops.hosts.branches import author, branches, git_remote, open_request
from copier_mlops.hosts.interface import Host
from copier_mlops.hosts.refusals import one_line
from copier_mlops.hosts.settings import load
from copier_mlops.project import answer, root
from copier_mlops.registry import registry

# The version with which the template was tested.
COPIER = ("uv", "tool", "run", "--from", f"copier=={registry('tested')['copier']}", "copier")
# Files that others wrote are read without the host's token.
NO_TOKEN: dict[str, Any] = {"HOST_TOKEN": ""}
# The right that a push needs, by host.
RIGHTS = {"github": "the secret TEMPLATE_UPDATE_TOKEN; GitHub's own token may not push a change of workflows"}


def newer(folder: str) -> Update | None:
    """Return the update that is available for the project, or None.

    Raises:
        CommandError: The template could not be reached.
    """
    found = json.loads(read_template(*COPIER, "check-update", "--output-format", "json", folder))
    return Update(found["current_version"], found["latest_version"]) if found["update_available"] else None


def read_template(*command: str) -> str:
    """Return the output of a program that reads the template, which may be private.

    Raises:
        CommandError: It failed. If the template was the reason, the text says so.
    """
    try:
        return run(*command, **NO_TOKEN, **login.variables())
    except CommandError as error:
        raise CommandError(login.refused(str(error)) or str(error)) from None


@contextmanager
def worktree(start: str) -> Iterator[str]:
    """Make a separate work tree at a commit, so that your own files are never touched."""
    folder = root() / "build" / "template-update"
    remove(folder)  # what a run left that was killed
    # By force, and by force again: git may still know that folder, and hold it locked.
    run("git", "worktree", "add", "--quiet", "--force", "--force", "--detach", str(folder), start)
    try:
        yield str(folder)
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a work tree, and git's record of it."""
    shutil.rmtree(folder, ignore_errors=True)
    run("git", "worktree", "prune")


def make(update: Update, folder: str, before: list[str], replaced: list[str]) -> str:
    """Update the project in `folder` and its lock, commit, and return the text of the commit.

    Raises:
        CommandError: The update or the commit failed.
    """
    git = ("git", "-C", folder)
    read_template(*COPIER, "update", "--defaults", "--skip-answered", "--quiet", folder)
    conflicts = sorted(set(run(*git, "diff", "-z", "--name-only", "--diff-filter=U").split("\0")) - {""})
    text = describe(update, conflicts, lock(folder), before, replaced)
    run(*git, "add", "--all")
    run(
        *git,
        *author("Template update"),
        "commit",
        "--quiet",
        "--no-verify",
        "--message",
        update.title,
        "--message",
        text,
    )
    print(f"template-update: branch {update.branch}\n\n{text}\n")
    return text


def lock(folder: str) -> str:
    """Update uv.lock, and return why that failed; an empty text if it worked."""
    try:
        # Flows set UV_LOCKED, so that uv only checks the lock.
        run("uv", "lock", "--quiet", "--directory", folder, UV_LOCKED="0", **NO_TOKEN, **login.variables())
    except CommandError as error:
        return one_line(str(error)).replace("`", "'")
    return ""


def said(update: Update, variables: dict[str, str]) -> str:
    """Return the text of an update that was pushed earlier; its branch may have changed since."""
    git_remote(variables, "fetch", "--quiet", "--no-tags", "origin", update.branch)
    found = run("git", "log", "-1", "--fixed-strings", f"--grep={update.title}", "--format=%b", "FETCH_HEAD")
    return found or f"The template went from {update.current} to {update.latest}."


def push(update: Update, folder: str, variables: dict[str, str]) -> None:
    """Push the branch; if another run was faster, its branch stays.

    Raises:
        CommandError: The remote is away, or refused.
    """
    commit = run("git", "-C", folder, "rev-parse", "HEAD")
    fix = RIGHTS.get(answer("git_host"), "a token that may push branches")
    try:
        git_remote(variables, "push", "--quiet", "origin", f"{commit}:refs/heads/{update.branch}", fix=fix)
    except CommandError:
        if update.branch not in branches(variables, f"{PREFIX}*"):
            raise


def keep(update: Update, folder: str) -> None:
    """Make the branch here, and push nothing.

    Raises:
        CommandError: The branch exists and may have somebody's work in it, or the update failed.
    """
    if run("git", "branch", "--list", update.branch):
        raise CommandError(f"{update.branch} exists already; to delete it: git branch --delete --force {update.branch}")
    make(update, folder, [], [])
    run("git", "-C", folder, "branch", update.branch)


def propose(update: Update, folder: str, host: Host, base: str) -> None:
    """Push the branch if it is missing, and open its change request if it never had one."""
    known = host.find_change(update.branch, base)
    if known:
        state = "is open" if known.is_open else "was closed; the next version is proposed again"
        print(f"template-update: {known.url} {state}")
        return
    variables = host.git_variables()
    there = branches(variables, f"{PREFIX}*")
    if update.branch in there:
        text = said(update, variables)
    else:
        older = [found for found in (host.find_change(each, base) for each in there) if found and found.is_open]
        text = make(update, folder, ["git fetch origin"], [each.url for each in older])
        push(update, folder, variables)
    print(f"template-update: {open_request(host, update.branch, base, update.title, text)}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="poe template-update", description=__doc__, epilog="For example: uv run poe template-update --local"
    )
    parser.add_argument(
        "--local", action="store_true", help="create the branch locally, from the commit that is checked out"
    )
    local = parser.parse_args(arguments).local
    host, base = connect(), load().branch.name
    try:
        if not local:
            git_remote(host.git_variables(), "fetch", "--quiet", "--no-tags", "origin", base)
        with worktree("HEAD" if local else "FETCH_HEAD") as folder:
            update = newer(folder)
            if update is None:
                print("template-update: the project has the newest version of its template")
            elif local:
                keep(update, folder)
            else:
                propose(update, folder, host, base)
    except CommandError as error:
        raise SystemExit(f"template-update: {error}\n  nothing was changed in this work tree") from None


if __name__ == "__main__":
    main()
