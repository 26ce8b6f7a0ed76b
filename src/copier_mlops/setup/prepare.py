"""Prepare this machine, or report what it lacks."""

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from copier_mlops.command import CommandError, run
from copier_mlops.contract.raw import inputs, is_known
from copier_mlops.lint import kustomize
from copier_mlops.lint.check import Check as LintCheck
from copier_mlops.lint.checks.pipelines import TaskReplaced
from copier_mlops.lint.checks.starts import BranchMissing, CiUnread
from copier_mlops.lint.config import read_config, table_of
from copier_mlops.lint.finding import Finding as LintFinding
from copier_mlops.lint.project import Project
from copier_mlops.project import ADOPT, answer, has_contract, level, root
from copier_mlops.setup import checks, data, package, tracking
from copier_mlops.setup.checks import Check, Finding

# From this level on, a project has a pipeline.
PIPELINE = 2


def look_update() -> Finding:
    """Check that an update left nothing to do in a file of the team.

    It may leave a conflict, markers in an added file, rejected lines, or a path that moved.
    """
    left = listed("diff", "--name-only", "--relative", "--diff-filter=U")
    left += listed("grep", "--untracked", "-IlE", "-e", "^(<{7} before|>{7} after) updating")
    known = listed("ls-files", "--cached", "--others", "--exclude-standard")
    left += [name for name in known if name.endswith(".rej") and (root() / name).is_file()]
    if left:
        fix = "decide each place, delete the markers and the *.rej files, then: git add FILE"
        return Finding(False, f"left to decide: {', '.join(sorted(set(left)))}", fix)
    if old := kustomize.old_files(root()):
        names = ", ".join(file.relative_to(root()).as_posix() for file in old)
        text = f"{kustomize.MOVED} is {kustomize.NOW} now, and is still named in {names}"
        return Finding(False, text, kustomize.way_out(root(), old[0]))
    return Finding(True, "nothing is left to decide")


def look_tasks() -> Finding:
    """Check that no task of the team's takes the place of one of the template's, as the lint does (MLO209)."""
    if found := linted(TaskReplaced()):
        text = "; ".join(each.message for each in found)
        return Finding(False, text, "give your task another name, for example: upload in place of deploy")
    return Finding(True, "none of yours has the name of one of the template's")


def look_ci() -> Finding:
    """Check that nothing keeps CI from starting, as the lint does (MLO210, MLO211)."""
    checks = {check.id: check for check in (BranchMissing(), CiUnread())}
    for found in linted(*checks.values()):
        return Finding(False, f"{found.path} {found.message}", checks[found.check].fix)
    return Finding(True, "its files are where the host reads them, and so is the branch at which they start")


def linted(*checks: LintCheck) -> list[LintFinding]:
    """Return what checks of the lint find here, but for those that the project's settings leave out."""
    project = Project(root(), read_config(table_of(root())))
    return [found for check in checks if project.config.wants(check) for found in check.look(project)]


def listed(*command: str) -> list[str]:
    """Return the files that a git command names; none if git fails, for example without a repository."""
    try:
        return [name for name in run("git", *command, "-z").split("\0") if name]
    except CommandError:
        return []


def all_checks() -> list[Check]:
    """Return the checks of a project of this level, in the order of the output."""
    found = [Check("update", look_update, lambda: None, "files"), Check("tasks", look_tasks, lambda: None, "files")]
    behind = {"environment": [package.CHECK], "git": [Check("CI", look_ci, lambda: None, "git")] if level() else []}
    for check in [*checks.CHECKS, *data.CHECKS]:
        found += [check, *behind.get(check.name, [])]
    return found + (tracking.CHECKS if level() >= PIPELINE else [])


# The places that are checked before a place. All programs are in the virtual environment, DVC needs a repository, and a
# commit must not include a half-written file.
AFTER = {"git": ("environment",), "data": ("environment", "git"), "tracking": ("environment",)}


def run_checks(found: list[Check], fixes: bool) -> Iterator[tuple[Check, str, Finding]]:
    """Run the checks of all places in parallel, those of one place in order, and fix failures if `fixes` is set.

    Yields:
        Each check in the given order, with its state (`ok`, `done` or `FAILED`) and its last finding, as soon as those
        before it are known.
    """
    places = {place: [check for check in found if check.place == place] for place in {each.place: 0 for each in found}}
    results: dict[str, Future[tuple[str, Finding]]] = {check.name: Future() for check in found}

    def go(place: str) -> None:
        for check in (check for earlier in AFTER.get(place, ()) for check in places.get(earlier, ())):
            results[check.name].result()
        if place == "tracking":
            for check, result in zip(places[place], tracking.in_own_process(places[place], fixes), strict=True):
                results[check.name].set_result(result)
            return
        for check in places[place]:
            results[check.name].set_result(checks.prepare(check, fixes))

    with ThreadPoolExecutor(len(places)) as pool:
        for place in places:
            pool.submit(go, place)
        for check in found:
            if sys.stdout.isatty():
                print(f"      … {check.name}", end="\r", flush=True)
            yield check, *results[check.name].result()


def setup(arguments: list[str] | None = None) -> None:
    """Prepare git, environment, hooks, data remote, data, and from level 2 on tracking.

    You can run it again at any time, and should after each update of the template: it lists first what the update left
    for you to decide. A step that fails prints the reason and does not stop the others; the command then exits with 1.
    """
    argparse.ArgumentParser(
        prog="poe setup", description=setup.__doc__, epilog="For example: uv run poe setup"
    ).parse_args(arguments)
    failed, found = 0, all_checks()
    for check, state, finding in run_checks(found, fixes=True):
        failed += not finding.ok
        show(state, check, finding)
    if failed:
        raise SystemExit(f"\n{failed} of {len(found)} steps could not be done; fix them, then: uv run poe setup")
    print(f"\nReady. Next: {next_step()}")


def next_step() -> str:
    """Return the command that comes after `poe setup`: your data first, then a training, or a test below level 2."""
    if not has_contract(root(), str(answer("package_name"))):
        return ADOPT
    pipeline = root() / "dvc.yaml"
    if not pipeline.is_file():
        return "uv run poe test"
    # A climb brings a pipeline that does not know the team's data.
    unknown = [name for name in inputs(pipeline.read_text(encoding="utf-8"))[:1] if not is_known(name, root())]
    return f"{ADOPT}, since dvc.yaml reads {unknown[0]}" if unknown else "uv run poe train"


def doctor(arguments: list[str] | None = None) -> None:
    """Check everything that `poe setup` prepares, change nothing, and exit with 1 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog="poe doctor", description=doctor.__doc__, epilog="For example: uv run poe doctor --json"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    found = []
    for check, _, finding in run_checks(all_checks(), fixes=False):
        found.append((check, finding))
        if not options.json:
            show("ok" if finding.ok else "WRONG", check, finding)
    ok = all(finding.ok for _, finding in found)
    if options.json:
        checked = [{"name": check.name, **vars(finding)} for check, finding in found]
        print(json.dumps({"ok": ok, "checks": checked}, indent=2))
    raise SystemExit(0 if ok else 1)


def show(state: str, check: Check, finding: Finding) -> None:
    """Print a finding, and its fix below."""
    print(f"{state:>7} {check.name}: {finding.text}", flush=True)
    if not finding.ok:
        print(f"        -> {finding.advice}")
