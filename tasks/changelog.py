"""Read CHANGELOG.md: check that a change has its line, and print the section of a release."""

import argparse
import re
import sys
from pathlib import Path

from tasks.repository import ROOT, TaskError, file_at, git

FILE = "CHANGELOG.md"
# The paths that users notice: rendered files, questions, and the package that projects run.
NOTICED = ("copier.yml", "extensions", "src", "template")
NONE = re.compile(r"^changelog: none$", re.IGNORECASE | re.MULTILINE)
VERSION = re.compile(r"^## \[?(\d+\.\d+\.\d+)\]?(?![\w.])", re.MULTILINE)
CHECK_HELP = """Check that each change which users notice has a line in CHANGELOG.md.

Users notice changes of template/, extensions/, copier.yml and src/. If commits since the base branch touch one of
these, CHANGELOG.md needs a new line above the newest release that the base branch knows. A commit that changes nothing
for users says so in its message, on a line of its own: changelog: none
"""


def head_of(text: str, released: str | None) -> str:
    """Return the part of a changelog above a release, or all of it if no release is named."""
    for heading in VERSION.finditer(text):
        if heading[1] == released:
            return text[: heading.start()]
    return text


def unmarked_commits(repository: Path, base: str) -> list[str]:
    """Return the commits since a base that touch what users notice and do not say `changelog: none`, newest first."""
    commits = git(repository, "log", "--no-merges", "--format=%h", f"{base}..HEAD", "--", *NOTICED).split()
    return [commit for commit in commits if not NONE.search(git(repository, "log", "-1", "--format=%B", commit))]


def check(repository: Path, base: str) -> list[str]:
    """Return the commits that need a line in the changelog; an empty list if there is one.

    Raises:
        TaskError: git does not know the base, or shares no commit with it.
    """
    try:
        start = git(repository, "merge-base", base, "HEAD").strip()
    except TaskError as error:
        raise TaskError(
            f"git knows no commit that {base} and this branch share.", "git fetch --unshallow origin, or name a --base"
        ) from error
    commits = unmarked_commits(repository, start)
    before = file_at(repository, start, FILE)
    newest = VERSION.search(before)
    released = newest[1] if newest else None
    old, new = (head_of(text, released).splitlines() for text in (before, file_at(repository, "HEAD", FILE)))
    return commits if not set(new) - set(old) else []


def default_base(repository: Path) -> str:
    """Return the main branch of the remote, or the local one if there is no remote."""
    return "origin/main" if git(repository, "branch", "--remotes", "--list", "origin/main").strip() else "main"


def section(text: str, version: str) -> str:
    """Return a version's section of the changelog, without its heading.

    Raises:
        TaskError: The changelog has no such heading.
    """
    for heading in VERSION.finditer(text):
        if heading[1] == version:
            rest = text[heading.end() :].partition("\n")[2]
            return rest.partition("\n## ")[0].strip()
    raise TaskError(f"{FILE} has no heading for {version}.", f"add a section `## {version}` to {FILE}")


def check_changelog(arguments: list[str] | None = None) -> None:
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="poe check-changelog",
        description=CHECK_HELP,
        formatter_class=style,
        epilog="For example: uv run poe check-changelog --base origin/main",
    )
    parser.add_argument("--base", help="the branch that the change goes to (default: origin/main, or main)")
    parser.add_argument("--repository", type=Path, default=ROOT, help="repository to check (default: this one)")
    options = parser.parse_args(arguments)
    try:
        base = options.base or default_base(options.repository)
        commits = check(options.repository, base)
    except TaskError as error:
        sys.exit(f"check-changelog: {error}")
    if commits:
        sys.exit(
            f"check-changelog: {', '.join(commits)} changed what users notice, but {FILE} has no new line.\n"
            f"  fix: add a line under `## Unreleased`, or say `changelog: none` in the message of each such commit"
        )
    print(f"{FILE} has all needed lines since {base}")


def describe_release(arguments: list[str] | None = None) -> None:
    about = "Print the section of a version in CHANGELOG.md, for the notes of its release."
    parser = argparse.ArgumentParser(prog="poe describe-release", description=about)
    parser.add_argument("version", help="for example 0.2.0")
    parser.add_argument("--repository", type=Path, default=ROOT, help="repository to read (default: this one)")
    options = parser.parse_args(arguments)
    try:
        print(section((options.repository / FILE).read_text(encoding="utf-8"), options.version))
    except TaskError as error:
        sys.exit(f"describe-release: {error}")
