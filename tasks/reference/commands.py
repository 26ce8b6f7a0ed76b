"""The page of the tasks, from poe_tasks.toml and the parsers of `mlops TASK`."""

import argparse
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

from copier_mlops.cli import TASKS, run
from copier_mlops.registry import registry
from tasks.reference.markdown import either, sentence, start, table

INTRODUCTION = """\
You run a task by `uv run poe TASK`, for example `uv run poe setup`. If you want the list of your project, run
`uv run poe`. When you climb a [level](levels.md), its tasks are added."""
# Examples of tasks whose help has none; for any other, the bare command is one.
EXAMPLES = {
    "drift": "uv run poe drift --format json",
    "test": "uv run poe test -k package",
}


# Not an error: `mlops` catches those of its tasks.
class _Found(BaseException):
    """Carry a parser out of the function that made it."""


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of `mlops NAME`, which its function makes when it runs."""

    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        raise _Found(parser)

    with patch.object(argparse.ArgumentParser, "parse_known_args", stop):
        try:
            run(TASKS[name], [])
        except _Found as found:
            parser: argparse.ArgumentParser = found.args[0]
            return parser
    raise AssertionError(f"{name} parses no arguments")


def options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield each argument of a parser, as it is typed, and its help."""
    formatter = parser._get_formatter()
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._VersionAction):
            continue
        named = list(action.option_strings[-1:])
        if action.nargs != 0:
            named.append(str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper()))
        text = formatter._expand_help(action) if action.help else "one of these"
        yield f"`{' '.join(named)}`", sentence(text)


def example(name: str, parser: argparse.ArgumentParser | None) -> str:
    """Return a command that somebody could type: that of the help, if it has one."""
    found = re.search(r"(?i)for example: (uv run (?:poe|mlops) .+)", (parser and parser.epilog) or "")
    return found[1] if found else EXAMPLES.get(name, f"uv run poe {name}")


def section(name: str, task: dict[str, Any]) -> str:
    """Return what the page says of a task."""
    command = str(task.get("cmd", ""))
    ours = re.fullmatch(r"mlops ([\w-]+)", command)
    parser = parser_of(ours[1]) if ours else None
    parts = [f"### `{name}`", sentence(TASKS[ours[1]].help if ours else task["help"])]
    if "sequence" in task:
        steps = [step if isinstance(step, str) else step["cmd"] for step in task["sequence"]]
        parts.append(f"It runs {', '.join(f'`{step}`' for step in steps)}, and stops at the first that fails.")
    elif not ours:
        # The address of the template is another in each project.
        command = re.sub("uv tool run --from '.*' mlops", "mlops", command)
        parts.append(f"It runs `{command}`, which gets your options.")
    if parser and (rows := list(options(parser))):
        parts.append(table(("option", "meaning"), rows))
    parts.append(f"Example: `{example(name, parser)}`")
    return "\n\n".join(parts)


def page(project: Path) -> str:
    """Return the page: every task of a project of the highest level, by the level that brings it."""
    tasks = tomllib.loads((project / "poe_tasks.toml").read_text(encoding="utf-8"))["tasks"]
    modes = {mode["task"]: name for name, mode in registry("serving").items()}
    found = [start("Tasks", "`poe_tasks.toml` and the `--help` of each task", INTRODUCTION) + "\n"]
    for number, level in enumerate(registry("levels")):
        found.append(f"## Level {number}, {level['name'].lower()}\n")
        for name in tasks:
            if name in level["tasks"]:
                found.append(section(name, tasks[name]) + _condition(name, modes) + "\n")
    return "\n".join(found)


def _condition(name: str, modes: dict[str, str]) -> str:
    """Return when a project has the task, if its level is not enough."""
    if name in modes:
        return f"\n\nYou have it if the answer `serving` has `{modes[name]}`."
    if name == "compile":
        return "\n\nYou have it if the answer `engines` names one."
    if name == "login":
        return f"\n\nYou have it if the answer `cloud` is {either(registry('clouds'))}."
    return ""
