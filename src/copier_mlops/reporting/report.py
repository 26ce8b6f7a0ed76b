"""Write the page, the model card and the data card of the pipeline's last run, and draw the pipeline in the README.

Only the registered version and the served model need the tracking server; they are left out if it does not answer. The
template of the page is in this package. Those of the cards are in the project's docs/cards, where you may change them.
"""

import argparse
import html
import re
import sys
import traceback
import webbrowser
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateSyntaxError, select_autoescape
from jinja2.sandbox import SandboxedEnvironment

from copier_mlops.command import CommandError, run
from copier_mlops.project import root
from copier_mlops.reporting import facts, tracked
from copier_mlops.reporting.tracked import Tracked
from copier_mlops.settings import Settings, load_settings

PAGE = "build/report/index.html"
PAGE_TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"
CARDS = Path("docs", "cards")
CARD_TEMPLATES = {"docs/model_card.md": "model_card.md.j2", "docs/data_card.md": "data_card.md.j2"}
NOTES = ("<!-- notes:start -->", "<!-- notes:end -->")
PIPELINE = ("<!-- pipeline:start -->", "<!-- pipeline:end -->")
# From here on, decimals hide how large a number is.
LARGE = 1_000
NO_NOTES = "\n\nNothing yet. Your text here stays when this file is written again.\n\n"


def between(text: str, markers: tuple[str, str]) -> tuple[str, str, str] | None:
    """Return the text before, between and after two markers, or None without them; the outer parts keep the markers."""
    before, start, rest = text.partition(markers[0])
    inside, end, after = rest.partition(markers[1])
    return (before + start, inside, end + after) if end else None


def render(folder: Path, values: dict[str, Any]) -> dict[Path, str]:
    """Return the text of the page and of each card, by its file.

    A card keeps the notes between its markers. A file without markers is not changed; a card without a template is left
    out.

    Raises:
        SystemExit: A template is wrong; the text names file and line.
    """
    texts: dict[Path, str] = {}
    for target, name in CARD_TEMPLATES.items():
        path, template, notes = folder / target, folder / CARDS / name, NO_NOTES
        if not template.is_file():
            print(f"report: {target} is left out: there is no {(CARDS / name).as_posix()}")
            continue
        if path.is_file():
            parts = between(path.read_text(encoding="utf-8"), NOTES)
            if parts is None:
                print(f"report: {target} is left alone: it has no {NOTES[0]} and {NOTES[1]}")
                continue
            notes = parts[1]
        texts[path] = fill(template, folder, {**values, "notes": NOTES[0] + notes + NOTES[1]})
    # The page links to the cards that are there.
    cards = [target for target in CARD_TEMPLATES if folder / target in texts or (folder / target).is_file()]
    return {folder / PAGE: fill(PAGE_TEMPLATE, folder, {**values, "cards": cards}), **texts}


def fill(template: Path, folder: Path, values: dict[str, Any]) -> str:
    """Return the text of one template.

    Args:
        template: The file; it may include others of its folder.
        folder: The project; errors name files relative to it.
        values: The values that the template may use.

    Raises:
        SystemExit: The template cannot be read, is not Jinja, uses an unknown value or fails; the text names the line.
    """
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(template.parent),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": code, "number": number, "text": markdown}
    try:
        return environment.get_template(template.name).render(values)
    except Exception as error:  # an expression of a template can raise anything
        file, line = _place(template, error)
        name = file.relative_to(folder).as_posix() if folder in file.parents else file.name
        reason = " ".join(str(error).split()) or type(error).__name__
        fix = f"correct {name}, then: uv run poe report"
        raise SystemExit(f"report: {name}{line and f', line {line}'}: {reason}\n  fix: {fix}") from None


def _place(template: Path, error: Exception) -> tuple[Path, int | str]:
    """Return the template in which rendering failed, which may be an included one, and the line."""
    if isinstance(error, TemplateSyntaxError):
        return Path(error.filename or template), error.lineno
    frames = [(Path(frame.filename), frame.lineno or "") for frame in traceback.extract_tb(error.__traceback__)]
    return next(((file, line) for file, line in reversed(frames) if file.parent == template.parent), (template, ""))


def number(value: float | None, places: int = 4) -> str:
    """Return a number with so many decimals, or with one if it is large; a dash if it is None."""
    if value is None:
        return "–"
    text = f"{value:,.1f}" if abs(value) >= LARGE else f"{value:.{places}f}"
    return text.replace("-", "−")


def code(value: object) -> str:
    """Return any value as code on one line, for Markdown and its tables; a backtick in it takes a longer fence."""
    text = " ".join(str(value).split()).replace("|", "\\|")
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def markdown(value: object) -> str:
    """Return any value as text on one line, escaped for Markdown and its HTML."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(" ".join(str(value).split()), quote=False))


def about(settings: Settings, found: Tracked, outdated: list[str]) -> dict[str, Any]:
    """Return the values of the templates that are not in the files of the run.

    Args:
        settings: Those of the environment.
        found: What its tracking server knows.
        outdated: The stages that changed since the run.
    """
    return {
        "environment": settings.environment,
        "outdated": outdated,
        "project": settings.project_name,
        "tracked": found,
        "version": found.version,
    }


def readme(folder: Path) -> dict[Path, str]:
    """Return README.md with the current pipeline between its markers; nothing without them.

    Raises:
        CommandError: DVC cannot read the pipeline.
    """
    path = folder / "README.md"
    parts = between(path.read_text(encoding="utf-8"), PIPELINE) if path.is_file() else None
    if parts is None:
        print(f"report: README.md is left alone: it has no {PIPELINE[0]} and {PIPELINE[1]}")
        return {}
    diagram = run(sys.executable, "-m", "dvc", "dag", "--md", cwd=folder)
    return {path: f"{parts[0]}\n{diagram}\n{parts[2]}"}


def write(texts: dict[Path, str]) -> None:
    """Write all files under temporary names first, so that a full disk cannot leave half a report."""
    drafts = {path.with_name(f".{path.name}.draft"): path for path in texts}
    try:
        for draft, path in drafts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(texts[path], encoding="utf-8", newline="\n")
        for draft, path in drafts.items():
            draft.replace(path)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> None:
    """Write the report of the last run.

    Raises:
        SystemExit: The run is incomplete, a template is wrong, or a file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="poe report", description=__doc__, epilog="For example: uv run poe report --open"
    )
    parser.add_argument("--open", action="store_true", help="open the page in your browser")
    options = parser.parse_args(arguments)
    folder = root()
    facts.check_inputs(folder)
    settings = load_settings()
    try:
        stale = facts.outdated(folder)
        if stale:
            print(f"report: changed since the last run: {', '.join(stale)}; to report on it: uv run poe train")
        found = tracked.ask(folder, settings)
        if found.reason:
            print(f"report: the registered version and the served model are left out: {found.reason}")
        values = facts.collect(folder)
        for sentence in values["left_out"]:
            print(f"report: {sentence}\n  fix: uv run dvc pull, uv run poe train, or correct `plots` of dvc.yaml")
        texts = render(folder, values | about(settings, found, stale)) | readme(folder)
        write(texts)
    except (CommandError, OSError, ValueError) as error:
        raise SystemExit(f"report: {error}") from None
    for path in texts:
        print(f"report: {path.as_uri()}")
    if options.open:
        webbrowser.open((folder / PAGE).as_uri())


if __name__ == "__main__":
    main()
