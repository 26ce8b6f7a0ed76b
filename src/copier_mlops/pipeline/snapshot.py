"""A commit of the work tree as it is, and clean copies of a commit, in which stages run apart from each other."""

from __future__ import annotations

import locale
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from copier_mlops.command import CommandError, run
from copier_mlops.pipeline import PipelineError

# Runs keep their commits below it, so that git deletes none of them.
REFS = "refs/mlops/runs"
AUTHOR = {f"GIT_{who}_{what}": "mlops" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class SnapshotError(PipelineError):
    """A repository, or a commit, of which no copy can be made; the text says why, and the fix."""


def take(root: Path, keep_as: str = "") -> str:
    """Return a commit of the work tree: the current one, or a new one if files differ. Your branch and index stay.

    Args:
        root: The repository.
        keep_as: The name of the run that keeps the commit, so that `git gc` does not delete it.

    Raises:
        SnapshotError: Git does not know the folder, or has no commit of it yet.
    """
    try:
        head = run("git", "rev-parse", "--verify", "HEAD", cwd=root)
    except CommandError:
        raise SnapshotError("a run needs a commit of git\n  fix: git add --all && git commit") from None
    try:
        commit = _commit_of_tree(root, head) if run("git", "status", "--porcelain", cwd=root) else head
        if keep_as:
            run("git", "update-ref", f"{REFS}/{keep_as}", commit, cwd=root)
    except CommandError as error:
        raise SnapshotError(f"git cannot store the files of this run: {error}\n  fix: git status") from None
    return commit


def _commit_of_tree(root: Path, head: str) -> str:
    """Store all files that git does not ignore as a commit, through an index of its own."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        git = Path(run("git", "rev-parse", "--absolute-git-dir", cwd=root), "index")
        if git.is_file():  # what git knows of the files spares it from reading all of them
            shutil.copy2(git, index["GIT_INDEX_FILE"])
        run("git", "add", "--all", cwd=root, **index)  # type: ignore[arg-type]
        tree = run("git", "write-tree", cwd=root, **index)  # type: ignore[arg-type]
    # The same files are the same commit, so that a run can be found again.
    date = run("git", "log", "-1", "--format=%cI", head, cwd=root)
    by = AUTHOR | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    message = "The work tree of a run"
    return run("git", "commit-tree", tree, "-p", head, "-m", message, cwd=root, **by)  # type: ignore[arg-type]


@contextmanager
def copy_of(root: Path, commit: str) -> Iterator[Path]:
    """Make a copy of the repository at a commit, with the data remote, the login and the cache of this one.

    Args:
        root: The repository on this machine.
        commit: A commit, or a name of one such as `origin/main`; what is not here is fetched.

    Raises:
        SnapshotError: The commit is not to be had.
    """
    found = resolve(root, commit)
    try:
        top = Path(run("git", "rev-parse", "--show-toplevel", cwd=root))
        with tempfile.TemporaryDirectory(prefix="mlops-") as folder:
            copy = Path(folder, "copy")
            run("git", "clone", "--quiet", "--shared", "--no-checkout", str(top), str(copy), cwd=root)
            run("git", "checkout", "--quiet", "--detach", found, cwd=copy)
            _take_origin(top, copy)
            place = copy / root.resolve().relative_to(top.resolve())
            _share(root, place)
            yield place
    except CommandError as error:
        raise SnapshotError(f"the commit {commit} cannot be copied: {error}\n  fix: git fsck") from None


def export(root: Path, commit: str, folder: Path) -> None:
    """Write the files that the project has in a commit into a folder, without git.

    Args:
        root: The project, which may be below the top of its repository.
        commit: The hash of a commit that is here.
        folder: Where the files go; it is made if it is not there.

    Raises:
        SnapshotError: Git cannot read the commit, or the disk has no space.
    """
    try:
        top = Path(run("git", "rev-parse", "--show-toplevel", cwd=root))
        below = run("git", "rev-parse", "--show-prefix", cwd=root)
        with tempfile.TemporaryDirectory() as place:
            index = {"GIT_INDEX_FILE": str(Path(place, "index"))}
            run("git", "read-tree", f"{commit}:{below.rstrip('/')}", cwd=top, **index)  # type: ignore[arg-type]
            to = f"--prefix={folder.resolve().as_posix()}/"
            run("git", "checkout-index", "--all", to, cwd=top, **index)  # type: ignore[arg-type]
    except CommandError as error:
        raise SnapshotError(f"the files of {commit} cannot be written: {error}\n  fix: git fsck, df -h") from None


def resolve(root: Path, commit: str) -> str:
    """Return the hash of a commit, and fetch it if it is not here.

    Raises:
        SnapshotError: It is not to be had.
    """
    if commit.startswith("-"):
        raise SnapshotError(f"{commit!r} names no commit\n  fix: give a hash or a branch, for example: origin/main")
    away = ""
    if not (set(commit) <= set("0123456789abcdef") and _find(root, commit)):  # a branch may have moved
        try:
            run("git", "fetch", "--quiet", "--tags", "origin", cwd=root)
        except CommandError as error:
            away = f", and git fetch failed: {error}"
    if found := _find(root, commit):
        return found
    raise SnapshotError(f"{root} does not have the commit {commit}{away}\n  fix: git push, then start the run again")


def _find(root: Path, commit: str) -> str:
    try:
        return run("git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", cwd=root)
    except CommandError:
        return ""


def _take_origin(top: Path, copy: Path) -> None:
    """Let `origin` of the copy be that of the repository, to which results are proposed."""
    try:
        url = run("git", "remote", "get-url", "origin", cwd=top)
        run("git", "remote", "set-url", "origin", str(top / url) if url.startswith(".") else url, cwd=copy)
    except CommandError:  # it has none
        run("git", "remote", "remove", "origin", cwd=copy)


def _share(root: Path, copy: Path) -> None:
    """Let DVC in the copy use the remotes, the login and the cache of the repository, whose paths become absolute."""
    from configobj import ConfigObj  # type: ignore[import-untyped]
    from dvc.config import Config  # type: ignore[import-untyped]

    if not (root / ".dvc").is_dir():
        return
    whole = Config(dvc_dir=str(root / ".dvc"))
    local = whole.load_one("local")
    for name, remote in whole["remote"].items():
        local.setdefault("remote", {}).setdefault(name, {})["url"] = remote["url"]
    local.setdefault("cache", {}).setdefault("dir", whole["cache"].get("dir") or str(root / ".dvc" / "cache"))
    # DVC itself writes only ASCII, but reads what the machine writes, and a folder may have an umlaut.
    file = ConfigObj(encoding=locale.getpreferredencoding(False))
    for section, values in local.items():
        for name, value in values.items():
            if isinstance(value, dict):  # of a remote, for example
                file[f'{section} "{name}"'] = value
            else:
                file.setdefault(section, {})[name] = value
    with (copy / ".dvc" / "config.local").open("wb") as written:
        file.write(written)
