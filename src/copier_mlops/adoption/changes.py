"""Collect the changes of files, show them, and write them all or none."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from copier_mlops.command import CommandError, run


@dataclass(frozen=True)
class Change:
    """A file of the project, as it is and as it will be; `before` is `None` for a new file."""

    path: str
    before: str | None
    after: str


@dataclass
class Changes:
    """The changes of a project's files, in the order in which they are shown."""

    root: Path
    found: list[Change] = field(default_factory=list)

    def read(self, path: str) -> str | None:
        """Return the text of a file of the project; `None` if it is not there."""
        file = self.root / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def add(self, path: str, after: str | None) -> None:
        """Note the new text of a file; none, or the same as before, changes nothing."""
        before = self.read(path)
        if after is not None and after != before:
            self.found.append(Change(path, before, after))

    def only_here(self) -> list[str]:
        """Return the files that would be overwritten and that git does not have as they are."""
        paths = [change.path for change in self.found if change.before is not None]
        if not paths:
            return []
        try:
            run("git", "cat-file", "-e", "HEAD", cwd=self.root)
            changed = run("git", "diff", "--name-only", "--relative", "-z", "HEAD", "--", *paths, cwd=self.root)
            known = run("git", "ls-files", "-z", "--", *paths, cwd=self.root)
        except CommandError:  # no repository, or no commit yet
            return paths
        return [path for path in paths if path in changed.split("\0") or path not in known.split("\0")]

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff; of a new file its text, and of a CSV file the count of its lines."""
        for change in self.found:
            if change.path.endswith(".csv"):
                yield f"{change.path}: {len(change.after.splitlines()):,} lines"
                continue
            lines = (change.before or "").splitlines(), change.after.splitlines()
            if change.before is None:
                yield from (f"{change.path}:", *lines[1])
                continue
            yield from difflib.unified_diff(*lines, change.path, change.path, lineterm="", n=1)

    def write(self) -> None:
        """Write all files: first each beside its place, so that a full disk changes none of them.

        Raises:
            OSError: A file cannot be written; no file was changed.
        """
        drafts = []
        try:
            for change in self.found:
                place = self.root / change.path
                place.parent.mkdir(parents=True, exist_ok=True)
                draft = place.with_name(f".{place.name}.draft")
                drafts.append((draft, place))
                draft.write_text(change.after, encoding="utf-8", newline="\n")
        except OSError:
            for draft, _ in drafts:
                draft.unlink(missing_ok=True)
            raise
        for draft, place in drafts:
            draft.replace(place)
