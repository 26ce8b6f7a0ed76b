"""Split cells into statements, and find out which names each of them needs and gives."""

from __future__ import annotations

import ast
import re
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from copier_mlops.lint.checks import secrets
from copier_mlops.notebooks.cells import Cell, NotebookError

MAGIC = re.compile(r"^\s*(?:%|!|\?)|=\s*[%!]|\?\s*$")
TEXT = re.compile(r"""^[rbf]{0,2}["']""", re.IGNORECASE)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
AT_ONCE = ("listcomp", "setcomp", "dictcomp", "genexpr")


@dataclass(frozen=True)
class Statement:
    """A statement of a cell.

    Attributes:
        cell, line: Where it begins.
        node: The statement as a tree.
        text: Its lines, with the comments above it.
        is_apart: An empty line is above it.
        uses: The names that it reads when it runs.
        later: The names that its functions read when they are called.
        binds: The names that it gives a meaning.
    """

    cell: int
    line: int
    node: ast.stmt
    text: str
    is_apart: bool
    uses: frozenset[str]
    later: frozenset[str]
    binds: frozenset[str]

    @property
    def place(self) -> str:
        """Return where it is, in words."""
        return f"cell {self.cell}, line {self.line}"


def parsed(cell: Cell) -> ast.Module:
    """Return the tree of a cell.

    Raises:
        NotebookError: It is not Python, has a command of IPython, or holds what looks like a secret.
    """
    lines = cell.source.splitlines()
    try:
        tree = ast.parse(cell.source)
        with warnings.catch_warnings(action="ignore"):  # of the code's style
            compile(tree, f"cell {cell.number}", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        for number, line in enumerate(lines, 1):
            if MAGIC.search(line):
                raise NotebookError(
                    f"cell {cell.number}, line {number}: {line.strip()!r:.60} is a command of IPython\n"
                    "  fix: write it in Python, or move it to a cell without the tag"
                ) from None
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else "it cannot be read as Python"
        raise NotebookError(f"cell {cell.number}{where}: {reason}\n  fix: correct the cell") from None
    for number, line in enumerate(lines, 1):
        if _is_secret(line):
            raise NotebookError(
                f"cell {cell.number}, line {number} has what looks like a secret, and a module is in git\n"
                '  fix: read it from the environment: os.environ["NAME"]'
            )
    return tree


def _is_secret(line: str) -> bool:
    if secrets.TOKEN.search(line.encode()) or any(secrets.leaks(line)):
        return True
    pair = secrets.PAIR.match(line)
    return bool(
        pair
        and secrets.NAME.search(pair[1].lower())
        and TEXT.match(pair[2])
        and not secrets.EMPTY.match(pair[2].strip())
    )


def statements(cell: Cell) -> Iterator[Statement]:
    """Yield the statements of a cell, in order.

    Raises:
        NotebookError: The cell has something that a function cannot have.
    """
    tree, lines = parsed(cell), cell.source.splitlines()
    before = 0
    for position, node in enumerate(tree.body):
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        last = node.end_lineno or node.lineno
        following = tree.body[position + 1] if position + 1 < len(tree.body) else None
        own = first > before and (following is None or following.lineno > last)
        is_apart = first > before and any(not line.strip() for line in lines[before : first - 1])
        if own:
            text = "\n".join(lines[before:last]).strip("\n").rstrip()
            text = text.removesuffix(";")
        else:
            text = ast.get_source_segment(cell.source, node) or ast.unparse(node)
        before = max(before, last)
        yield _statement(cell.number, node, first, text, is_apart)


def _statement(cell: int, node: ast.stmt, line: int, text: str, is_apart: bool) -> Statement:
    place = f"cell {cell}, line {line}"
    if isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names):
        raise NotebookError(f"{place} imports *\n  fix: import the names that you use")
    try:
        table = symtable.symtable(ast.unparse(node), f"cell {cell}", "exec")
    except SyntaxError as error:
        raise NotebookError(f"{place}: {error.msg}, which a module cannot have\n  fix: write it another way") from None
    uses, later = _reads(table)
    # `x += 1` reads x, too, which the table of names does not say.
    if not isinstance(node, DEFINITIONS):
        added = [each.target for each in ast.walk(node) if isinstance(each, ast.AugAssign)]
        uses |= {each.id for each in added if isinstance(each, ast.Name)}
    if any(symbol.is_declared_global() for each in _below(table) for symbol in each.get_symbols()):
        raise NotebookError(
            f"{place}: a function declares a name global, and a stage has none\n  fix: return the value instead"
        )
    binds = {each.get_name() for each in table.get_symbols() if each.is_assigned() or each.is_imported()}
    return Statement(cell, line, node, text, is_apart, frozenset(uses), frozenset(later - uses), frozenset(binds))


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)


def _reads(table: symtable.SymbolTable) -> tuple[set[str], set[str]]:
    """Return the names of the module that a statement reads at once, and those that its functions read later."""
    is_top = table.get_type() == "module"
    now = {each.get_name() for each in table.get_symbols() if each.is_referenced() and (is_top or each.is_global())}
    later: set[str] = set()
    for child in table.get_children():
        at_once, deferred = _reads(child)
        if child.get_type() == "class" or child.get_name() in AT_ONCE:
            now |= at_once
            later |= deferred
        else:
            later |= at_once | deferred
    return now, later
