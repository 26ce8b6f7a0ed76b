"""Projects rendered in this process, in the words of a user, and the patterns that say whose a file is."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import copier
import yaml
from copier._template import load_template_config
from pathspec import PathSpec

from tests import quick  # noqa: F401

TEMPLATE = Path(__file__).resolve().parents[1]
PARTS = ("copier.yml", "extensions", "template")
ANSWERS = ".copier-answers.yml"


def copy_template(folder: Path) -> Path:
    """The work tree's template without its git history, which makes renders quick."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        source, target = TEMPLATE / name, folder / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return folder


def copy_project(template: Path, path: Path, version: str | None = None, **answers: object) -> Path:
    """`copier copy --defaults` without --trust and without the settings of this machine."""
    options = {"defaults": True, "quiet": True, "unsafe": False, "settings": copier.Settings()}
    copier.run_copy(str(template), path, data=answers, vcs_ref=version, **options)
    return path


def update_project(path: Path, version: str | None = None, **answers: object) -> Path:
    """`copier update --defaults` without --trust and without the settings of this machine."""
    options = {"defaults": True, "overwrite": True, "quiet": True, "unsafe": False, "settings": copier.Settings()}
    copier.run_update(path, data=answers, vcs_ref=version, **options)
    return path


def run(path: Path, *command: str) -> str:
    """What a command prints in a folder; that it succeeds is part of the test."""
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, encoding="utf-8", check=False)
    assert not done.returncode, f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def commit(path: Path, message: str = "Work") -> str:
    """Commit all there is, in a repository that is made where there is none, and return the commit's hash."""
    if not (path / ".git").exists():
        run(path, "git", "init", "--quiet", "--initial-branch", "main")
    run(path, "git", "add", "--all")
    run(path, "git", "commit", "--quiet", "--no-verify", "--allow-empty", "--message", message)
    return run(path, "git", "rev-parse", "HEAD").strip()


def files(path: Path) -> dict[str, bytes]:
    """Every file of a project and its content, sorted by path; what is git's own is left out."""
    found = sorted(each for each in path.rglob("*") if each.is_file())
    contents = {each.relative_to(path).as_posix(): each.read_bytes() for each in found}
    return {name: content for name, content in contents.items() if not name.startswith(".git/")}


def replace(path: Path, before: str, after: str) -> None:
    """Replace a text in a file where it stands first; that it stands there is part of the test."""
    text = path.read_text(encoding="utf-8")
    assert before in text, path
    path.write_text(text.replace(before, after, 1), encoding="utf-8", newline="\n")


def answers_of(path: Path) -> dict[str, object]:
    """The answers file of a project."""
    return yaml.safe_load((path / ANSWERS).read_text(encoding="utf-8"))


def registry(name: str, template: Path = TEMPLATE) -> object:
    """A registry of extensions/."""
    return yaml.safe_load((template / "extensions" / f"{name}.yml").read_text(encoding="utf-8"))


def interview(template: Path = TEMPLATE) -> dict[str, Any]:
    """Return copier.yml as copier reads it: questions, computed answers, and settings with an underscore."""
    return load_template_config(template / "copier.yml")


def team_files(template: Path = TEMPLATE) -> list[list[str]]:
    """Return the patterns of the team's files, a list for each level."""
    return list(yaml.safe_load_all((template / "extensions" / "yours.yml").read_text(encoding="utf-8")))


def matches(patterns: Iterable[str]) -> PathSpec:
    """Patterns as copier and git read them."""
    return PathSpec.from_lines("gitignore", patterns)
