"""Lint a repository that was generated from copier-mlops.

It ends with 0 if there is no error, 1 if there is one, and 2 if you used it wrongly or it failed itself.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import indent

from copier_mlops.cli import version
from copier_mlops.lint.check import WARNING
from copier_mlops.lint.config import Config, read_config, table_of
from copier_mlops.lint.finding import LintError
from copier_mlops.lint.formats import FORMATS, NAME, speak_utf8
from copier_mlops.lint.listing import find_root
from copier_mlops.lint.project import ANSWERS, Project
from copier_mlops.lint.registry import checks, named
from copier_mlops.lint.run import lint


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, do it, and return the exit code."""
    speak_utf8()
    # A template that asks for a password must not make the lint wait for a person.
    os.environ.setdefault("GIT_TERMINAL_PROMPT", "0")
    options = parser().parse_args(arguments)
    try:
        if options.list:
            print(listed())
            return 0
        if options.explain:
            print("\n\n".join(explained(id) for id in matching(options.explain)))
            return 0
        return check(options)
    except LintError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog=NAME,
        description=__doc__,
        epilog="An ID may be the start of several, or a name. Settings: [tool.copier-mlops-lint] of pyproject.toml.\n"
        "For example: uv run poe lint-template --select MLO1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="report only faults in these files or folders"
    )
    found.add_argument("--project", type=Path, metavar="FOLDER", help="the project (default: the one around here)")
    found.add_argument(
        "--select", action="append", metavar="ID,…", help="run only these checks, for example MLO101,MLO4"
    )
    found.add_argument("--ignore", action="append", metavar="ID,…", help="do not run these checks, for example MLO101")
    found.add_argument("--fix", action="store_true", help="fix faults if nothing can be lost")
    found.add_argument("--format", choices=FORMATS, default="text", help="the format of the findings (default: text)")
    found.add_argument("--drift", action="store_true", help="compare managed files with the template")
    found.add_argument("--updates", action="store_true", help="ask the template for a newer version")
    found.add_argument("--list", action="store_true", help="print all checks")
    found.add_argument("--explain", metavar="ID", help="print what a check finds, why, the fix and an example")
    found.add_argument("--version", action="version", version=f"{NAME} {version()}")
    return found


def check(options: argparse.Namespace) -> int:
    """Lint, print, and return the exit code."""
    start = (options.project or Path()).absolute()
    if not start.is_dir():
        raise LintError(f"{options.project} is not a folder")
    root = find_root(start.resolve(), ANSWERS)
    project = Project(root, settings(root, options))
    needs = {name for name, wanted in {"--drift": options.drift, "--updates": options.updates}.items() if wanted}
    result = lint(project, needs, chosen(project, options.paths), options.fix)
    text = FORMATS[options.format](result, project.listing.prefix)
    if text:
        print(text)
    return result.code


def settings(root: Path, options: argparse.Namespace) -> Config:
    """Return the settings of the project; options of the command line replace them."""
    config = read_config(table_of(root))
    for name in ("select", "ignore"):
        if given := getattr(options, name):
            ids = [id.strip() for each in given for id in each.split(",")]
            known = named(ids, f"--{name}")
            config = replace(config, select=known) if name == "select" else replace(config, ignore=known)
    return config


def chosen(project: Project, paths: list[Path]) -> set[str] | None:
    """Return the files that were named, each by itself or by its folder; None if none was named."""
    if not paths:
        return None
    found = set()
    for path in paths:
        absolute = Path(os.path.normpath(Path(path.parent.resolve(), path.name)))
        if not absolute.is_relative_to(project.root):
            raise LintError(f"{path} is not in the project {project.root.name}")
        name = absolute.relative_to(project.root).as_posix()
        if not os.path.lexists(absolute) and name not in project.files:
            raise LintError(f"there is no {path}")
        found |= {name} | {each for each in project.files if name == "." or each.startswith(f"{name}/")}
    return found


def matching(id: str) -> list[str]:
    """Return the checks that an id, the start of ids or a name means."""
    prefixes = named([id], "--explain")
    return [each for each in checks() if each.startswith(prefixes)]


def listed() -> str:
    """Return all checks, a line each."""
    lines = []
    for each in checks().values():
        marks = [WARNING] if each.severity == WARNING else []
        marks += [each.needs] if each.needs else []
        marks += ["--fix"] if each.fixes_itself else []
        marked = f"({', '.join(marks)}) " if marks else ""
        lines.append(f"{each.id}  {each.name:<22} {marked}{each.finds}")
    return "\n".join(lines)


def explained(id: str) -> str:
    """Return the text of a check: what it finds, why, an example, and the fix."""
    each = checks()[id]
    needs = f"\nRuns only with {each.needs}." if each.needs else ""
    said = {"Finds": each.finds, "Why": each.why, "Fix": each.fix, "Page": f"docs/reference/lint/{each.page}.md"}
    lines = "\n".join(f"{f'{name}:':<7}{text}" for name, text in said.items())
    example = f"Example: {each.example.file}\n{indent(each.example.wrong, '    ')}"
    example += f"Instead:\n{indent(each.example.instead, '    ')}" if each.example.instead else ""
    return f"{id} {each.name} ({each.severity})\n\n{lines}{needs}\n\n{example}".rstrip()
