"""Check the data remote and the data, and fix what this machine can."""

import importlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from copier_mlops.pipeline import remote_login
from copier_mlops.project import root
from copier_mlops.registry import registry
from copier_mlops.setup.checks import Check, Finding

# How long a remote may take to answer. Its library may go on trying for minutes.
SECONDS = 20
REMOTE = "uvx copier update --data data_remote=FOLDER"
CREDENTIALS = "see data/README.md: credentials go to .dvc/config.local or the environment, never into git"


def look_remote() -> Finding:
    """Check that the data remote of .dvc/config answers and, if it is a folder, can be written.

    It is asked for nothing but what is in its path, since your rights may end there.
    """
    from dvc.repo import Repo  # type: ignore[import-untyped]  # takes a moment, and only DVC's checks need it

    remote_login.provide()
    try:
        with Repo(str(root())) as repo:
            remote = repo.cloud.get_remote()
            if remote.fs.protocol == "local":
                return _look_folder(Path(remote.path))
            place = repo.config["remote"][remote.name]["url"].rstrip("/")
            for library in remote.fs.REQUIRES.values():  # on a slow machine, that takes longer than the server
                importlib.import_module(library)
            return _within(SECONDS, lambda: _look_server(remote.fs, remote.path, place))
    except Exception as error:  # every storage has its own errors
        return _refused(error)


def _refused(error: BaseException) -> Finding:
    said = str(error).strip().splitlines()[0][:300] if str(error).strip() else ""
    return Finding(False, f"the data remote does not answer: {type(error).__name__}: {said}", _advice())


def _advice() -> str:
    """Return how to provide credentials, as the registry says it for the data remote of the answers."""
    scheme = remote_login.scheme()
    if scheme == "folder" or not (entry := registry("remotes").get(scheme)):
        return CREDENTIALS
    return f"{entry['credentials']}; credentials go to .dvc/config.local or the environment, never into git"


def _within(seconds: float, look: Callable[[], Finding]) -> Finding:
    """Return the finding of a function, or that it took too long; nothing waits for it any more then."""
    found: list[Finding] = []

    def run() -> None:
        try:
            found.append(look())
        except Exception as error:
            found.append(_refused(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else Finding(False, f"the data remote gave no answer in {seconds:g} seconds", _advice())


def _look_server(fs: Any, path: str, place: str) -> Finding:
    """Look into the path of a remote; if it is not there yet, see whether the first push can make it."""
    try:
        fs.ls(path)
    except NotImplementedError:  # such as HTTP, which has no lists of files
        return Finding(True, f"{place} is not asked: its protocol lists no files; `dvc pull` may still read it")
    except FileNotFoundError:
        return _look_above(fs, path, place)
    return Finding(True, f"{place} answers")


def _look_above(fs: Any, path: str, place: str) -> Finding:
    """Look at the bucket or the root of a path that is not there: nothing else can make these."""
    top = path.split("/")[0] or path[:1]
    absent = Finding(False, f"{place} is not there, and no push makes it", "make it on the server, or name another")
    if top == path:
        return absent
    try:
        fs.ls(top)
    except FileNotFoundError:
        return absent
    except Exception:  # noqa: S110 (the rights of this user end at the path, which the server found empty)
        pass
    return Finding(True, f"{place} answers, and is empty")


def _look_folder(folder: Path) -> Finding:
    if not folder.is_dir():
        return Finding(False, f"the folder {folder} is not there", f"make it, or name another: {REMOTE}")
    if not os.access(folder, os.W_OK):
        return Finding(False, f"the folder {folder} cannot be written", f"get access, or name another: {REMOTE}")
    return Finding(True, f"{folder} can be written")


def fix_remote() -> None:
    """Create the folder of a data remote on this machine."""
    from dvc.repo import Repo

    with Repo(str(root())) as repo:
        remote = repo.cloud.get_remote()
        if remote.fs.protocol == "local":
            Path(remote.path).mkdir(parents=True, exist_ok=True)


def look_data() -> Finding:
    """Check that every file of a `*.dvc` file is here and in DVC's cache."""
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
        advice = f"keep the change: uv run dvc commit; undo it: uv run dvc checkout --force {modified[0]}"
        return Finding(False, f"changed since the last commit: {', '.join(modified)}", advice)
    if loose := status.get("not_in_cache", []):
        return Finding(False, f"not in DVC's cache: {', '.join(loose)}", "uv run dvc pull, or uv run dvc commit")
    return Finding(True, "every tracked file is here")


def fix_data() -> None:
    """Add the template's files to DVC's cache, and fetch missing ones; changed files stay as they are."""
    from dvc.repo import Repo

    with Repo(str(root())) as repo:
        status = repo.data_status()
        changed = status.get("uncommitted", {})
        absent = changed.get("deleted", [])
        for path in set(status.get("not_in_cache", [])) - set(absent) - set(changed.get("modified", [])):
            if (root() / f"{path}.dvc").is_file():
                repo.commit(f"{path}.dvc", force=True)
            else:
                absent.append(path)
        if absent:
            repo.pull(targets=absent)


CHECKS = [
    Check("data remote", look_remote, fix_remote, "data"),
    Check("data", look_data, fix_data, "data"),
]
