"""Let ruff sort, fix and format a module by the rules of the project."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from copier_mlops.command import CommandError, run

# Names such as X_train, which are what everybody knows them by.
QUIET = ("N803", "N806")
NOQA = re.compile(r"  # noqa: [A-Z0-9, ]+$")


def tidied(text: str, path: str, root: Path) -> tuple[str, list[str]]:
    """Return a module as ruff writes it, and a sentence for each rule that its code breaks.

    Such a line gets a `# noqa` of the rule: how a team's code is written is for the team to change.

    Args:
        text: The module.
        path: Where it will be, relative to the root; rules may differ by path.
        root: The root of the project.
    """

    def ruff(*options: str, typed: str) -> str:
        return run(sys.executable, "-m", "ruff", *options, "--stdin-filename", path, "-", cwd=root, typed=typed)

    try:
        text = ruff("check", "--fix-only", "--quiet", typed=text) + "\n"
        text = ruff("format", "--quiet", typed=text) + "\n"
        found = json.loads(ruff("check", "--exit-zero", "--output-format", "json", typed=text))
    except CommandError as error:
        said = " ".join(str(error).split())[:200]
        return text, [f"the module is not formatted: {said}"]
    rules: dict[int, set[str]] = {}
    doubts = []
    lines = text.splitlines()
    for each in found:
        row = int(each["noqa_row"] or each["location"]["row"])
        rules.setdefault(row, set()).add(str(each["code"]))
        if each["code"] not in QUIET:
            doubts.append(f"{path}, line {row}: {each['code']} {each['message']}")
    for row, codes in rules.items():
        lines[row - 1] = f"{NOQA.sub('', lines[row - 1])}  # noqa: {', '.join(sorted(codes))}"
    return "\n".join(lines) + "\n", doubts
