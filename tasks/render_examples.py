"""Render the public example projects, one for each git host, at the highest level that its flows reach.

Each example has the default answers, except for its host and its level, and is checked by the template's own lint.
"""

import argparse
import sys
from pathlib import Path

from copier_mlops.registry import registry
from tasks.repository import ROOT, TaskError, call

NAME = "german-credit-on-{}"


def level_of(host: str) -> int:
    """Return the level of a host's example: the highest, or the last before releases if the host has no gates."""
    levels = registry("levels")
    releases = next(number for number, level in enumerate(levels) if "cd" in level["flows"])
    return len(levels) - 1 if registry("hosts")[host]["api"] else releases - 1


def answers() -> dict[str, dict[str, object]]:
    """Return the answers of each example that are not the default, by the example's name."""
    hosts = registry("hosts")
    return {NAME.format(host.replace("_", "-")): {"git_host": host, "maturity_level": level_of(host)} for host in hosts}


def render(template: str, version: str, folder: Path, given: dict[str, object]) -> None:
    """Render one example with `copier copy`, as a user does."""
    data = [part for name, value in given.items() for part in ("--data", f"{name}={value}")]
    copy = (sys.executable, "-m", "copier", "copy", "--defaults", "--quiet", "--vcs-ref", version, *data)
    call(ROOT, *copy, template, str(folder), fix="name a template and a --version of it that copier can reach")


def lint(project: Path) -> None:
    """Check an example with the template's lint."""
    command = (sys.executable, "-m", "copier_mlops", "lint", "--project", str(project))
    call(ROOT, *command, fix=f"uv run mlops lint --project {project}")


def render_examples(template: str, version: str, into: Path) -> list[Path]:
    """Render and check every example, and return their folders.

    Raises:
        TaskError: The folder is not empty or lies in this checkout, or an example cannot be rendered or has findings.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise TaskError(f"{into} is not an empty folder.", "name another folder with --into")
    if into.is_relative_to(ROOT):
        raise TaskError(f"{into} is in this checkout, whose git hides it from the lint.", "--into ../examples")
    for name, given in answers().items():
        render(template, version, into / name, given)
        lint(into / name)
    return [into / name for name in answers()]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="poe render-examples",
        description=__doc__,
        epilog="For example: uv run poe render-examples --into ../examples",
    )
    parser.add_argument("--into", type=Path, required=True, help="empty folder, for example ../examples")
    parser.add_argument("--template", default=str(ROOT), help="address of the template (default: this checkout)")
    parser.add_argument("--version", default="HEAD", help="tag or commit to render (default: HEAD)")
    options = parser.parse_args(arguments)
    try:
        for project in render_examples(options.template, options.version, options.into.resolve()):
            print(project)
    except TaskError as error:
        sys.exit(f"render-examples: {error}")


if __name__ == "__main__":
    main()
