"""Find the files that cells read and write, as far as their paths are written in the code."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from copier_mlops.notebooks.cells import Cell, NotebookError
from copier_mlops.notebooks.statements import parsed

Kind = Literal["read", "write"]
TABLES = (
    "csv",
    "parquet",
    "json",
    "excel",
    "pickle",
    "feather",
    "hdf",
    "html",
    "latex",
    "markdown",
    "orc",
    "stata",
    "xml",
)
WRITERS = {*(f"to_{name}" for name in TABLES), "savefig", "save", "savez", "savez_compressed", "savetxt", "dump"}
READERS = {"load", "loadtxt", "genfromtxt", "fromfile", "imread"}
KEYWORDS = {"path", "path_or_buf", "filepath_or_buffer", "io", "file", "fname", "filename", "source", "excel_writer"}
# The calls whose path may be one of two arguments, and the other one an object or an open file.
EITHER = {"save", "savez", "savez_compressed", "savetxt", "dump", "load"}
OF_PATH = {"read_text": "read", "read_bytes": "read", "write_text": "write", "write_bytes": "write"}
# Characters that a shell, DVC or YAML would read as something else.
UNSAFE = set("\"'$`%!<>|&;*?\n\\{}")


@dataclass(frozen=True)
class File:
    """A place in a cell at which a file is read or written.

    Attributes:
        cell: The number of the cell that has `node`.
        node: The expression that gives the path, which an argument replaces.
        path: The path as it is written.
        kind: Whether the file is read or written.
        variable: The name that holds the path; empty if the call has it.
        said: Where the call is, for texts.
    """

    cell: int
    node: ast.expr
    path: str
    kind: Kind
    variable: str
    said: str


@dataclass(frozen=True)
class Constant:
    """A path that a name holds all the time."""

    cell: int
    node: ast.expr
    path: str


def find(cells: list[Cell]) -> tuple[list[File], list[str]]:
    """Return the files in the order of the code, and a sentence for each call whose path is not known."""
    known = _constants(cells)
    found: list[File] = []
    doubts: list[str] = []
    for cell in cells:
        tree = parsed(cell)
        handles = {each.id for node in ast.walk(tree) if isinstance(node, ast.withitem) for each in _names(node)}
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        # In the order in which they run: a call ends before the one that has its result.
        for call in sorted(calls, key=lambda each: (each.end_lineno or 0, each.end_col_offset or 0)):
            said = f"cell {cell.number}, line {call.lineno}"
            for kind, nodes in _candidates(call):
                paths = [(node, path) for node in nodes if (path := literal(node, known)) is not None]
                if paths:
                    found.append(_file(cell, *paths[0], kind, known, said))
                elif nodes and _name(call) not in EITHER and not _is_open(nodes[0], handles):
                    doubts.append(f"{said}: the path of {_name(call)} is not a text; name it with --deps or --outs")
    return found, doubts


def _file(cell: Cell, node: ast.expr, path: str, kind: Kind, known: dict[str, Constant], said: str) -> File:
    if isinstance(node, ast.Name):
        constant = known[node.id]
        return File(constant.cell, constant.node, path, kind, node.id, said)
    return File(cell.number, node, path, kind, "", said)


def _constants(cells: list[Cell]) -> dict[str, Constant]:
    """Return the names that are given a path once, in a statement of their own, and nothing else anywhere."""
    found: dict[str, Constant] = {}
    stored: list[str] = []
    for cell in cells:
        tree = parsed(cell)
        stored += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                path = literal(node.value, found)
                if path is not None:
                    found[node.targets[0].id] = Constant(cell.number, node.value, path)
    return {name: each for name, each in found.items() if stored.count(name) == 1}


def literal(node: ast.expr, known: dict[str, Constant]) -> str | None:
    """Return the path that an expression gives if it is written in the code; None if it is put together later."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return known[node.id].path if node.id in known else None
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("Path", "pathlib.Path", "os.path.join"):
        parts = node.args
    found = [literal(part, known) for part in parts]
    texts = [each for each in found if each is not None]
    return posixpath.join(*texts) if texts and len(texts) == len(found) else None


def _name(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", None) or getattr(call.func, "id", ""))


def _names(item: ast.withitem) -> Iterator[ast.Name]:
    if item.optional_vars is not None:
        yield from (each for each in ast.walk(item.optional_vars) if isinstance(each, ast.Name))


def _is_open(node: ast.expr, handles: set[str]) -> bool:
    """Return whether an argument is an open file, or a text in memory, and not a path."""
    return (isinstance(node, ast.Name) and node.id in handles) or (
        isinstance(node, ast.Call) and _name(node) in ("StringIO", "BytesIO", "open")
    )


def _candidates(call: ast.Call) -> Iterator[tuple[Kind, list[ast.expr]]]:
    """Yield whether a call reads or writes a file, and the expressions that may be its path."""
    name, arguments = _name(call), list(call.args)
    named = [each.value for each in call.keywords if each.arg in KEYWORDS]
    if isinstance(call.func, ast.Attribute) and name in OF_PATH:
        yield "read" if OF_PATH[name] == "read" else "write", [call.func.value]
    elif name == "open":
        is_method = isinstance(call.func, ast.Attribute) and not isinstance(call.func.value, ast.Name)
        owner = call.func.value if isinstance(call.func, ast.Attribute) and is_method else None
        modes = [*arguments[0 if owner else 1 :][:1], *(each.value for each in call.keywords if each.arg == "mode")]
        mode = ast.literal_eval(modes[0]) if modes and isinstance(modes[0], ast.Constant) else "r"
        kind: Kind = "write" if set(str(mode)) & set("wax") else "read"
        yield kind, [owner] if owner else (arguments[:1] or named)
    elif name.startswith("read_") or name in READERS:
        yield "read", (arguments[:1] or named)
    elif name in WRITERS or name.startswith("write_"):
        yield "write", [*arguments[: 2 if name in EITHER else 1], *named][:2]


def base(files: list[File], folder: str, root: Path) -> str:
    """Return the folder to which the paths are relative: that of the notebook, or the root if inputs are only there."""
    inputs = [each.path.replace("\\", "/") for each in files if each.kind == "read"]
    at_root = [each for each in inputs if (root / each).exists() and not (root / folder / each).exists()]
    return "" if at_root and len(at_root) == len([each for each in inputs if "://" not in each]) else folder


def in_project(file: File, folder: str, root: Path) -> str:
    """Return a path relative to the project.

    Raises:
        NotebookError: It leads out of the project, or has characters that a command line would misread.
    """
    verb = "reads" if file.kind == "read" else "writes"
    text = file.path.replace("\\", "/")
    if Path(text).is_absolute() and Path(text).is_relative_to(root):
        text = Path(text).relative_to(root).as_posix()
    elif not posixpath.isabs(text) and text[1:2] != ":" and not text.startswith("~"):
        text = posixpath.normpath(posixpath.join(folder, text))
    if posixpath.isabs(text) or text.startswith(("..", "~")) or text[1:2] == ":":
        raise NotebookError(
            f"{file.said} {verb} {file.path!r:.80}, which is not in the project\n"
            "  fix: bring the file to data/raw, and change its path in the notebook"
        )
    if bad := sorted(UNSAFE & set(text)):
        raise NotebookError(
            f"{file.said} {verb} {file.path!r:.80}: a command line would misread {bad[0]!r}\n  fix: rename the file"
        )
    return text
