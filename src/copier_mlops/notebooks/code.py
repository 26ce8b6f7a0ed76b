"""Write the module of a stage from the cells of a notebook."""

from __future__ import annotations

import ast
import importlib.util
import keyword
import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from copier_mlops.notebooks import paths
from copier_mlops.notebooks.cells import Cell, NotebookError
from copier_mlops.notebooks.names import IMPORTS, Parts, arrange, imports_of, needed
from copier_mlops.notebooks.paths import File
from copier_mlops.notebooks.stage import Value, option
from copier_mlops.notebooks.statements import DEFINITIONS, Statement, parsed, statements

HOLDERS = ("options", "given", "arguments_of_stage")
# Calls that only show something, which a stage need not do.
SHOWN = {"head", "tail", "describe", "display", "show"}
FOLDERS = {"mkdir", "makedirs"}


@dataclass
class Module:
    """The module of a stage, and its values and files.

    Attributes:
        text: The code.
        parameters: The values that become arguments with a default and lines of params.yaml.
        reads, writes: The options of files by their paths in the project.
        doubts: Sentences about what a person has to look at.
    """

    text: str = ""
    parameters: dict[str, Value] = field(default_factory=dict)
    reads: dict[str, str] = field(default_factory=dict)
    writes: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def build(name: str, cells: list[Cell], chosen: list[Cell], notebook: str, root: Path) -> Module:
    """Return the module of a stage.

    Args:
        name: The name of the stage.
        cells: All code cells: imports are taken from any of them, values and definitions from those with the tags
            `parameters`, `imports` and `functions`.
        chosen: The cells of the stage.
        notebook: The path of the notebook, relative to the project.
        root: The root of the project.

    Raises:
        NotebookError: The cells cannot become a module.
    """
    module = Module()
    shared = [cell for cell in cells if cell.tags & {"imports", "functions"} and cell not in chosen]
    given = [cell for cell in cells if "parameters" in cell.tags]
    code = [cell for cell in chosen if cell not in given]
    values = _values(given, module.doubts)
    files, doubts = paths.find([*given, *shared, *code])
    folder = paths.base(files, PurePosixPath(notebook).parent.as_posix(), root)
    every = {each for cell in (*given, *shared, *code) for each in _identifiers(cell)}
    holder = next(each for each in HOLDERS if each not in every)
    module.doubts += doubts
    expressions, types = _options(files, folder, root, holder, module, {*values, "help"})
    changed = {cell.number: _replaced(cell, expressions) for cell in (*given, *shared, *code)}
    body = [each for cell in code for each in statements(changed[cell.number])]
    extra = [each for cell in shared for each in statements(changed[cell.number]) if isinstance(each.node, DEFINITIONS)]
    body = [each for each in body if not _only_shows(each, module.doubts)]
    held = {each.variable for each in files}
    values = {key: value for key, value in values.items() if key not in held}
    constants = [each for cell in given for each in statements(changed[cell.number]) if not each.binds <= set(values)]
    constants = [each for each in constants if not isinstance(each.node, IMPORTS)]
    parts = arrange(needed(body, extra, constants), {*values, holder}, imports_of(cells), cells)
    _forget_unused(module, parts, holder)
    module.parameters = {key: value for key, value in values.items() if key in parts.needs}
    module.doubts += [*_left(parts.body, root, folder), *_not_installed(parts.imports, root, notebook)]
    module.text = _written(name, chosen, notebook, module, parts, types, holder)
    return module


def _identifiers(cell: Cell) -> set[str]:
    return {node.id for node in ast.walk(parsed(cell)) if isinstance(node, ast.Name)}


def _values(given: list[Cell], doubts: list[str]) -> dict[str, Value]:
    """Return the values of the cells tagged `parameters` that can be arguments; a doubt names each of the others.

    Raises:
        NotebookError: A cell has something else than assignments of literal values.
    """
    values: dict[str, Value] = {}
    for each in (each for cell in given for each in statements(cell)):
        node = each.node
        if isinstance(node, IMPORTS):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        try:
            value = ast.literal_eval(getattr(node, "value", None) or ast.Constant(None))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            value = NotImplemented
        is_path = paths.literal(getattr(node, "value", None) or ast.Constant(None), {}) is not None
        if not isinstance(target, ast.Name) or (value is NotImplemented and not is_path):
            raise NotebookError(
                f"{each.place} has the tag parameters, and is not an assignment of a value\n"
                "  fix: write NAME = VALUE, or move it to another cell"
            )
        if _is_argument(target.id, value):
            values[target.id] = value
        elif value is not NotImplemented:
            doubts.append(
                f"{each.place}: {target.id} stays in the module: only numbers, texts and booleans become arguments"
            )
    return values


