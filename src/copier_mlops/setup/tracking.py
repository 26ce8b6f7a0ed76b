"""Check tracking: the server answers, and has the experiment of the project.

MLflow takes seconds to import. So these checks run in a separate process, in parallel to the others, and import it only
if they need it: `python -m copier_mlops.setup.tracking`.
"""

import argparse
import functools
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from copier_mlops.command import CommandError, run
from copier_mlops.project import root
from copier_mlops.settings import Settings, answered_tracking_uri, load_settings, sqlite_file
from copier_mlops.setup.checks import Check, Finding, prepare

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER = "make it, or name another: MLFLOW_TRACKING_URI, the answer tracking_uri, or an environment's settings.yaml"
# The line with which the file of an environment names its own server.
OWN = re.compile(r"^tracking_uri: *[\"']?([^\"'\s]+)", re.MULTILINE)


@functools.cache
def _ask(settings: Settings) -> "tuple[MlflowClient | None, Finding]":
    """Return a client of the tracking server if it answers, and the finding; each server is called only once."""
    from copier_mlops.tracking import server

    try:
        client = server.connect(settings)
    except server.TrackingError as error:
        said, fix, *_ = str(error).splitlines()
        return None, Finding(False, said.removeprefix("tracking: "), fix.removeprefix("  fix: "))
    return client, Finding(True, f"{settings.tracking_uri} answers")


def look_server() -> Finding:
    """Check that the tracking server answers; for a missing SQLite file, check its folder."""
    settings = load_settings()
    if (file := _absent_file(settings)) is None:
        _, found = _ask(settings)
    elif file.parent.is_dir() and os.access(file.parent, os.W_OK):
        found = Finding(True, f"{settings.tracking_uri} is created by the first training")
    else:
        found = Finding(False, f"the folder {file.parent} is not there, or cannot be written", FOLDER)
    return Finding(found.ok, found.text + _others(), found.advice)


def _absent_file(settings: Settings) -> Path | None:
    """Return the SQLite file of the settings if it does not exist yet: a call of MLflow would create it."""
    file = sqlite_file(settings.tracking_uri)
    return file if file is not None and not file.is_file() else None


def _others() -> str:
    """Return a clause that names the environments' files with a tracking_uri other than the answer."""
    answer, files = answered_tracking_uri(), []
    for file in sorted(root().glob("operation/configuration/environment_*/settings.yaml")):
        own = OWN.search(file.read_text(encoding="utf-8"))
        if own and own[1] != answer:
            files.append(file.relative_to(root()).as_posix())
    return f"; the answer is {answer}, but another one is in {', '.join(files)}" if files else ""


def look_experiment() -> Finding:
    """Check that the project's experiment exists; in a SQLite file, the first training creates it."""
    settings = load_settings()
    if _absent_file(settings):
        return Finding(True, f"{settings.experiment} is created by the first training")
    client, found = _ask(settings)
    if client is None:
        return Finding(False, "cannot be looked up, because the tracking server does not answer", found.advice)
    from copier_mlops.tracking import server

    try:
        experiment = server.experiment(client, settings)
    except server.TrackingError as error:
        return Finding.of(error, "tracking: ")
    return Finding(True, f"{experiment.name}, number {experiment.experiment_id}")


def fix_experiment() -> None:
    """Create the experiment if the server answers."""
    from copier_mlops.tracking import server

    client, _ = _ask(load_settings())
    if client is not None:
        server.fix_experiment()


CHECKS = [
    Check("tracking server", look_server, lambda: None, "tracking"),
    Check("experiment", look_experiment, fix_experiment, "tracking"),
]


def in_own_process(checks: Iterable[Check], fixes: bool) -> list[tuple[str, Finding]]:
    """Run the checks of tracking in a separate process, and fix failures if `fixes` is set.

    Returns:
        For each of the checks `ok`, `done` or `FAILED`, and its finding.
    """
    # -P: a file of the project with the name of a library must not be imported in its place.
    command = (sys.executable, "-P", "-m", "copier_mlops.setup.tracking", *(["--fix"] if fixes else []))
    try:
        said = json.loads(run(*command).splitlines()[-1])
    except (CommandError, LookupError, ValueError) as error:
        text = str(error).strip().splitlines()[-1:] or ["tracking cannot be checked"]
        return [("FAILED", Finding(False, text[0], "uv sync")) for _ in checks]
    return [(state, Finding(**finding)) for state, finding in said]


def main(arguments: list[str] | None = None) -> None:
    """Print the findings for `in_own_process`, as JSON on the last line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--fix", action="store_true", help="fix what is wrong")
    options = parser.parse_args(arguments)
    found = [prepare(check, options.fix) for check in CHECKS]
    print(json.dumps([(state, vars(finding)) for state, finding in found]))


if __name__ == "__main__":
    main()
