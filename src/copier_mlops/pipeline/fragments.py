"""Fragments: what a stage that ran apart leaves for the others, its entry of dvc.lock and what DVC does not cache.

A fragment is a small archive on the data remote, `executions/RUN/STAGE.tar.gz`. It is written last, when all else of
the stage is on the remote, and in one piece. So the stage of a fragment has ended.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from copier_mlops.address import redacted
from copier_mlops.pipeline import PipelineError, lock_file
from copier_mlops.pipeline.dag import Node
from copier_mlops.pipeline.record import StageRecord

FOLDER, ENTRY, ABOUT = "executions", "entry.json", "about.json"
# A fragment is read into memory as a whole.
MOST_BYTES = 200_000_000
RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class FragmentError(PipelineError):
    """A fragment that cannot be read or written; the text names it, and the fix."""


@dataclass(frozen=True)
class Fragment:
    """The result of one stage but for the files in DVC's cache.

    Attributes:
        entry: Its entry of dvc.lock.
        files: The files that DVC does not cache, for example metrics, by their paths from the root.
        ran: How long its command took, and where; None if it did not have to run.
    """

    entry: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    ran: StageRecord | None = None

    def packed(self) -> bytes:
        """Return the archive."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            about = {ABOUT: json.dumps(asdict(self.ran)).encode()} if self.ran else {}
            files = {f"files/{name}": content for name, content in self.files.items()}
            for name, content in {ENTRY: json.dumps(self.entry).encode(), **about, **files}.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    @classmethod
    def unpacked(cls, content: bytes) -> Fragment:
        """Read an archive.

        Raises:
            tarfile.TarError, OSError, ValueError, KeyError, TypeError: It is none of ours, or damaged.
        """
        found: dict[str, bytes] = {}
        size = 0
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                size += member.size
                if size > MOST_BYTES or not member.isfile():
                    raise ValueError(f"{member.name} is too large, or no file")
                opened = archive.extractfile(member)
                found[member.name] = opened.read() if opened else b""
        entry = json.loads(found.pop(ENTRY))
        ran = StageRecord(**json.loads(found.pop(ABOUT))) if ABOUT in found else None
        files = {name.removeprefix("files/"): each for name, each in found.items()}
        return cls(entry, files, ran)


class Store:
    """The fragments of one run on the data remote of a `dvc.repo.Repo`."""

    def __init__(self, repo: Any, run: str) -> None:
        """Take the run, of which each stage that ran has a fragment.

        Raises:
            FragmentError: The run cannot be the name of a folder, or the project has no data remote.
        """
        from dvc.exceptions import DvcException  # type: ignore[import-untyped]

        if not RUN.fullmatch(run):
            raise FragmentError(
                f"{run!r:.80} cannot name a run\n  fix: use letters, digits, '.', '_' and '-', for example: nightly-7"
            )
        self.run = run
        try:
            remote = repo.cloud.get_remote(command="stage")
            self.fs, self.folder = remote.fs, remote.fs.join(remote.path, FOLDER, run)
        except DvcException as error:
            raise FragmentError(f"{redacted(str(error)).splitlines()[0]}\n  fix: uv run poe doctor") from None

    def read_all(self, nodes: Iterable[Node]) -> dict[str, Fragment]:
        """Return the fragments of those of the stages that have ended, by their names.

        Raises:
            FragmentError: As `read`.
        """
        found = {node.name: self.read(node.slug) for node in nodes}
        return {name: fragment for name, fragment in found.items() if fragment}

    def read(self, slug: str) -> Fragment | None:
        """Return the fragment of a stage; None if it has not ended in this run.

        Raises:
            FragmentError: The remote does not answer, or the fragment is damaged.
        """
        path = self.fs.join(self.folder, f"{slug}.tar.gz")
        try:
            # Not `exists`: to the library of WebDAV, nothing exists on a server that is away or refuses the login.
            with self.fs.open(path, "rb") as file:
                content = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except Exception as error:  # each kind of remote has errors of its own
            raise self._failed("read", path, error) from None
        try:
            return Fragment.unpacked(content)
        except (tarfile.TarError, OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise FragmentError(
                f"{redacted(path)} is damaged: {error}\n  fix: delete it, then run the stage of {self.run} again"
            ) from None

    def write(self, slug: str, fragment: Fragment) -> None:
        """Store the fragment of a stage that has ended; one that is there stays, since others may have read it.

        Raises:
            FragmentError: The remote does not take it, or it is too large.
        """
        if self.read(slug):
            return
        size = sum(map(len, fragment.files.values()))
        if size > MOST_BYTES:
            raise FragmentError(
                f"the outputs of {slug} that DVC does not cache have {size:,} bytes, and {MOST_BYTES:,} are the most\n"
                "  fix: delete `cache: false` of the large ones in dvc.yaml"
            )
        path = self.fs.join(self.folder, f"{slug}.tar.gz")
        try:
            self.fs.makedirs(self.folder, exist_ok=True)
            self.fs.upload_fobj(io.BytesIO(fragment.packed()), path)
        except Exception as error:
            raise self._failed("write", path, error) from None

    def _failed(self, what: str, path: str, error: Exception) -> FragmentError:
        reason = " ".join(redacted(f"{type(error).__name__}: {error}").split())[:300]
        return FragmentError(f"the data remote failed to {what} {redacted(path)}: {reason}\n  fix: uv run poe doctor")


def take_over(root: Path, fragments: dict[str, Fragment]) -> None:
    """Write fragments, by the names of their stages, into the work tree: dvc.lock, and the files beside it."""
    if not fragments:
        return
    lock_file.add(root / "dvc.lock", {name: each.entry for name, each in fragments.items()})
    for fragment in fragments.values():
        for name, content in fragment.files.items():
            file = (root / name).resolve()
            if not file.is_relative_to(root.resolve()):
                raise FragmentError(f"a fragment has the file {name!r}, outside of the repository\n  fix: delete it")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
