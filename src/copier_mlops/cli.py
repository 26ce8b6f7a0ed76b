"""The command `mlops TASK`, which the `poe` tasks of a project call.

A task's module is imported when the task runs: help appears at once, and each task loads only what it needs.
"""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """A task: its name, the function that runs it, one line of help, and the extra of the package that it needs."""

    name: str
    target: str
    help: str
    extra: str = ""


_TASKS = (
    Task("setup", "setup.prepare:setup", "Prepare git, environment, data and tracking on this machine"),
    Task("doctor", "setup.prepare:doctor", "Check what setup prepares and change nothing"),
    Task("lint", "lint.cli:main", "Check that a repository is what its template promises"),
    Task("maturity", "maturity.cli:main", "Report which maturity level a repository has, with evidence"),
    Task("adopt-data", "adoption.cli:main", "Take a file of records into the project, with its contract", "data"),
    Task("from-notebook", "notebooks.cli:main", "Turn cells of a notebook into a module and a stage of dvc.yaml"),
    Task("train", "tracking.train:main", "Run the pipeline of dvc.yaml and track it in MLflow", "tracking"),
    Task("tune", "tuning.cli:main", "Search for better parameters, several trials at once if you like", "tune"),
    Task("track", "tracking.track:main", "Track the last run of the pipeline in MLflow", "tracking"),
    Task("evaluate", "reporting.evaluate:main", "Compare the candidates and the served model", "tracking"),
    Task("register", "tracking.register:main", "Register the tracked model and move its alias", "tracking"),
    Task("models", "tracking.models:main", "List the versions of the model and where each is served", "tracking"),
    Task("report", "reporting.report:main", "Write the page and the cards of the last run", "tracking"),
    Task("predict", "serving.batch:main", "Score a file of records with the registered model", "tracking"),
    Task("serve", "serving.online:main", "Serve the registered model over HTTP", "online"),
    Task("service", "serving.packaged:main", "Serve the model that is packaged in an image", "online"),
    Task("rollback", "release.rollback:main", "Bring back the version that an environment ran before", "tracking"),
    Task("push", "pipeline.dvc_cli:push", "Push data and results to the data remote"),
    Task("stage", "pipeline.cli:stage", "Run one stage in a clean copy of the repository, as an engine does"),
    Task("compile", "pipeline.cli:compile_for_engine", "Print the pipeline as the file of an engine"),
    Task("collect", "pipeline.cli:collect", "Write the results of a run whose stages ran apart into dvc.lock"),
    Task("submit", "submitting.run:main", "Run the pipeline of any DVC repository from CI, on any engine", "submit"),
    Task("announce", "submitting.announce:main", "Comment on what was submitted, and bring dvc.lock to git", "submit"),
    Task("propose", "hosts.propose:main", "Commit the results of a training and open a change request", "release"),
    Task("judge", "release.judge:main", "Decide whether the new model is better than the champion", "release"),
    Task("release", "release.promote:main", "Register the model that was judged better and approved", "release"),
    Task("package", "release.package:main", "Package the released model with everything that serves it", "release"),
    Task("deploy", "release.deploy:main", "Run the package in an environment and move its alias", "release"),
    Task("verify", "release.verify:main", "Check the answers of a deployed service", "release"),
    Task("plan", "release.environment:plan", "Show what would be created in an environment, or removed", "release"),
    Task("apply", "release.environment:apply", "Apply the approved plan", "release"),
    Task("host-setup", "hosts.setup:main", "Compare the git host with host.yaml and update it", "release"),
    Task("gate-check", "release.gate_check:main", "Wait at a gate until a person has approved", "release"),
    Task("fetch", "hosts.fetch:main", "Download the artifacts of a run on the git host", "release"),
    Task("comment", "hosts.comment:main", "Report the metrics in a comment on the change request", "release"),
    Task("login", "identity.login:main", "Log in to the cloud with the identity of this run", "release"),
    Task("monitor", "monitoring.watch:main", "Monitor production, and start a training if it is due", "release"),
    Task("template-update", "fleet.template_update:main", "Propose the newest version of the template", "release"),
)
TASKS = {task.name: task for task in _TASKS}
# Options of 0.2.0 that became tasks. A team's own CI steps may still use them.
MOVED = {("evaluate", "--release"): "judge", ("register", "--release"): "release"}


def usage() -> str:
    """Return the help text: every task with its line."""
    lines = [f"  {task.name:<16} {task.help}" for task in _TASKS]
    return "\n".join(
        [
            "usage: mlops TASK [OPTION ...]",
            "",
            "The tasks of a project that was generated from copier-mlops. In a project, type `uv run poe TASK`.",
            "For example: uv run poe setup",
            "",
            "tasks:",
            *lines,
            "",
            "options:",
            "  -h, --help       show this text; `mlops TASK --help` explains one task",
            "  --version        show the version",
        ]
    )


def version() -> str:
    """Return the version of the installed package; `0` if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("copier-mlops")
    except PackageNotFoundError:
        return "0"


def main(arguments: list[str] | None = None) -> int:
    """Run a task and return the exit code: 2 for a task that does not exist, otherwise the task's own."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"mlops {version()}")
        return 0
    task = TASKS.get(words[0])
    if task is None:
        import difflib

        near = difflib.get_close_matches(words[0], TASKS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        print(f"mlops: there is no task {words[0]!r}{hint}\n  fix: `mlops --help` lists all", file=sys.stderr)
        return 2
    for option in words[1:]:
        if now := MOVED.get((task.name, option)):
            print(f"mlops: `{task.name} {option}` is the task {now} now\n  fix: uv run poe {now}", file=sys.stderr)
            return 2
    return run(task, words[1:])


def run(task: Task, arguments: list[str]) -> int:
    """Import what a task needs, run it, and return its exit code; no error shows an address with secrets."""
    import traceback

    from copier_mlops.address import redact_logs, redacted
    from copier_mlops.collector import without_collector

    module, _, function = task.target.partition(":")
    try:
        with without_collector(f"copier_mlops.{module}"):
            target = getattr(importlib.import_module(f"copier_mlops.{module}"), function)
        redact_logs()
        return target(arguments) or 0
    except KeyboardInterrupt:
        print(f"mlops: {task.name} was interrupted", file=sys.stderr)
        return 130
    except SystemExit as error:  # its text may quote a library
        raise SystemExit(redacted(error.code) if isinstance(error.code, str) else error.code) from None
    except Exception as error:
        if library := missing_library(task, error):
            print(
                f"mlops: {task.name} needs {library}, which is not installed\n"
                f"  fix: name copier-mlops[{task.extra}] in pyproject.toml, then: uv sync",
                file=sys.stderr,
            )
        else:
            sys.stderr.write(redacted(traceback.format_exc()))
        return 1


def missing_library(task: Task, error: Exception) -> str:
    """Return the name of a library that the package could not import; it is empty for an import of the team's code."""
    import traceback

    if not task.extra or not isinstance(error, ModuleNotFoundError) or str(error.name).startswith(__package__):
        return ""
    importer = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return str(error.name) if Path(__file__).parent in importer.parents else ""


if __name__ == "__main__":
    raise SystemExit(main())
