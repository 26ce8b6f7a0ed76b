"""Run the pipeline of any repository of DVC from CI: `mlops submit`, and `mlops announce` for what came of it.

`submit` runs the code of the repository, so it gets no token of the git host. `announce` gets one, and runs no stage.
A repository that the template did not render has no answers; `accept()` gives it some.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from copier_mlops.project import accept_any_repository, is_rendered
from copier_mlops.registry import registry

# DVC keeps this folder out of git.
FILE = Path(".dvc", "tmp", "mlops-submitted.json")
# A variable that only this host's runners set. Forgejo sets that of GitHub as well, so it comes first.
RUNNERS = {
    "FORGEJO_ACTIONS": "forgejo",
    "GITEA_ACTIONS": "forgejo",
    "GITHUB_ACTIONS": "github",
    "GITLAB_CI": "gitlab",
    "TF_BUILD": "azure_devops",
    "BITBUCKET_BUILD_NUMBER": "bitbucket",
}
# Files that name what a repository needs.
NEEDS = ("uv.lock", "pyproject.toml", "requirements*.txt", "*requirements.txt", "environment*.y*ml")
# The words of messages that are of a rendered project, and what they are elsewhere.
ELSEWHERE = (
    (r"^(train|propose): ", "submit: "),
    (r"uv run poe doctor", "dvc doctor, and dvc pull"),
    (r"uv run poe train --engine", "mlops submit --engine"),
    (r"uv run poe train, then uv run poe propose", "run the workflow again"),
    (r"uv run poe propose", "run the workflow again"),
    (r"uv run poe train", "dvc repro"),
    (r"uv run (dvc|mlops)", r"\1"),
)


@dataclass(frozen=True)
class Submitted:
    """A run of the pipeline that CI has submitted, and how it ended.

    Attributes:
        engine: The engine, for example `slurm`.
        run: The name of the run, for example `nightly-7`.
        commit: The commit whose code ran.
        place: Where the engine has the run; empty for `local`.
        code: The exit code.
        reason: Why it did not start; empty if it did.
    """

    engine: str
    run: str
    commit: str
    place: str
    code: int
    reason: str = ""

    @property
    def link(self) -> str:
        """The web address of the run at its engine; empty if it has none."""
        found = re.search(r"https?://[^\s,;)]+", self.place)
        return found[0] if found else ""

    def write(self, root: Path) -> None:
        """Write it for `mlops announce`."""
        (root / FILE).parent.mkdir(parents=True, exist_ok=True)
        (root / FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, root: Path) -> Submitted:
        """Return what was submitted last.

        Raises:
            SystemExit: Nothing was.
        """
        try:
            return cls(**json.loads((root / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            text = f"announce: {FILE.as_posix()} does not say what was submitted\n  fix: mlops submit --engine local"
            raise SystemExit(text) from None


def accept() -> None:
    """Let this process work in any repository of DVC."""
    accept_any_repository(_answers)


def add_project(parser: argparse.ArgumentParser) -> None:
    """Give a task the option that names the folder of the repository."""
    parser.add_argument("--project", metavar="FOLDER", default=".", help="the folder with .dvc (default: this one)")


def enter(folder: str) -> None:
    """Let this process work in a folder of any repository of DVC.

    Raises:
        SystemExit: It is not a folder.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise SystemExit(f"mlops: {folder} is not a folder: {error.strerror}\n  fix: --project models") from None
    accept()


def check_engine(root: Path, engine: str) -> None:
    """Refuse an engine whose machines would not find `mlops stage` in the environment of the repository.

    Raises:
        SystemExit: The repository does not name the package.
    """
    if engine == "local" or is_rendered():
        return
    files = [file for pattern in NEEDS for file in root.glob(pattern) if file.is_file()]
    if not any("copier-mlops" in file.read_text(encoding="utf-8", errors="replace") for file in files):
        raise SystemExit(
            f"submit: the machines of {engine} start `mlops stage`, and no requirement here names copier-mlops\n"
            f"  fix: uv add 'copier-mlops[submit]', or take the engine local"
        )


def here(text: str) -> str:
    """Return a message in the words of this repository, if the template did not render it."""
    if is_rendered():
        return text
    for pattern, instead in ELSEWHERE:
        text = re.sub(pattern, instead, text)
    return text


def _answers(root: Path) -> dict[str, Any]:
    """Return answers for a repository that has none: each engine, and the host on whose runner this process is."""
    host = next((name for variable, name in RUNNERS.items() if os.environ.get(variable)), next(iter(registry("hosts"))))
    return {"package_name": root.resolve().name, "engines": list(registry("engines")), "git_host": host}
