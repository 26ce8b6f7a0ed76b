"""Tag each release that has no tag yet.

A release is the first commit of the main line with a higher final version in pyproject.toml, for example 1.2.3, and a
heading for it in CHANGELOG.md. Its tag is the version. You can run this again: existing tags stay.
"""

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from tasks.repository import ROOT, TaskError, file_at, git


class ReleaseError(TaskError):
    """The history and the tags contradict each other; the text says how, and how to fix it."""


@dataclass(frozen=True)
class Release:
    """A version and the commit that released it."""

    version: str
    commit: str


def version_at(repository: Path, commit: str) -> Version | None:
    """Return the version in a commit, or None if it has no version that can be compared."""
    try:
        return Version(tomllib.loads(file_at(repository, commit, "pyproject.toml"))["project"]["version"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, InvalidVersion):
        return None


def has_entry(changelog: str, version: str) -> bool:
    """Return whether a heading of the changelog is for the version."""
    return bool(re.search(rf"^#+ +\[?{re.escape(version)}\]?(?![\w.])", changelog, re.MULTILINE))


def find_releases(repository: Path) -> list[Release]:
    """Return the releases in the history of HEAD, oldest first.

    Raises:
        ReleaseError: The history is incomplete, or HEAD has a final version without a heading in the changelog.
    """
    if git(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise ReleaseError(
            "this clone is shallow and has not all commits; get them first: git fetch --unshallow --tags"
        )
    paths = ("pyproject.toml", "CHANGELOG.md")
    commits = git(repository, "log", "--first-parent", "--reverse", "--format=%H", "--", *paths).split()
    highest, releases, early = Version("0.dev0"), [], None
    for commit in commits:
        version = version_at(repository, commit)
        if version is None or version <= highest or not re.fullmatch(r"\d+\.\d+\.\d+", str(version)):
            continue
        if has_entry(file_at(repository, commit, "CHANGELOG.md"), str(version)):
            releases.append(Release(str(version), commit))
            highest = version
        elif early is None or early.version != str(version):
            early = Release(str(version), commit)
    if early and str(version_at(repository, "HEAD")) == early.version and Version(early.version) > highest:
        raise ReleaseError(
            f"commit {early.commit[:10]} raised the version to {early.version} without an entry in CHANGELOG.md: a "
            f"release needs the heading `## {early.version}`"
        )
    return releases


def tag_releases(repository: Path, dry_run: bool = False) -> list[Release]:
    """Tag the releases that have no tag, and return them.

    Raises:
        ReleaseError: A tag names another commit than its release. Nothing was tagged.
    """
    tags = git(repository, "tag", "--list").split()
    missing = []
    for release in find_releases(repository):
        if release.version not in tags:
            missing.append(release)
            continue
        tagged = git(repository, "rev-parse", f"refs/tags/{release.version}^{{commit}}").strip()
        if tagged != release.commit:
            raise ReleaseError(
                f"the tag {release.version} names commit {tagged[:10]}, but {release.commit[:10]} released that "
                f"version; find out which is right, and delete a wrong tag: git tag --delete {release.version}"
            )
    for release in missing if not dry_run else []:
        git(repository, "tag", "--no-sign", release.version, release.commit)
    return missing


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="poe tag-releases", description=__doc__, epilog="For example: uv run poe tag-releases --dry-run"
    )
    parser.add_argument("--dry-run", action="store_true", help="list the tags that would be set, but set none")
    parser.add_argument("--repository", type=Path, default=ROOT, help="repository to tag (default: this one)")
    options = parser.parse_args(arguments)
    try:
        releases = find_releases(options.repository)
        tagged = tag_releases(options.repository, options.dry_run)
    except TaskError as error:
        sys.exit(f"tag-releases: {error}")
    for release in tagged:
        print(f"{'would tag' if options.dry_run else 'tagged'} {release.version} at {release.commit[:10]}")
    if not releases:
        print("no release yet: nothing to tag")
    elif not tagged:
        print(f"nothing to tag: all {len(releases)} releases have their tags")
    elif not options.dry_run:
        print("publish them: git push --tags")


if __name__ == "__main__":
    main()
