"""Report which maturity level a repository has, with evidence, and which criteria the next level needs.

It runs tasks of the project (lint, test, check-data and those that use the tracking server), which takes half a minute.
It exits with 0, with 1 if --check finds the level below the one that was answered, and with 2 if it was used wrongly.
"""

import argparse
import os
import sys
from pathlib import Path

from copier_mlops.cli import version
from copier_mlops.lint.finding import LintError
from copier_mlops.lint.formats import speak_utf8
from copier_mlops.lint.listing import find_root, head
from copier_mlops.lint.project import ANSWERS, Project
from copier_mlops.maturity import formats
from copier_mlops.maturity.judge import Report, judge

NAME = "mlops maturity"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    speak_utf8()
    options = parser().parse_args(arguments)
    try:
        root = root_of(options.project or Path())
        report = judge(Project(root))
        if options.write:
            write(root, report)
    except LintError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    print(formats.as_json(report) if options.json else formats.as_text(report))
    wanted = -1 if report.answered is None else report.answered
    return int(options.check and (-1 if report.level is None else report.level) < wanted)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog=NAME,
        description=__doc__,
        epilog="For example: uv run poe maturity --write",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument(
        "--project",
        type=Path,
        metavar="FOLDER",
        help="the project, for example ../project (default: the one around the working directory)",
    )
    found.add_argument("--json", action="store_true", help="print one JSON document")
    found.add_argument("--write", action="store_true", help=f"write {formats.PAGE} and {formats.BADGE} as well")
    found.add_argument("--check", action="store_true", help="exit with 1 if the answered level is not reached")
    found.add_argument("--version", action="version", version=f"{NAME} {version()}")
    return found


def root_of(start: Path) -> Path:
    """Return the root of the project around a folder.

    Raises:
        LintError: There is no project.
    """
    if not start.is_dir():
        raise LintError(f"{start} is not a folder")
    root = find_root(start.resolve(), ANSWERS)
    if not (root / ANSWERS).is_file():
        raise LintError(f"{root} was not generated from the template: it has no {ANSWERS}")
    return root


def write(root: Path, report: Report) -> None:
    """Write the page and the badge, each atomically.

    Raises:
        LintError: A file cannot be written.
    """
    try:
        commit = head(root)
    except OSError:
        commit = ""
    for name, text in {formats.PAGE: formats.as_page(report, commit), formats.BADGE: formats.as_badge(report)}.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.draft")
            draft.write_text(text, encoding="utf-8", newline="\n")
            os.replace(draft, path)  # noqa: PTH105 (also over a file that exists, on Windows)
        except OSError as error:
            raise LintError(f"{name} cannot be written: {error.strerror or error}") from None
        print(f"maturity: {name} is written", file=sys.stderr)
