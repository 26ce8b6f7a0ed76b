"""What this machine must have, how to see whether it has it, and how to mend it."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from copier_mlops.command import CommandError, run
from copier_mlops.project import root


@dataclass(frozen=True)
class Finding:
    """What a check saw. `advice` is the command that mends it, where a person has to."""

    ok: bool
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to look at. `see` never changes anything; `mend` may raise, and the finding after it counts."""

    name: str
    see: Callable[[], Finding]
    mend: Callable[[], None]

    def look(self) -> Finding:
        """What `see` finds; what it cannot look at is a finding as well, so that the other checks go on."""
        try:
            return self.see()
        except (Exception, SystemExit) as error:
            return Finding(False, str(error).strip() or type(error).__name__, "mend what the text names")


def look_environment() -> Finding:
    """Whether uv.lock follows pyproject.toml and the environment follows uv.lock."""
    try:
        run("uv", "lock", "--check")
        run("uv", "sync", "--frozen", "--check")
    except CommandError as error:
        return Finding(False, f"not in step with pyproject.toml: {str(error).splitlines()[-1]}", "uv sync")
    return Finding(True, "in step with pyproject.toml and uv.lock")


IDENTITY = "git config --global user.name NAME && git config --global user.email NAME@EXAMPLE.ORG"


def look_git() -> Finding:
    """Whether there is a repository with a commit in it."""
    try:
        run("git", "rev-parse", "--git-dir")
    except CommandError:
        return Finding(False, "no git repository", f"if git does not know you yet: {IDENTITY}")
    try:
        commit = run("git", "rev-parse", "--short", "--verify", "HEAD")
    except CommandError:
        return Finding(False, "the repository has no commit yet", "git add --all && git commit")
    return Finding(True, f"at commit {commit}")


def mend_git() -> None:
    """Make the repository and its first commit; a repository that was there before keeps its history as it is."""
    try:
        run("git", "rev-parse", "--git-dir")
    except CommandError:
        run("git", "var", "GIT_AUTHOR_IDENT")  # fails without a name, before anything is made
        run("git", "init", "--initial-branch", "main")
        run("git", "add", "--all")
        run("git", "commit", "--message", "Start from the template")


def look_hooks() -> Finding:
    """Whether git runs pre-commit wherever .pre-commit-config.yaml wants it."""
    from pre_commit.clientlib import load_config

    folder = root() / run("git", "rev-parse", "--git-path", "hooks")
    config = root() / ".pre-commit-config.yaml"
    wanted = load_config(str(config))["default_install_hook_types"] if config.is_file() else []
    for name in wanted:
        hook = folder / name
        if not hook.is_file() or "pre-commit" not in hook.read_text(encoding="utf-8", errors="replace"):
            return Finding(False, f"git does not run pre-commit as {name}", "uv run pre-commit install")
    return Finding(True, "pre-commit checks each commit" if wanted else f"no {config.name}")


def look_remote() -> Finding:
    """Whether the data remote of .dvc/config can be reached and, where it is a folder, written."""
    from dvc.repo import Repo  # takes a moment, and only this check needs it

    try:
        with Repo(str(root())) as repo:
            storage = repo.cloud.get_remote_odb()
            if storage.fs.protocol == "local":
                return _look_folder(_folder(storage))
            place = storage.fs.unstrip_protocol(storage.path).removesuffix("/files/md5")
            storage.fs.ls(storage.path.split("/")[0])
    except Exception as error:  # every storage has errors of its own
        name = type(error).__name__
        return Finding(False, f"the data remote does not answer: {name}: {error}", CREDENTIALS)
    return Finding(True, f"{place} answers")


CREDENTIALS = "see data/README.md: credentials go to .dvc/config.local or the environment, never into git"


def _folder(storage) -> Path:
    # DVC keeps files below files/md5 of the folder that was named.
    return Path(storage.path).parents[1]


def _look_folder(folder: Path) -> Finding:
    if not folder.is_dir():
        return Finding(False, f"the folder {folder} is not there", f"make it, or name another: {REMOTE}")
    if not os.access(folder, os.W_OK):
        return Finding(False, f"the folder {folder} cannot be written", f"get access, or name another: {REMOTE}")
    return Finding(True, f"{folder} can be written")


REMOTE = "uvx copier update --data data_remote=FOLDER"


def mend_remote() -> None:
    """Make the folder of a data remote on this machine."""
    from dvc.repo import Repo

    with Repo(str(root())) as repo:
        storage = repo.cloud.get_remote_odb()
        if storage.fs.protocol == "local":
            _folder(storage).mkdir(parents=True, exist_ok=True)


def look_data() -> Finding:
    """Whether every file that a `*.dvc` file names is here and in DVC's cache."""
    from dvc.repo import Repo

    try:
        with Repo(str(root())) as repo:
            status = repo.data_status()
    except Exception as error:
        return Finding(False, f"DVC cannot read the data: {error}", "uv run dvc doctor")
    changed = status.get("uncommitted", {})
    if deleted := changed.get("deleted", []):
        return Finding(False, f"not here: {', '.join(deleted)}", "uv run dvc pull")
    if modified := changed.get("modified", []):
        advice = f"keep the change: uv run dvc commit; take it back: uv run dvc checkout --force {modified[0]}"
        return Finding(False, f"changed since the last commit: {', '.join(modified)}", advice)
    if loose := status.get("not_in_cache", []):
        return Finding(False, f"not in DVC's cache: {', '.join(loose)}", "uv run dvc pull, or uv run dvc commit")
    return Finding(True, "every tracked file is here")


def mend_data() -> None:
    """Take what came with the template into DVC's cache, and fetch what is not here; a changed file is left alone."""
    from dvc.repo import Repo

    with Repo(str(root())) as repo:
        status = repo.data_status()
        absent = status.get("uncommitted", {}).get("deleted", [])
        for path in set(status.get("not_in_cache", [])) - set(absent):
            if (root() / f"{path}.dvc").is_file():
                repo.commit(f"{path}.dvc", force=True)
            else:
                absent.append(path)
        if absent:
            repo.pull(targets=absent)


CHECKS = [
    Check("environment", look_environment, lambda: run("uv", "sync") and None),
    Check("git", look_git, mend_git),
    Check("hooks", look_hooks, lambda: run(sys.executable, "-m", "pre_commit", "install") and None),
    Check("data remote", look_remote, mend_remote),
    Check("data", look_data, mend_data),
]
