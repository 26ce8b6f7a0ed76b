"""Benchmark `project`: from an empty folder to a stored model, beside Kedro's `spaceflights-pandas` starter.

Kedro has no registry: its run ends with a versioned model file, which is what `register` is held against.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from copier_mlops.registry import registry

from . import measure

# On the way to 1.0.
GOAL = 1.6
STARTERS = "kedro-starters"
URL = "https://github.com/kedro-org/kedro-starters"
STARTER = "spaceflights-pandas"
# Resolved on the tested day. A rendered starter requires the same Kedro that rendered it.
KEDRO = "kedro>=1.2,<2"
SECONDS_TO_REACH_GITHUB = 5

# What is compared with what; `total` is of the whole way.
GENERATE = "generate: copier copy | kedro new"
INSTALL = "install: poe setup | uv pip install"
TRAIN = "train: poe train | kedro run"
REGISTER = "register: poe register | -"
TOTAL = "total"


class NotMeasuredError(RuntimeError):
    """A peer cannot be measured on this machine; the text says why."""


def compare(workspace: Path, runs: int, peers: dict[str, Path]) -> measure.Comparison:
    """Walk the whole way on each side in turn, first once without measuring, so that uv's cache is warm for both."""
    sides: dict[str, Callable[[Path], dict[str, float]]] = {"this template": _ours(workspace)}
    reasons = {}
    try:
        sides["Kedro"] = _kedro(workspace, peers.get(STARTERS))
    except NotMeasuredError as error:
        reasons["Kedro"] = str(error)

    turns = {name: partial(walked, walk, workspace / "walked") for name, walk in sides.items()}
    ours, *others = measure.in_turn("project", turns, runs)
    kedro = others[0] if others else measure.Side("Kedro", not_measured=reasons["Kedro"])
    return measure.Comparison(
        name="project",
        about=f"empty folder to stored model, warm cache of uv, Kedro's starter {STARTER}, median of {runs}",
        unit="s",
        ours=ours,
        peers=[kedro],
        goals=[measure.Goal("ratio to Kedro, total", GOAL, measure.ratio(ours, kedro, TOTAL))],
    )


def walked(walk: Callable[[Path], dict[str, float]], folder: Path) -> dict[str, float]:
    """Seconds of each step of one way, and of the whole; what it made is then deleted."""
    folder.mkdir()
    seconds = walk(folder)
    shutil.rmtree(folder)
    return seconds | {TOTAL: sum(seconds.values())}


def _ours(workspace: Path) -> Callable[[Path], dict[str, float]]:
    template = measure.clean_template(workspace, with_package=True)

    def walk(folder: Path) -> dict[str, float]:
        project = folder / "project"
        seconds = {GENERATE: measure.copy(template, project)}
        for row, task in ((INSTALL, "setup"), (TRAIN, "train"), (REGISTER, "register")):
            measure.note(f"project: poe {task}")
            seconds[row] = measure.run("uv", "run", "poe", task, cwd=project)
        return seconds

    return walk


def _kedro(workspace: Path, starters: Path | None) -> Callable[[Path], dict[str, float]]:
    """Get the starter and Kedro itself, as this template's side already has its template and copier.

    Raises:
        NotMeasuredError: There is no starter to be had.
    """
    starter = _checkout(workspace, starters) / STARTER
    if not starter.is_dir():
        raise NotMeasuredError(f"no folder {STARTER} in {STARTERS}")
    python, day = _tested()
    measure.note(f"project: install {KEDRO}")
    tool = workspace / "kedro"
    measure.run("uv", "venv", "--python", python, tool, cwd=workspace)
    measure.run("uv", "pip", "install", "--python", tool, KEDRO, cwd=workspace, UV_EXCLUDE_NEWER=day)

    def walk(folder: Path) -> dict[str, float]:
        measure.note("project: kedro new")
        new = ("new", "--starter", starter, "--name", "Spaceflights", "--telemetry", "no")
        seconds = {GENERATE: measure.run(measure.script(tool, "kedro"), *new, cwd=folder)}
        project, environment = folder / "spaceflights", folder / "spaceflights" / ".venv"
        measure.note("project: uv venv, uv pip install")
        requirements = ("install", "--python", environment, "-r", "requirements.txt")
        seconds[INSTALL] = measure.run("uv", "venv", "--python", python, environment, cwd=project)
        seconds[INSTALL] += measure.run("uv", "pip", *requirements, cwd=project, UV_EXCLUDE_NEWER=day)
        measure.note("project: kedro run")
        seconds[TRAIN] = measure.run(measure.script(environment, "kedro"), "run", cwd=project)
        return seconds

    return walk


def _checkout(workspace: Path, starters: Path | None) -> Path:
    """The folder of the starters' files: as given, or cloned from the given git directory or from GitHub."""
    if starters and (starters / STARTER).is_dir():
        return starters
    source = str(starters or URL)
    if starters is None:
        measure.note(f"project: look for {URL}")
        asked = ["git", "ls-remote", "--exit-code", URL, "HEAD"]
        try:
            environment = os.environ | measure.ADDED
            subprocess.run(asked, env=environment, capture_output=True, check=True, timeout=SECONDS_TO_REACH_GITHUB)
        except (OSError, subprocess.SubprocessError):
            raise NotMeasuredError(f"{URL} cannot be reached; name a copy: --peer {STARTERS}=PATH") from None
    target = workspace / STARTERS
    measure.run("git", "clone", "--quiet", "--depth", "1", _as_url(source), target, cwd=workspace)
    return target


def _as_url(source: str) -> str:
    # git ignores --depth for a plain path.
    return source if "://" in source else Path(source).resolve().as_uri()


def _tested() -> tuple[str, str]:
    """The Python and the day of the default project: a peer gets the same."""
    return registry("copier")["python_version"]["default"], registry("tested")["day"]
