"""Take a file of records into the project: infer its contract, and write what names data or problem.

It says what it decided and why, and what it doubts. A second run, with newer records, keeps all that you changed.
"""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from copier_mlops import images
from copier_mlops.adoption.changes import Changes
from copier_mlops.contract.contract import Contract, ContractError, parse
from copier_mlops.contract.merge import merged, written
from copier_mlops.contract.raw import inputs, is_known
from copier_mlops.project import ANSWERS, CONFIGURATION, CONTRACT, answer, root

if TYPE_CHECKING:
    from copier_mlops.contract.files import Source
    from copier_mlops.contract.infer import Inference

EXAMPLE = "For example: uv run poe adopt-data data/raw/flats.csv --target price --key id"
SAMPLE = "operation/tests/sample.csv"
# Violations of a contract that was there before.
MOST_VIOLATIONS = 5


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mlops adopt-data", description=__doc__, epilog=EXAMPLE)
    parser.add_argument(
        "file", metavar="FILE", help="CSV, TSV, JSON lines, Parquet or Excel, or a folder of such files or of images"
    )
    parser.add_argument("--sheet", default="", metavar="NAME", help="the sheet of Excel, if several have cells")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="the column that a model predicts")
    parser.add_argument("--problem", default="", choices=("binary", "multiclass", "regression"), help="its kind")
    parser.add_argument("--positive", default="", metavar="VALUE", help="the class whose probability is given")
    parser.add_argument(
        "--key", action="append", default=[], metavar="COLUMN", help="tells records apart; can be repeated"
    )
    parser.add_argument("--time", default="", metavar="COLUMN", help="the newest records are the test")
    parser.add_argument("--group", default="", metavar="COLUMN", help="its records stay together in a split")
    parser.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="not a feature; can be repeated")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    parser.add_argument("--force", action="store_true", help="change what the contract says already")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


@dataclass(frozen=True)
class Adoption:
    """The findings in a file of records, and the changes that follow from them.

    Attributes:
        source: The file.
        found: What was inferred.
        changes: The changes of files.
        said: How the contract changes.
        broken: The first values that break a contract which people may have changed.
        place: Where the data will be, relative to the root.
        old: The raw data that dvc.yaml names so far; empty if it names none.
        is_first: The project has no contract yet, or one of other records.
    """

    source: Source
    found: Inference
    changes: Changes
    said: list[str]
    broken: list[str]
    place: str
    old: str
    is_first: bool


def main(arguments: list[str]) -> int:
    """Run the task.

    Raises:
        SystemExit: The file or the contract cannot be used; nothing was written.
    """
    options = _arguments(arguments)
    # Imported here: pyarrow takes a moment, and --help needs none of it.
    from copier_mlops.contract.dialect import DataError

    try:
        planned = _plan(options)
        is_new = not options.dry_run and _write(planned, options.force)
    except (ContractError, DataError) as error:
        raise SystemExit(f"adopt-data: {error}") from None
    except OSError as error:
        where = error.filename or options.file
        raise SystemExit(f"adopt-data: {where}: {error.strerror}\n  fix: check its rights, and the disk") from None
    found, paths = planned.found, [change.path for change in planned.changes.found]
    parts = {"decided": found.decisions, "in doubt": found.doubts, "contract": planned.said, "broken": planned.broken}
    if options.json:
        is_written = not options.dry_run and bool(paths)
        head = {"records": found.count, "file": _contract_file(), "data": planned.place, "is_written": is_written}
        print(json.dumps(head | {"files": paths} | parts, ensure_ascii=False))
        return 0
    print(f"{options.file}: {found.count:,} records, {len(planned.source.names)} columns")
    _print_parts(parts)
    print("\n".join(planned.changes.diff()))
    _print_end(planned, options.dry_run, is_new)
    return 0


def _contract_file() -> str:
    return f"src/{answer('package_name')}/{CONTRACT}"


def _plan(options: argparse.Namespace) -> Adoption:
    """Return what a file changes; nothing is written.

    Raises:
        ContractError: The contract that is there cannot be used.
        DataError: The file cannot be used.
    """
    from copier_mlops.adoption import raw, starters
    from copier_mlops.contract.dialect import DataError
    from copier_mlops.contract.files import open_source
    from copier_mlops.contract.infer import Wishes, infer

    changes, path = Changes(root()), _contract_file()
    source = open_source(options.file, options.sheet)
    before = changes.read(path)
    if before is None and changes.read(path.replace(CONTRACT, "schema.py")) is not None:
        raise DataError("the stages of this project read schema.py\n  fix: the template's docs/how-to/own_data.md")
    known = parse(before, path) if before is not None else None
    is_first = known is None or _is_of_other_data(known, source)
    columns = (tuple(options.key), options.time, options.group, tuple(options.drop))
    found = infer(source, Wishes(options.target, options.problem, *columns, options.positive))
    after, said = written(found.document), list[str]()
    if before and not is_first:
        after, said = merged(before, found.document, options.force)
    contract = parse(after, path)
    broken = [] if is_first else list(islice(_broken(source, contract), MOST_VIOLATIONS + 1))
    if contract.images and not _has_pillow(changes):
        found.doubts.append(f"the service cannot read images before you add a library: {images.command()}")
    changes.add(path, after)
    place, old = raw.place_of(source.path, root()), next(iter(inputs(changes.read("dvc.yaml"))), "")
    if is_first or not set(source.names) <= set((changes.read(SAMPLE) or "").partition("\n")[0].split(",")):
        changes.add(SAMPLE, starters.sample(source, contract))
        if not is_first and SAMPLE in changes.only_here():
            changes.found.pop()
            said.append(f"{SAMPLE} lacks a column, and git does not have it as it is: add the column yourself")
    if is_first:
        _add_starters(changes, contract, old, place)
    elif old != place:
        _move(changes, contract, old, place)
    return Adoption(source, found, changes, said, broken, place, old, is_first)


