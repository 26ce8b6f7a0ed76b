"""Edits that a team makes, one of each kind, each with words that are found again: the marks of a route."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.update.team import PACKAGE, Files, change

# The layouts of a project: that of 0.1.0, that of 0.2.0, and that which has a place for each addition of a team.
FIRST, SECOND, NOW = 0, 1, 2
LAYOUTS = {"0.1.0": FIRST, "0.2.0": SECOND}

CONFLICTING = """\
conflicts = [
  [{ group = "mark-cpu" }, { group = "mark-gpu" }],
]
"""
GROUPS = """\
mark-cpu = ["six==1.16.0"]
mark-gpu = ["six==1.17.0"]
"""
INDEX = """\

[[tool.uv.index]]
name = "mark-index"
url = "https://index.example.org/simple"
explicit = true
"""
REMOTE = "['remote \"mark-remote\"']\n    url = s3://mark/remote\n"
HOOK = """\
  - repo: https://git.example.org/mark-hook
    rev: v1
    hooks:
      - id: mark-hook
"""
ROUTE = '\n    @app.get("/mark-route")\n    def mark() -> str:\n        return "mark"\n'
DAY = "exclude-newer = "
PACKAGED = "package = true\n"
SERVED = "    # Routes of your own go here, for example:\n"
DELETED, ADDED = "", "# mark\n"


@dataclass(frozen=True)
class Mark:
    """An edit: in which file, behind which text (at its end if there is none), and what is written there.

    `instead` says that the text is replaced, `since` and `until` in which layouts the edit has its place there.
    """

    name: str
    path: str
    after: str
    text: str
    instead: bool = False
    since: int = FIRST
    until: int = NOW

    def made(self, files: Files) -> Files:
        """Return the files with the edit."""
        if self.text == DELETED:
            return {path: content for path, content in files.items() if path != self.path}
        if self.path not in files:
            return files | {self.path: self.text.encode()}
        text = files[self.path].decode("utf-8")
        end = self.after
        if end and not end.endswith("\n"):  # a line that differs between versions is named by its beginning
            end = next(line for line in text.splitlines(keepends=True) if line.startswith(end))
        return files | {self.path: change(files[self.path], [(end, self.text if self.instead else end + self.text)])}

    def is_kept(self, files: Files) -> bool:
        """Return whether each line of the edit stands in the file; a deleted file is still gone."""
        if self.text == DELETED:
            return self.path not in files
        lines = files.get(self.path, b"").decode("utf-8").splitlines()
        return set(self.text.splitlines()) <= set(lines)


def _toml() -> list[Mark]:
    path = "pyproject.toml"
    return [
        Mark("a raised bound", path, '  "scikit-learn>=1.7,<1.10",\n', '  "scikit-learn>=1.8,<1.10",\n', instead=True),
        Mark("a dependency", path, '  "skops>=0.13,<0.17",\n', '  "mark-dependency>=1",\n'),
        Mark("a dependency, by uv", path, "dependencies = [\n", '  "mark-a-name-before-n>=1",\n'),
        Mark("a dev dependency", path, '  "ruff>=0.12,<0.18",\n', '  "mark-for-dev>=1",\n'),
        Mark("conflicting groups", path, '  "mark-for-dev>=1",\n]\n', GROUPS, since=NOW),
        Mark("their conflict", path, PACKAGED, CONFLICTING, since=NOW),
        Mark("an index", path, DAY, INDEX, until=SECOND),
        Mark("an index", path, CONFLICTING, INDEX, since=NOW),
        Mark("the version", path, 'version = "0.1.0"\n', 'version = "1.0.0"\n', instead=True),
        Mark("the description", path, "description = ", 'description = "mark: ours"\n', instead=True),
        Mark("a tool's table", path, "", "\n[tool.mark]\nmark = true\n"),
        Mark("a task", path, "", '\n[tool.poe.tasks.mark]\ncmd = "mark"\n'),
        Mark("a changed task", path, "", '\n[tool.poe.tasks.lint]\ncmd = "mark lint"\n'),
    ]


def _managed() -> list[Mark]:
    return [
        Mark(
            "an edited task", "poe_tasks.toml", 'cmd = "pytest operation/tests/unit"\n', 'cmd = "mark"\n', instead=True
        ),
        Mark("a task at the end", "poe_tasks.toml", "", '\n[tasks.mark-end]\ncmd = "mark"\n', since=NOW),
        Mark("a hook", ".pre-commit-config.yaml", "", HOOK),
        Mark("ignored files", ".gitignore", "", "\n# Ours\n/mark/\n"),
        Mark("a second remote", ".dvc/config", "", REMOTE),
        Mark("a rule of ruff", "ruff.toml", '  "S607", ', '  "S101", # mark\n'),
        Mark("settings of ruff", "ruff.toml", "", '\n[lint.pydocstyle]\nconvention = "google" # mark\n'),
        Mark("words to coding agents", "AGENTS.md", "", "\n- Mark: ask before you train.\n"),
        Mark("an edited test", "operation/tests/conftest.py", "", "\n\nMARK = 1\n"),
        Mark("a deleted managed file", ".python-version", "", DELETED),
    ]


def _yours() -> list[Mark]:
    settings = "operation/configuration/environment_dev/settings.yaml"
    return [
        Mark("a stage", "dvc.yaml", "stages:\n", "  mark:\n    cmd: python -m german_credit.mark\n\n"),
        Mark("a module", f"src/{PACKAGE}/mark.py", "", ADDED),
        Mark("a label", f"src/{PACKAGE}/schema.py", "LABELS = ", 'LABELS = {1: "mark", 2: POSITIVE}\n', instead=True),
        Mark("the README", "README.md", "", "\n## Mark\n\nWhat we agreed on.\n"),
        Mark("a deleted file", "docs/code/README.md", "", DELETED),
        Mark("a notebook", "notebooks/mark.ipynb", "", '{"cells": [], "metadata": {}, "nbformat": 4}\n'),
        Mark("a value of the settings", settings, "port: 8000\n", "port: 8010\n", instead=True),
        Mark("owners", ".github/CODEOWNERS", "", "/src/ @mark/owners\n"),
        Mark("a test", "operation/tests/unit/test_mark.py", "", ADDED),
        Mark("notes in a card", "docs/cards/model_card.md.j2", "", "\n## Mark\n\nOur notes.\n", since=NOW),
        Mark("a route", "operation/execution/serve.py", SERVED, ROUTE, since=NOW),
    ]


# Where a team adds steps at the end of `ci`: behind these words before there was a place, in the place since then.
STEPS = {
    "github": (
        ".github/workflows/ci.yml",
        "        run: uv run poe smoke\n",
        "      - name: Mark\n        run: mark\n",
    ),
    "forgejo": (
        ".forgejo/workflows/ci.yml",
        "        run: uv run poe smoke\n",
        "      - name: Mark\n        run: mark\n",
    ),
    "azure_devops": (
        "azure_pipelines/ci.yml",
        "        displayName: Smoke run on a sample\n",
        "      - script: mark\n        displayName: Mark\n",
    ),
    "gitlab": (".gitlab/flows/ci.yml", "    - uv run poe smoke\n", "    - mark\n"),
    "bitbucket": ("bitbucket-pipelines.yml", "          - uv run poe smoke\n", "          - mark\n"),
}
PLACE = "# Yours: steps of your own, which no update meets.\n"


def marks(host: str) -> list[Mark]:
    """Return every edit, of every layout; those of CI are in the files of the host."""
    path, last, text = STEPS[host]
    steps = [
        Mark("steps of CI", path, last, text, until=SECOND),
        Mark("steps of CI", path, PLACE, text, since=NOW),
    ]
    return [*_yours(), *_toml(), *steps, *_managed()]


def mark_all(files: Files, host: str, layout: int, without: Iterable[Mark] = ()) -> tuple[Files, list[Mark]]:
    """Return the files with each edit that has its place in them, and those edits.

    An edit of a file that the project does not have, and one of `without`, is left out; a new file is always added.
    """
    made = []
    for mark in marks(host):
        is_new = mark.text == ADDED or mark.path.endswith(".ipynb")
        if not mark.since <= layout <= mark.until or mark in without or (mark.path not in files and not is_new):
            continue
        files = mark.made(files)
        made.append(mark)
    return files, made
