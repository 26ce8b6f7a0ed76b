"""Run other programs. No other module starts a process and waits for its output."""

import os
import shutil
import subprocess
from pathlib import Path

from copier_mlops.address import redacted


class CommandError(RuntimeError):
    """A program is not installed, ended with an error or took too long. The text is the program's own message.

    `printed` is its standard output: some programs print errors there, but the text comes from standard error.
    """

    def __init__(self, said: str, printed: str = "") -> None:
        super().__init__(redacted(said))
        self.printed = printed


def run(*command: str, cwd: Path | None = None, timeout: float | None = None, typed: str = "", **variables: str) -> str:
    """Run a program and return what it printed.

    Args:
        command: The program and its arguments, not a line for a shell.
        cwd: Where it runs; the project's root if none is given.
        timeout: Seconds after which the program is stopped.
        typed: The text of its standard input.
        variables: Environment variables to add to the current ones.

    Raises:
        CommandError: It is not installed, ended with an error or took longer than `timeout`.
    """
    return run_bytes(*command, cwd=cwd, timeout=timeout, typed=typed, **variables).decode("utf-8", "replace").strip()


def run_bytes(
    *command: str, cwd: Path | None = None, timeout: float | None = None, typed: str = "", **variables: str
) -> bytes:
    """Run a program as `run` does, but return bytes, for names that are not UTF-8.

    Raises:
        CommandError: As `run`.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd or _root(),
            env=os.environ | variables,
            input=typed.encode(),
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
    """Run a program in the project's root and show its output line by line, without secrets in addresses.

    Raises:
        SystemExit: It is not installed, or ended with an error. The text begins with the task's name.
    """
    if shutil.which(command[0]) is None:
        raise SystemExit(f"{task}: {command[0]} is not installed\n  fix: install it, or choose another target")
    with subprocess.Popen(
        command,
        cwd=_root(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            print(redacted(line), end="", flush=True)
    if process.returncode:
        line = redacted(" ".join(command))
        raise SystemExit(f"{task}: `{line}` ended with {process.returncode}\n  fix: see its output above")


def _root() -> Path:
    from copier_mlops.project import root  # imported late: pydantic is slow, and most callers pass `cwd`

    return root()