def _write(planned: Adoption, force: bool) -> bool:
    """Bring the data to its place and write the files; return whether the data is new there.

    Raises:
        DataError: Something that is only here would be lost, or DVC refused.
    """
    from copier_mlops.adoption import raw

    # A contract of the same records was merged: all that it had is still there.
    merges = set() if planned.is_first else {_contract_file()}
    _check_kept(planned.changes, merges, force)
    is_new = raw.bring(planned.source.path, planned.place, root(), force)
    planned.changes.write()
    if planned.old != planned.place:
        raw.drop(planned.old, root())
    return is_new


def _has_pillow(changes: Changes) -> bool:
    """Return whether the project depends on Pillow, and not only its development."""
    document = tomllib.loads(changes.read("pyproject.toml") or "")
    needed = document.get("project", {}).get("dependencies", ())
    return any(re.split(r"[^\w.-]", each)[0].lower() == "pillow" for each in needed)


def _is_of_other_data(contract: Contract, source: Source) -> bool:
    """Return whether a contract describes other records: they lack its target, or most of its fields."""
    names = {field.name for field in contract.fields}
    return contract.learning.target not in source.names or len(names & set(source.names)) * 2 < len(names)


def _add_starters(changes: Changes, contract: Contract, old: str, place: str) -> None:
    """Add the files that name data or problem, as far as the project has them."""
    from copier_mlops.adoption import starters

    _add_pipeline(changes, contract, old, place)
    _rewrite(
        changes,
        {
            "data/README.md": lambda text: starters.readme_of_data(text, old, place),
            "README.md": lambda text: text.replace(old, place) if old else text,
            "docs/cards/about_data.md": lambda _: starters.about("data"),
            "docs/cards/about_model.md": lambda _: starters.about("model"),
            # The next update brings nothing of the example.
            ANSWERS: lambda text: re.sub(r"(?m)^example: .*$", "example: none", text),
        },
    )


def _move(changes: Changes, contract: Contract, old: str, place: str) -> None:
    """Add what names the raw data, since the newer records have another name."""
    if not is_known(old, changes.root):
        _add_pipeline(changes, contract, old, place)  # a climb brought one that knows nothing of the data
    elif old:
        _rewrite(changes, dict.fromkeys(("dvc.yaml", "README.md"), lambda text: text.replace(old, place)))


def _add_pipeline(changes: Changes, contract: Contract, old: str, place: str) -> None:
    """Add the pipeline's raw data, curves and costs, and the metric that decides on a release."""
    from copier_mlops.adoption import starters

    writers: dict[str, Callable[[str], str]] = {
        "dvc.yaml": lambda text: starters.pipeline(text, old, place, contract),
        "params.yaml": starters.parameters,
    }
    for file in sorted((changes.root / CONFIGURATION).glob("environment_*/release.yaml")):
        writers[file.relative_to(changes.root).as_posix()] = lambda text: starters.gate(text, contract)
    _rewrite(changes, writers)


def _rewrite(changes: Changes, writers: dict[str, Callable[[str], str]]) -> None:
    for path, write in writers.items():
        text = changes.read(path)
        changes.add(path, None if text is None else write(text))


def _check_kept(changes: Changes, merges: set[str], force: bool) -> None:
    """Refuse to overwrite what only the working tree has.

    Raises:
        DataError: Git does not have a file as it is.
    """
    from copier_mlops.contract.dialect import DataError

    lost = [] if force else [path for path in changes.only_here() if path not in merges]
    if lost:
        raise DataError(
            f"git does not have {', '.join(lost)} as {'it is' if len(lost) == 1 else 'they are'}, "
            "and other data needs other content\n  fix: commit first, or add --force"
        )


def _print_end(planned: Adoption, is_dry: bool, is_new: bool) -> None:
    paths = [change.path for change in planned.changes.found]
    if is_dry:
        print(f"not written, because of --dry-run: {', '.join(paths) or 'nothing would change'}")
        return
    if is_new:
        print(f"{planned.place} has the data")
    if SAMPLE in paths:
        print(f"{SAMPLE} has real records, and git will have it")
    print(f"written: {', '.join(paths)}" if paths else f"{_contract_file()} is as it was")
    if planned.is_first:
        print("Next: read the contract, then: uv run poe check-data")


def _broken(source: Source, contract: Contract) -> Iterator[str]:
    """Yield a sentence for each value that breaks a contract which people may have changed."""
    from copier_mlops.contract.cast import records
    from copier_mlops.contract.verdict import violations

    for table in records(source, contract):
        yield from (str(each) for each in violations(table, contract, labelled=True))


def _print_parts(parts: dict[str, list[str]]) -> None:
    for name, sentences in parts.items():
        if sentences:
            print(f"{name}:")
            most = MOST_VIOLATIONS if name == "broken" else len(sentences)
            print("\n".join(f"  {sentence}" for sentence in sentences[:most]))
            if len(sentences) > most:
                print("  … and more\n  fix: correct the data or the contract; --force takes what the data suggests")
