"""Prepare this machine, or say what is wrong with it."""

import argparse
import json
import sys

from copier_mlops.command import CommandError, run
from copier_mlops.project import level, root
from copier_mlops.setup import checks

# From this level on, a project has a pipeline.
PIPELINE = 2


def look_update() -> checks.Finding:
    """Whether an update left a file to decide on: in conflict, with markers although it was added, or rejected."""
    left = listed("diff", "--name-only", "--relative", "--diff-filter=U")
    left += listed("grep", "--untracked", "-IlE", "-e", "^(<{7} before|>{7} after) updating")
    known = listed("ls-files", "--cached", "--others", "--exclude-standard")
    left += [name for name in known if name.endswith(".rej") and (root() / name).is_file()]
    if left:
        mend = "decide each place, delete the markers and the *.rej files, then: git add FILE"
        return checks.Finding(False, f"left to decide: {', '.join(sorted(set(left)))}", mend)
    return checks.Finding(True, "nothing is left to decide")


def listed(*command: str) -> list[str]:
    """The files that a git command names; git ends with an error where there are none, or no repository yet."""
    try:
        return [name for name in run("git", *command, "-z").split("\0") if name]
    except CommandError:
        return []


def all_checks() -> list[checks.Check]:
    """Return what a project of its level needs, in the order in which it is looked at."""
    found = [checks.Check("update", look_update, lambda: None), *checks.CHECKS]
    if level() >= PIPELINE:
        from copier_mlops.tracking import server  # MLflow takes seconds to import

        found += server.CHECKS
    return found


def prepare(check: checks.Check) -> tuple[str, checks.Finding]:
    """Look, mend what is wrong, and look again.

    Returns:
        What happened (`ok`, `done` or `FAILED`), and the last finding.
    """
    finding = check.look()
    if finding.ok:
        return "ok", finding
    try:
        check.mend()
    except (Exception, SystemExit) as error:  # one step that fails must not stop the others
        return "FAILED", checks.Finding(False, f"{finding.text}; {error}", finding.advice)
    finding = check.look()
    return "done" if finding.ok else "FAILED", finding


def setup(arguments: list[str] | None = None) -> None:
    """Prepare git, environment, hooks, data remote, data, and from level 2 on tracking.

    Safe to run again at any time, and to be run after each update of the template: what that left to decide is named
    first. A step that cannot be done says why and leaves the others alone; the command then ends with 1.
    """
    argparse.ArgumentParser(prog="poe setup", description=setup.__doc__).parse_args(arguments)
    failed, found = 0, all_checks()
    for check in found:
        if sys.stdout.isatty():
            print(f"      … {check.name}", end="\r", flush=True)
        state, finding = prepare(check)
        failed += not finding.ok
        show(state, check, finding)
    if failed:
        raise SystemExit(f"\n{failed} of {len(found)} steps could not be done; mend them, then: uv run poe setup")
    print(f"\nReady. Next: uv run poe {'train' if level() >= PIPELINE else 'test'}")


def doctor(arguments: list[str] | None = None) -> None:
    """Look at all that `poe setup` prepares, change nothing, and end with 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="poe doctor", description=doctor.__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    found = [(check, check.look()) for check in all_checks()]
    ok = all(finding.ok for _, finding in found)
    if options.json:
        checked = [{"name": check.name, **vars(finding)} for check, finding in found]
        print(json.dumps({"ok": ok, "checks": checked}, indent=2))
    else:
        for check, finding in found:
            show("ok" if finding.ok else "WRONG", check, finding)
    raise SystemExit(0 if ok else 1)


def show(state: str, check: checks.Check, finding: checks.Finding) -> None:
    """Print a finding, and below it the command that mends it."""
    print(f"{state:>7} {check.name}: {finding.text}", flush=True)
    if not finding.ok:
        print(f"        -> {finding.advice}")
