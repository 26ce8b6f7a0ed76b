"""Set up a checkout for work on the template, and report what it still lacks.

It installs the environment and the git hooks, and gets the tags of the releases from the remote or the history. You can
run it again at any time.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tasks.repository import ROOT, TaskError, call, git
from tasks.tag_releases import tag_releases


def has(repository: Path, setting: str) -> bool:
    """Return whether git has a setting in this repository."""
    return bool(git(repository, "config", "--get", "--default", "", setting).strip())


def check_identity(repository: Path) -> str:
    """Check that commits can be made here.

    Raises:
        TaskError: git does not know who commits.
    """
    try:
        return git(repository, "var", "GIT_AUTHOR_IDENT").rpartition(">")[0] + ">"
    except TaskError as error:
        fix = 'git config --global user.name "Your Name" && git config --global user.email you@example.org'
        raise TaskError("git has no name and e-mail address for your commits.", fix) from error


def install_environment(repository: Path) -> str:
    """Install the dependencies of pyproject.toml into the checkout's own virtual environment."""
    call(repository, "uv", "sync", "--quiet", fix="uv sync")
    return "the dependencies of pyproject.toml are installed"


def install_hooks(repository: Path) -> str:
    """Install the hooks of .pre-commit-config.yaml: the lint before a commit, the fast tests before a push."""
    hooks = ("--hook-type", "pre-commit", "--hook-type", "pre-push")
    fix = "uv run pre-commit install; if core.hooksPath is set: git config --unset-all core.hooksPath"
    call(repository, sys.executable, "-m", "pre_commit", "install", *hooks, fix=fix)
    return "lint before a commit, fast tests before a push"


def get_tags(repository: Path) -> str:
    """Get the tags of the releases: without them, `copier copy` takes the newest commit as the newest version."""
    if has(repository, "remote.origin.url"):
        git(repository, "fetch", "--quiet", "--tags", "origin", fix="git fetch --tags origin")
    made = [release.version for release in tag_releases(repository)]
    return f"set here: {', '.join(made)}" if made else "none is missing"


STEPS: dict[str, Callable[[Path], str]] = {
    "identity": check_identity,
    "environment": install_environment,
    "hooks": install_hooks,
    "tags": get_tags,
}


def develop(repository: Path) -> bool:
    """Run each step, print its result, and return whether all succeeded; a failed step does not stop the others."""
    well = True
    for name, step in STEPS.items():
        try:
            print(f"ok {name}: {step(repository)}", flush=True)
        except TaskError as error:
            well = False
            print(f"missing {name}: {error}", flush=True)
    return well


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="poe develop", description=__doc__, epilog="For example: uv run poe develop")
    parser.add_argument("--repository", type=Path, default=ROOT, help="checkout to set up (default: this one)")
    options = parser.parse_args(arguments)
    if not develop(options.repository):
        sys.exit(1)
    print("next: uv run poe test-fast")


if __name__ == "__main__":
    main()