def _is_argument(name: str, value: object) -> bool:
    """Return whether a value can go through a command line as it is."""
    is_plain = name.isascii() and name[0].isalpha() and name != "help"
    if isinstance(value, float):
        return is_plain and math.isfinite(value)
    if isinstance(value, str):
        return is_plain and not set(value) & set('"$`\\%!\n\r')
    return is_plain and isinstance(value, (bool, int))


def _options(
    files: list[File], folder: str, root: Path, holder: str, module: Module, taken: set[str]
) -> tuple[list[tuple[File, str]], dict[str, str]]:
    """Give each file an option, and return the expressions that take the place of its paths, and its types.

    Raises:
        NotebookError: A file is read and then written, or is not in the project.
    """
    expressions: list[tuple[File, str]] = []
    names: dict[str, str] = {}
    types: dict[str, str] = {}
    for file in files:
        if "://" in file.path:
            verb = "reads" if file.kind == "read" else "writes"
            module.doubts.append(f"{file.said} {verb} an address, which DVC does not follow: save a file in data/raw")
            continue
        path = paths.in_project(file, folder, root)
        if path in module.reads and file.kind == "write":
            raise NotebookError(
                f"{file.said} writes {path}, which the stage has read\n  fix: write to a file of another name"
            )
        if path not in names:
            wanted = file.variable or PurePosixPath(path).stem
            names[path] = _free(wanted, {*names.values(), *taken})
            (module.reads if file.kind == "read" else module.writes)[path] = option(names[path])
        # A name may be used as a text elsewhere, so its value stays one.
        is_text = bool(file.variable) and isinstance(file.node, ast.Constant)
        types[path] = "Path" if not is_text and types.get(path, "Path") == "Path" else "str"
        expressions.append((file, f"{holder}.{names[path]}"))
    return expressions, types


def _forget_unused(module: Module, parts: Parts, holder: str) -> None:
    """Leave out files of functions and of shown results that did not come along."""
    trees = [ast.parse(each.text) for each in parts.body]
    used = {
        option(node.attr)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == holder
    }
    module.reads = {path: name for path, name in module.reads.items() if name in used}
    module.writes = {path: name for path, name in module.writes.items() if name in used}


def _free(wanted: str, taken: set[str]) -> str:
    """Return a name for an option that is not taken, from the name of a file or a variable."""
    ascii_only = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode().lower()
    name = "".join(each if each.isalnum() else "_" for each in ascii_only).strip("_") or "file"
    name = f"file_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
    return next(each for each in (name, *(f"{name}_{number}" for number in range(2, 1000))) if each not in taken)


def _replaced(cell: Cell, expressions: list[tuple[File, str]]) -> Cell:
    """Return a cell in whose code expressions take the place of paths; positions of trees count bytes."""
    lines = cell.source.encode().splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    spans = {}
    for file, text in expressions:
        if file.cell == cell.number:
            node = file.node
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            spans[starts[node.lineno - 1] + node.col_offset, end] = text
    content = cell.source.encode()
    for (first, last), text in sorted(spans.items(), reverse=True):
        content = content[:first] + text.encode() + content[last:]
    return replace(cell, source=content.decode())


def _only_shows(each: Statement, doubts: list[str]) -> bool:
    """Return whether a statement only shows something, or makes a folder, which the stage does by itself."""
    if not isinstance(each.node, ast.Expr):
        return False
    value = each.node.value
    within = [node for node in ast.walk(value) if isinstance(node, ast.Call) and node is not value]
    has_effects = any(_called(node) not in SHOWN for node in within)
    if not has_effects and isinstance(value, (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Compare)):
        return True
    if not isinstance(value, ast.Call):
        return False
    called = _called(value)
    owner = value.func.value if isinstance(value.func, ast.Attribute) else None
    if called in FOLDERS:
        given = value.args[0] if called == "makedirs" and value.args else owner
        if given is not None and paths.literal(given, {}) is not None:
            doubts.append(f"{each.place} is left out: a stage makes the folders of its outputs by itself")
            return True
    return called in SHOWN and not has_effects


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", None) or getattr(call.func, "id", ""))


