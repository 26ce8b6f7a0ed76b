"""Read the code cells of a notebook, and choose those that become stages."""

from __future__ import annotations

import json
import keyword
import re
from dataclasses import dataclass
from pathlib import Path

# Bytes. Larger notebooks are full of outputs.
MOST = 50_000_000
STAGE = "stage:"
NAME = re.compile(r"[a-z][a-z0-9_]*")
FORMAT = "uvx --from nbconvert jupyter-nbconvert --to notebook --inplace"


class NotebookError(ValueError):
    """A notebook cannot become a stage; the text says where and why, with a line `fix: …`."""


@dataclass(frozen=True)
class Cell:
    """A code cell: its place among all cells, from 1 on, its text and its tags."""

    number: int
    source: str
    tags: frozenset[str]


def read(path: Path) -> list[Cell]:
    """Return the code cells of a notebook.

    Raises:
        NotebookError: The file is missing, is not a notebook of this format, or is not one of Python.
    """
    place = path.as_posix()
    try:
        size = path.stat().st_size
        if size > MOST:
            raise NotebookError(
                f"{place} has {size // 1_000_000} MB, nearly all of it outputs\n  fix: clear the outputs of all cells"
            )
        document = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise NotebookError(f"{place} is not here\n  fix: name a file *.ipynb") from None
    except OSError as error:
        raise NotebookError(f"{place} cannot be read: {error.strerror}\n  fix: name a file *.ipynb") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error) if not isinstance(error, RecursionError) else "it is nested too deeply"
        raise NotebookError(f"{place} is damaged: {reason}\n  fix: git checkout {place}, or save it again") from None
    return _cells(document, place)


def _cells(document: object, place: str) -> list[Cell]:
    if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
        raise NotebookError(f"{place} is not a notebook: it has no `nbformat`\n  fix: name a file that Jupyter saved")
    if document["nbformat"] != 4 or not isinstance(document.get("cells"), list):
        raise NotebookError(f"{place} has the format {document['nbformat']}, not 4\n  fix: {FORMAT} {place}")
    metadata = _table(document.get("metadata"))
    kernel, info = _table(metadata.get("kernelspec")), _table(metadata.get("language_info"))
    language = str(info.get("name") or kernel.get("language") or "python").lower()
    if language not in ("python", "ipython"):
        raise NotebookError(f"{place} is written in {language:.30}, and a stage in Python\n  fix: name one of Python")
    found = []
    for number, cell in enumerate(document["cells"], 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            lines = cell.get("source", "")
            source = lines if isinstance(lines, str) else "".join(map(str, lines)) if isinstance(lines, list) else ""
            tags = _table(cell.get("metadata")).get("tags")
            names = frozenset(map(str, tags)) if isinstance(tags, list) else frozenset()
            found.append(Cell(number, source.replace("\r\n", "\n"), names))
    return found


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def listing(cells: list[Cell]) -> list[str]:
    """Return a line for each cell: its number, its tags and its first line."""
    lines = []
    for cell in cells:
        first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "(empty)")
        tags = f"[{', '.join(sorted(cell.tags))}] " if cell.tags else ""
        lines.append(f"{cell.number:>4}  {tags}{first if len(first) <= 80 else first[:79] + '…'}")
    return lines


def numbers(text: str) -> list[int]:
    """Return the numbers that a text like `3-7,9` means.

    Raises:
        NotebookError: It has another form.
    """
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*", part)
        if not ends or int(ends[2] or ends[1]) < int(ends[1]):
            raise NotebookError(f"--cells {text!r:.60} is not a list of cells\n  fix: for example --cells 3-7,9")
        found += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    return found


def by_stage(cells: list[Cell], wanted: str, stage: str) -> dict[str, list[Cell]]:
    """Return the cells of each stage, in the order of the notebook.

    Args:
        cells: The code cells.
        wanted: The numbers of cells, which take the place of tags; empty to go by the tags.
        stage: The only stage that is wanted; empty for all.

    Raises:
        NotebookError: No cell is chosen, or a name is not one of a module.
    """
    found: dict[str, list[Cell]] = {}
    if wanted:
        if not stage:
            raise NotebookError("--cells does not say which stage they become\n  fix: add --stage NAME")
        known = {cell.number: cell for cell in cells}
        if missing := [number for number in numbers(wanted) if number not in known]:
            raise NotebookError(f"cell {missing[0]} is not a code cell\n  fix: {_choices(cells)}")
        found[stage] = [known[number] for number in sorted(set(numbers(wanted)))]
    else:
        for cell in cells:
            for tag in sorted(cell.tags):
                if tag.startswith(STAGE):
                    found.setdefault(tag.removeprefix(STAGE), []).append(cell)
    for name, chosen in found.items():
        if not NAME.fullmatch(name) or keyword.iskeyword(name):
            raise NotebookError(
                f"cell {chosen[0].number}: {name!r:.60} cannot be the name of a stage\n"
                "  fix: small letters, digits and _, for example stage:clean"
            )
    if stage:
        found = {name: chosen for name, chosen in found.items() if name == stage}
    if not found:
        what = f"no cell has the tag stage:{stage}" if stage else "no cell has a tag stage:NAME"
        lines = "\n".join(listing(cells)) or "   it has no code cells"
        raise NotebookError(
            f"{what}\n{lines}\n"
            "  fix: tag the cells of a stage stage:NAME, and the one with its values parameters; "
            "or add --cells 3-7 --stage NAME"
        )
    return found


def _choices(cells: list[Cell]) -> str:
    return f"one of {', '.join(str(cell.number) for cell in cells)}" if cells else "the notebook has no code cells"
