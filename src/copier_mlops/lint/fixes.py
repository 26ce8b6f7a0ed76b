"""The fixes of `--fix`. If a fix could lose anything that a person wrote, it does nothing."""

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from copier_mlops.lint.project import Project

HUNK = re.compile(rb"^@@ -\d+(,\d+)? \+\d+(,\d+)? @@")


def is_merged(project: Project, path: str) -> bool:
    """Return whether its file has every line that a .rej file adds or keeps, at least as often."""
    target, rejected = project.read(path.removesuffix(".rej")), project.read(path)
    if target is None or not rejected:
        return False
    lines, hunks = rejected.splitlines(), 0
    wanted: Counter[bytes] = Counter()
    for line in lines:
        if HUNK.match(line):
            hunks += 1
        elif hunks:
            if line[:1] not in (b"+", b" ", b"-", b"\\"):
                return False
            if line[:1] in (b"+", b" "):
                wanted[line[1:]] += 1
        elif not line.startswith((b"diff ", b"index ", b"--- ", b"+++ ")):
            return False
    return bool(hunks) and not wanted - Counter(target.splitlines())


def drop_reject(project: Project, path: str) -> Callable[[], bool]:
    """Delete a .rej file if its file has all its lines; check it again right before."""

    def fix() -> bool:
        now = Project(project.root)
        if not is_merged(now, path):
            return False
        (project.root / path).unlink()
        return True

    return fix


def strip_outputs(project: Project, path: str) -> Callable[[], bool]:
    """Empty the outputs of a notebook; keep all other values and the layout of its JSON."""

    def fix() -> bool:
        file = project.root / path
        before = file.read_bytes()
        after = without_outputs(before)
        if after is None or after == before:
            return False
        replace(file, after)
        return True

    return fix


def without_outputs(content: bytes) -> bytes | None:
    """Return a notebook's text without outputs; None if writing it would change anything else."""
    try:
        text = content.decode("utf-8")
        notebook = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    for layout in _layouts(text):
        if _written(notebook, text, layout) == text:
            break
    else:
        return None
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code":
            cell.update({"outputs": [], "execution_count": None})
    return _written(notebook, text, layout).encode("utf-8")


def _once(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    """Return an object of JSON; refuse a key that is there twice, since writing would lose one."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def _layouts(text: str) -> list[dict[str, Any]]:
    found = re.search(r"\n([ \t]+)", text)
    indent = found[1] if found else None
    return [{"indent": indent, "ensure_ascii": ascii_only} for ascii_only in (False, True)]


def _written(notebook: object, text: str, layout: dict[str, Any]) -> str:
    end = text[len(text.rstrip()) :]
    written = json.dumps(notebook, **layout)
    return (written.replace("\n", "\r\n") if "\r\n" in text else written) + end


def replace(path: Path, content: bytes) -> None:
    """Write a file completely or not at all, and keep its permissions."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
