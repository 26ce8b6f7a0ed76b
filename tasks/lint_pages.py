"""Write docs/lint from the registry of the lint's checks, a page for each first digit: `uv run poe lint-pages`."""

from pathlib import Path

from copier_mlops.lint.registry import Check, checks

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "lint"
TITLES = {
    "itself": "What the lint could not check",
    "leftovers": "What an update left behind",
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


def section(check: Check) -> str:
    """Return the section of a check on its page."""
    marks = [check.severity]
    marks += [f"only with `{check.needs}`"] if check.needs else []
    marks += ["`--fix`"] if check.fixes_itself else []
    head = f"## {check.id} {check.name}\n\n*{', '.join(marks)}*"
    return f"{head}\n\n**Finds.** {check.finds}\n\n**Why.** {check.why}\n\n**Fix.** {check.fix}\n"


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    found = {}
    for name, title in TITLES.items():
        about = [section(check) for check in checks().values() if check.page == name]
        said = "Written by `uv run poe lint-pages` from the registry of the checks; see [the lint](../lint.md)."
        found[f"{name}.md"] = "\n".join([f"# {title}\n\n{said}\n", *about])
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{FOLDER.name}: {len(pages())} pages, {len(checks())} checks")


if __name__ == "__main__":
    main()
