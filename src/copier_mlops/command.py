"""Run other programs: the one place that starts a process and waits for what it says."""

import os
import shutil
import subprocess
from pathlib import Path


class CommandError(RuntimeError):
    """A program is not installed, ended with an error or took too long; the text is what it said.

    `printed` is its standard output, which a program may use for errors although the text comes from the other stream.
    """

    def __init__(self, said: str, printed: str = "") -> None:
        super().__init__(said)
        self.printed = printed


def run(*command: str, cwd: Path | None = None, timeout: float | None = None, **variables: str) -> str:
    """Run a program and return what it printed.

    Args:
        command: The program and its arguments; never a shell's line.
        cwd: Where it runs; the project's root if none is given.
        timeout: Seconds after which it is ended.
        variables: Environment variables, beside those that are set.

    Raises:
        CommandError: It is not installed, ended with an error or took longer than `timeout`.
    """
    return run_bytes(*command, cwd=cwd, timeout=timeout, **variables).decode("utf-8", "replace").strip()


def run_bytes(*command: str, cwd: Path | None = None, timeout: float | None = None, **variables: str) -> bytes:
    """Run a program as `run` does and return the bytes that it printed, for names that are not UTF-8.

    Raises:
        CommandError: As `run`.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd or _root(),
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"{command[0]} did not end within {timeout:g} seconds") from None
    if done.returncode:
        printed, said = (text.decode("utf-8", "replace").strip() for text in (done.stdout, done.stderr))
        raise CommandError(said or printed or f"{command[0]} ended with {done.returncode}", printed)
    return done.stdout


def show(task: str, *command: str) -> None:
    """Run a program in the project's root and let it print as it goes.

    Raises:
        SystemExit: It is not installed or ended with an error; the text begins with the task's name.
    """
    if shutil.which(command[0]) is None:
        raise SystemExit(f"{task}: {command[0]} is not installed\n  fix: install it, or choose another target")
    done = subprocess.run(command, cwd=_root(), check=False)
    if done.returncode:
        raise SystemExit(f"{task}: `{' '.join(command)}` ended with {done.returncode}\n  fix: what it printed above")


def _root() -> Path:
    from copier_mlops.project import root  # pydantic takes a moment, and most callers say where to run

    return root()
