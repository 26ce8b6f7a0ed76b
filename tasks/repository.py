"""Shared code of the tasks: the path of the repository, calls of git, and errors."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class TaskError(RuntimeError):
    """A task cannot go on; the text says why, and how to fix it."""

    def __init__(self, sentence: str, fix: str = "") -> None:
        super().__init__(f"{sentence}\n  fix: {fix}" if fix else sentence)


def call(folder: Path, *command: str, fix: str = "") -> str:
    """Run a command in a folder and return its output.

    Raises:
        TaskError: The command cannot be started or ended with an error; the text is its own message.
    """
    # Use the virtual environment of that folder, whichever is active in this shell.
    variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        raise TaskError(f"`{command[0]}` cannot be started in {folder}: {error.strerror}.", fix) from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        if "Traceback (most recent call last)" in said:
            said = said.splitlines()[-1]  # the last line of a Python traceback
        raise TaskError(f"`{' '.join(command)}` ended with {done.returncode}: {said}", fix)
    return done.stdout


def git(repository: Path, *arguments: str, fix: str = "") -> str:
    """Return the output of git.

    Raises:
        TaskError: git ended with an error; the text is its own message.
    """
    return call(repository, "git", *arguments, fix=fix)


def file_at(repository: Path, commit: str, path: str) -> str:
    """Return the text of a file in a commit, or an empty text if the commit does not have that file."""
    return git(repository, "show", f"{commit}:{path}") if git(repository, "ls-tree", commit, path) else ""
