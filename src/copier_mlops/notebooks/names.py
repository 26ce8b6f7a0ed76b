"""Arrange statements as a module: imports, definitions that need nothing else, and the rest in `main`."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass

from copier_mlops.notebooks.cells import Cell, NotebookError
from copier_mlops.notebooks.statements import DEFINITIONS, Statement, statements

KNOWN = {*dir(builtins), "__name__", "__doc__", "__file__", "__annotations__"}
# The names that every module of a stage has.
RESERVED = {"argparse", "Path", "main"}
IMPORTS = (ast.Import, ast.ImportFrom)


def imports_of(cells: list[Cell]) -> dict[str, list[tuple[Statement, str]]]:
    """Return the imports of all cells by the names that they give, each as a line of its own."""
    found: dict[str, list[tuple[Statement, str]]] = {}
    for cell in cells:
        try:
            every = [each for each in statements(cell) if isinstance(each.node, IMPORTS)]
        except NotebookError:  # a cell that is not asked for may be anything
            continue
        for each in every:
            node = each.node
            for alias in node.names if isinstance(node, IMPORTS) else ():
                single = ast.Import([alias])
                if isinstance(node, ast.ImportFrom):
                    line = ast.unparse(ast.ImportFrom(node.module, [alias], node.level))
                else:
                    line = ast.unparse(single)
                bound = alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0])
                if line not in [text for _, text in found.get(bound, ())]:
                    found.setdefault(bound, []).append((each, line))
    return found


def needed(body: list[Statement], extra: list[Statement], constants: list[Statement]) -> list[Statement]:
    """Return the statements of a stage with the shared definitions and constants that they need, in order."""
    code = [each for each in body if not isinstance(each.node, IMPORTS)]
    shared = [*constants, *extra]
    names = {name for each in code for name in each.uses | each.later}
    chosen: list[Statement] = []
    while added := [each for each in shared if each not in chosen and each.binds & names]:
        chosen += added
        names |= {name for each in added for name in each.uses | each.later}
    return [*(each for each in shared if each in chosen), *code]


@dataclass
class Parts:
    """The parts of a module: lines of imports, definitions, the statements of `main`, and all names that they need."""

    imports: list[str]
    definitions: list[Statement]
    body: list[Statement]
    needs: set[str]


def arrange(
    code: list[Statement], given: set[str], imports: dict[str, list[tuple[Statement, str]]], cells: list[Cell]
) -> Parts:
    """Move definitions that need nothing of `main` before it, and check that every name has a meaning.

    Raises:
        NotebookError: A name has none, or two.
    """
    needs = {name for each in code for name in each.uses | each.later}
    times = [name for each in code for name in each.binds]
    alone = {name for name in times if times.count(name) == 1} - given - RESERVED
    outside = set(imports) - set(times) - given
    movable = [each for each in code if _is_movable(each) and each.binds <= alone]
    while True:
        moved = {name for each in movable for name in each.binds}
        kept = [each for each in movable if each.uses | each.later <= (KNOWN - set(times)) | outside | moved]
        if len(kept) == len(movable):
            break
        movable = kept
    body = [each for each in code if each not in movable]
    _check_order(body, given | moved, imports, cells)
    wanted = [name for name in needs if name in imports and name not in given | moved]
    lines = []
    for name in sorted(wanted):
        places = imports[name]
        is_parts = all(text.startswith("import ") and " as " not in text for _, text in places)
        if len(places) > 1 and not is_parts:
            raise NotebookError(
                f"{places[1][0].place} imports {name} in another way than {places[0][0].place}\n  fix: import it once"
            )
        lines += [text for _, text in places]
    enabling = [text for places in imports.values() for _, text in places if " enable_" in text]
    lines += [f"{text}  # noqa: F401" for text in enabling if text not in lines]
    return Parts(lines, movable, body, needs)


def _is_movable(each: Statement) -> bool:
    node = each.node
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        try:
            ast.literal_eval(node.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return False
        return node.targets[0].id.isupper()
    return isinstance(node, DEFINITIONS)


def _check_order(
    body: list[Statement], known: set[str], imports: dict[str, list[tuple[Statement, str]]], cells: list[Cell]
) -> None:
    """Check that every name of `main` has a meaning before it is read.

    Raises:
        NotebookError: A name has none; the text says which cell gives it one.
    """
    bound: set[str] = set()
    all_bound = {name for each in body for name in each.binds}
    for each in body:
        if taken := sorted(each.binds & RESERVED - {"main"}):
            raise NotebookError(f"{each.place} gives {taken[0]} another meaning\n  fix: choose another name")
    for each in body:
        is_simple = isinstance(each.node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        for name in sorted(each.uses | each.later):
            is_later = name in each.later and name in all_bound
            if name in known | bound or is_later or (name in each.binds and not is_simple):
                continue
            if name in KNOWN or name in imports:
                if name in all_bound:
                    raise NotebookError(
                        f"{each.place} reads {name} before the stage gives this name another meaning\n"
                        "  fix: choose another name"
                    )
                continue
            raise NotebookError(f"{each.place} needs {name}, {_where(name, each, cells)}")
        bound |= each.binds


def _where(name: str, each: Statement, cells: list[Cell]) -> str:
    """Return which cell gives a name its meaning, and what to do about it."""
    for cell in cells:
        try:
            if any(name in other.binds for other in statements(cell)):
                if cell.number == each.cell:
                    return "which has no value there yet\n  fix: run all cells from the top in a new kernel"
                return (
                    f"which cell {cell.number} gives a value\n  fix: add cell {cell.number} to the stage; "
                    "or save the value to a file there, and read it here"
                )
        except NotebookError:
            continue
    return "which no cell gives a value\n  fix: run all cells from the top in a new kernel"
