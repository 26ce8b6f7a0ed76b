"""Instructions for coding agents: what they tell an agent to run is there."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.checks.pipelines import tasks
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project

# The names that coding agents look for, in any folder.
NAMES = ("AGENTS.md", "CLAUDE.md", "SKILL.md")
# The files that have the tasks.
FILES = {"pyproject.toml", "poe_tasks.toml"}
FENCE = re.compile(r"\s*(`{3,}|~{3,})")
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
# A task where a command begins: `uv run poe TASK` and `poe TASK`, by itself or behind another command.
COMMAND = re.compile(r"(?:^|[;&|(]|\$ )\s*(?:uv run (?:--?[\w-]+(?:=\S+)? )*)?poe (?:-q )?([A-Za-z_][\w+-]*)")


def code(text: str) -> Iterator[tuple[int, str]]:
    """Yield each piece of code of a Markdown text with its line: the lines of its blocks, and what is in backticks."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        found = FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
            else:
                yield number, line.strip()
        elif found:
            fence = found[1]
        else:
            yield from ((number, span[2].strip()) for span in SPAN.finditer(line))


class InstructionUnknown(Check):
    """A text for coding agents that names a task which does not exist."""

    id = "MLO212"
    name = "instruction-unknown"
    page = "pipelines"
    finds = (
        "A command `uv run poe TASK` or `poe TASK` in `AGENTS.md`, `CLAUDE.md` or `SKILL.md`, in any folder, whose "
        "task is neither in `poe_tasks.toml` nor in `pyproject.toml` nor in a file that they include. Only code is "
        "read: blocks, and text in backticks. A name in capitals, for example `TASK`, stands for any task."
    )
    why = "A coding agent runs what it reads there. If the command fails, it looks for another way, which nobody chose."
    fix = "Name a task that `uv run poe` lists, or add the task to `pyproject.toml`."
    example = Example(
        "AGENTS.md", "Before each commit, run `uv run poe check`.\n", "Before each commit, run `uv run poe ci`.\n"
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Look up each task that the texts for coding agents name."""
        known = tasks(project)
        if project.problems.keys() & FILES:  # MLO001 names the file
            return
        for path in (path for path in project.files if PurePosixPath(path).name in NAMES):
            for line, text in code(project.text(path)):
                for named in COMMAND.findall(text):
                    if not named.isupper() and named not in known:
                        yield self.found(path, line, f"no task has the name `{named}`")