def _left(body: Iterable[Statement], root: Path, folder: str) -> list[str]:
    """Return a sentence for each text that still looks like the path of a file."""
    found = []
    for each in body:
        for node in ast.walk(each.node):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and 2 < len(node.value) < 200:
                text = node.value
                is_file = "\n" not in text and "\0" not in text and "/" in text and (root / folder / text).exists()
                if text.startswith(("../", "./", "..\\")) or is_file:
                    found.append(f"{each.place} names {text!r:.80}, which is still a path from the notebook's folder")
    return found


def _not_installed(imports: list[str], root: Path, notebook: str) -> list[str]:
    """Return a sentence for each module that the project cannot import."""
    found = []
    for line in imports:
        top = line.split()[1].partition(".")[0]
        if (root / notebook).with_name(f"{top}.py").is_file():
            found.append(f"{top} is a module beside the notebook: move it into the package")
        elif top and not (root / "src" / top).is_dir() and importlib.util.find_spec(top) is None:
            found.append(f"{top} is not installed here: uv add the package that has it")
    return list(dict.fromkeys(found))


def _written(
    name: str, chosen: list[Cell], notebook: str, module: Module, parts: Parts, types: dict[str, str], holder: str
) -> str:
    """Return the text of the module."""
    place = notebook.replace("\\", "/").replace('"', "'")
    place = place if len(place) < 70 else PurePosixPath(place).name[:70]
    lines = [f'"""Stage `{name}`: {spoken([cell.number for cell in chosen])} of {place}."""', "", "import argparse"]
    lines += ["from pathlib import Path", *(line for line in parts.imports if line != "from pathlib import Path")]
    for each in parts.definitions:
        lines += ["", "", each.text]
    lines += ["", "", "def main(arguments: list[str] | None = None) -> None:"]
    inside = ["parser = argparse.ArgumentParser(description=__doc__)"]
    for words, found in (("file to read", module.reads), ("file to write", module.writes)):
        for path, each_option in found.items():
            kind = "" if types[path] == "str" else ", type=Path"
            inside.append(f'parser.add_argument("--{each_option}"{kind}, required=True, help="{words}")')
    for key, value in module.parameters.items():
        inside.append(f'parser.add_argument("--{option(key)}", {_argument(value)}, help="default: %(default)s")')
    inside.append(f"{holder} = parser.parse_args(arguments)")
    for path, each_option in module.writes.items():
        dest = f"{holder}.{each_option.replace('-', '_')}"
        inside.append(f"{dest if types[path] == 'Path' else f'Path({dest})'}.parent.mkdir(parents=True, exist_ok=True)")
    for key, value in module.parameters.items():
        inside.append(f"{key} = {holder}.{key}" + (' == "true"' if isinstance(value, bool) else ""))
    lines += [f"    {line}" for line in inside]
    for before, each in zip([None, *parts.body], parts.body, strict=False):
        is_apart = each.is_apart or before is None or before.cell != each.cell
        lines += ["", indented(each)] if is_apart else [indented(each)]
    lines += ["", "", 'if __name__ == "__main__":', "    main()", ""]
    text = "\n".join(line.rstrip("\n") for line in lines)
    ast.parse(text)
    return text


def _argument(value: Value) -> str:
    if isinstance(value, bool):
        return f'choices=("true", "false"), default="{str(value).lower()}"'
    kind = "" if isinstance(value, str) else f"type={type(value).__name__}, "
    return f"{kind}default={value!r}"


def spoken(numbers: list[int]) -> str:
    """Return the numbers of cells in words, for example `cells 3 to 5 and 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    text = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{'cell' if len(numbers) == 1 else 'cells'} {text}"


def indented(each: Statement) -> str:
    """Return a statement as a part of `main`: the lines inside of a text keep what they begin with."""
    tree = ast.parse(each.text)
    kept = set()
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
        )
        if is_text and isinstance(node, ast.expr) and node.end_lineno and node.end_lineno > node.lineno:
            kept |= set(range(node.lineno + 1, node.end_lineno + 1))
    lines = enumerate(each.text.split("\n"), 1)
    return "\n".join(line if number in kept or not line.strip() else f"    {line}" for number, line in lines)
