"""Write the page, the model card and the data card of the pipeline's last run, and draw the pipeline in the README.

All of it is in files, but for the version in the model registry, which is left out while the tracking server is away.
"""

import argparse
import html
import re
import sys
import webbrowser
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from copier_mlops.project import Settings, load_settings, root
from copier_mlops.reporting import facts
from copier_mlops.tracking import lineage

TEMPLATES = {
    "build/report/index.html": "report.html.j2",
    "docs/model_card.md": "model_card.md.j2",
    "docs/data_card.md": "data_card.md.j2",
}
NOTES = ("<!-- notes:start -->", "<!-- notes:end -->")
PIPELINE = ("<!-- pipeline:start -->", "<!-- pipeline:end -->")
NO_NOTES = "\n\nNothing yet. What the team writes here stays when this file is written again.\n\n"


def registered(root: Path, settings: Settings) -> str:
    """The version of this result in the model registry, or why there is none to name."""
    from copier_mlops.tracking import models, server  # MLflow takes seconds to load, and the rest does without it

    if not (server := server.look_server()).ok:
        print(f"report: the model's version is left out: {server.text}")
        return "not known"
    versions = models.versions(server.connect(settings), settings)
    pipeline = lineage.pipeline_hash(root)
    found = [str(each.version) for each in versions if each.tags.get("pipeline") == pipeline]
    return found[-1] if found else "not registered"


def between(text: str, markers: tuple[str, str]) -> tuple[str, str, str] | None:
    """Text before, between and after two markers, which stay with the outer parts; None where they are not there."""
    before, start, rest = text.partition(markers[0])
    inside, end, after = rest.partition(markers[1])
    return (before + start, inside, end + after) if end else None


def render(root: Path, values: dict) -> dict[Path, str]:
    """The text of each file to write; a card without its markers and a README without its are not touched."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["text"] = markdown
    texts = {}
    for target, template in TEMPLATES.items():
        path, notes = root / target, NO_NOTES
        if path.suffix == ".md" and path.is_file():
            parts = between(path.read_text(encoding="utf-8"), NOTES)
            if parts is None:
                print(f"report: {target} is left alone: it has no {NOTES[0]} and {NOTES[1]}")
                continue
            notes = parts[1]
        texts[path] = environment.get_template(template).render(values, notes=NOTES[0] + notes + NOTES[1])
    return texts


def markdown(value: object) -> str:
    """Any value as text that Markdown and its HTML take for nothing else, on one line."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(" ".join(str(value).split()), quote=False))


def readme(root: Path) -> dict[Path, str]:
    """README.md with the pipeline as it is now between its markers; nothing where they are not there."""
    path = root / "README.md"
    parts = between(path.read_text(encoding="utf-8"), PIPELINE) if path.is_file() else None
    if parts is None:
        print(f"report: README.md is left alone: it has no {PIPELINE[0]} and {PIPELINE[1]}")
        return {}
    diagram = facts.run(root, sys.executable, "-m", "dvc", "dag", "--md").strip()
    return {path: f"{parts[0]}\n{diagram}\n{parts[2]}"}


def write(texts: dict[Path, str]) -> None:
    """Write every file beside its place first, so that a full disk leaves no half of a report."""
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
    parser = argparse.ArgumentParser(prog="poe report", description=__doc__)
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    options = parser.parse_args(arguments)
    facts.check_inputs(root())
    settings = load_settings()
    stale = facts.outdated(root())
    if stale:
        print(f"report: changed since the last run: {', '.join(stale)}; to report on it: uv run poe train")
    about = {"project": settings.project_name, "outdated": stale, "version": registered(root(), settings)}
    try:
        texts = render(root(), {**facts.collect(root()), **about}) | readme(root())
        write(texts)
    except KeyError as error:
        raise SystemExit(f"report: {error} is not in the results of the run\n  mend: uv run poe train") from None
    except (OSError, ValueError) as error:
        raise SystemExit(f"report: {error}") from None
    for path in texts:
        print(f"report: {path.as_uri()}")
    if options.open:
        webbrowser.open((root() / "build" / "report" / "index.html").as_uri())


if __name__ == "__main__":
    main()
