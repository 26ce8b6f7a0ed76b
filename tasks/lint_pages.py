"""Write docs/reference/lint, and the table in its overview, from the checks of the lint: `uv run poe lint-pages`."""

import re
from pathlib import Path

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.registry import checks

DOCS = Path(__file__).resolve().parents[1] / "docs" / "reference"
FOLDER, OVERVIEW = DOCS / "lint", DOCS / "lint.md"
TITLES = {
    "itself": "Files and checks that failed",
    "leftovers": "Leftovers of an update",
    "answers": "The answers file",
    "pipelines": "Pipelines",
    "layout": "Layout",
    "secrets": "Secrets",
    "data": "Data, models and notebooks",
    "lock": "The pipeline and its lock",
    "environments": "Environment files",
    "template": "The template",
    "package": "The package and the files that it replaced",
}
TABLE = re.compile(r"(?<=\n\| page \| checks \|\n\|---\|---\|\n)(\|.*\n)+")
LANGUAGES = {".json": "json", ".ipynb": "json", ".py": "python", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
LANGUAGES |= {".lock": "yaml", "/config": "ini", "Dockerfile": "dockerfile"}


def section(check: Check) -> str:
    """Return the section of a check on its page."""
    marks = [check.severity]
    marks += [f"only with `{check.needs}`"] if check.needs else []
    marks += ["`--fix`"] if check.fixes_itself else []
    head = f"## {check.id} {check.name}\n\n*{', '.join(marks)}*"
    head += f" (once named {', '.join(f'`{each}`' for each in check.old_names)})" if check.old_names else ""
    text = f"**Finds.** {check.finds}\n\n**Why.** {check.why}\n\n**Fix.** {check.fix}"
    return f"{head}\n\n{text}\n\n{shown(check.example)}\n"


def shown(example: Example) -> str:
    """Return an example as two blocks of code: what is wrong, and what to write instead."""
    language = next((each for end, each in LANGUAGES.items() if example.file.endswith(end)), "text")
    place = f"of `{example.file}`" if language == "text" else f"in `{example.file}`"
    instead = f"Instead:\n\n```{language}\n{example.instead}```" if example.instead else "Instead: nothing."
    return f"**Example** {place}:\n\n```{language}\n{example.wrong}```\n\n{instead}"


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    found = {}
    for name, title in TITLES.items():
        about = [section(check) for check in checks().values() if check.page == name]
        said = "Written by `uv run poe lint-pages` from the classes of the checks; see [the lint](../lint.md)."
        found[f"{name}.md"] = "\n".join([f"# {title}\n\n{said}\n", *about])
    return found


def overview(before: str) -> str:
    """Return docs/reference/lint.md with a row for each page in its table of checks."""
    rows = []
    for name, title in TITLES.items():
        listed = [f"{each.id} {each.name}" for each in checks().values() if each.page == name]
        rows.append(f"| [{title}](lint/{name}.md) | {', '.join(listed)} |\n")
    return TABLE.sub(lambda _: "".join(rows), before)


def main() -> None:
    """Write the pages and the table."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
    OVERVIEW.write_text(overview(OVERVIEW.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    print(f"{FOLDER.name}: {len(pages())} pages, {len(checks())} checks")


if __name__ == "__main__":
    main()
