"""Update the settings of the git host to match operation/configuration/host.yaml."""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from copier_mlops.hosts import connect
from copier_mlops.hosts.interface import HostError, Plan, Setting

FAILED = "FAILED"


@dataclass(frozen=True)
class Found:
    """A setting and the change that it needs, or why the change is unknown."""

    setting: Setting
    action: str
    text: str
    plan: Plan | None = None


def look(settings: Iterable[Setting]) -> list[Found]:
    """Compare each setting with the host; an error in one does not hide the others."""
    return [_look(setting) for setting in settings]


def _look(setting: Setting) -> Found:
    try:
        plan = setting.see()
    except HostError as error:
        return Found(setting, FAILED, _text(error))
    except (KeyError, TypeError, AttributeError) as error:
        return Found(setting, FAILED, f"the host's answer does not have the form that is documented: {error!r}")
    return Found(setting, plan.action, plan.text, plan)


def apply(found: Found) -> Found:
    """Apply the change that a setting needs."""
    if found.plan is None or found.plan.apply is None:
        return found
    try:
        found.plan.apply()
    except HostError as error:
        return Found(found.setting, FAILED, _text(error))
    except (KeyError, TypeError, AttributeError) as error:
        return Found(found.setting, FAILED, f"the host's answer does not have the form that is documented: {error!r}")
    return Found(found.setting, "done", found.text)


def show(found: Found) -> None:
    """Print one line, and the fix below it if something failed."""
    text, _, fix = found.text.partition("\n  fix: ")
    print(f"{found.action:>7} {found.setting.name}: {text}", flush=True)
    if fix:
        print(f"        -> {fix}")


def document(all_found: list[Found]) -> str:
    """Return the same for a JSON document."""
    entries = [{"name": each.setting.name, "state": each.action, "text": each.text} for each in all_found]
    return json.dumps({"ok": not _failed(all_found), "settings": entries}, indent=2, ensure_ascii=False)


def main(arguments: list[str] | None = None) -> None:
    """Compare the git host with operation/configuration/host.yaml, show the changes, ask, and apply them.

    It is safe to run this again: settings that match stay. A setting that fails does not stop the others, but the
    command then exits with 1.
    """
    parser = argparse.ArgumentParser(
        prog="poe host-setup", description=main.__doc__, epilog="For example: uv run poe host-setup --plan"
    )
    parser.add_argument("--plan", action="store_true", help="only show the changes")
    parser.add_argument("--yes", action="store_true", help="apply the changes without asking")
    parser.add_argument("--json", action="store_true", help="print one JSON document; changes nothing without --yes")
    options = parser.parse_args(arguments)
    found = look(connect().settings())
    if not options.json:
        for each in found:
            show(each)
    wanted = [each for each in found if each.plan and each.plan.apply]
    if wanted and not options.plan and (options.yes or (not options.json and _agreed(len(wanted)))):
        found = [apply(each) for each in found]
        if not options.json:
            print()
            for each in found:
                if each.action != "ok":
                    show(each)
    if options.json:
        print(document(found))
    raise SystemExit(1 if _failed(found) else 0)


def _agreed(count: int) -> bool:
    try:
        answer = input(f"\nDo these {count} things? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() in ("y", "yes"):
        return True
    print("host-setup: nothing was changed", file=sys.stderr)
    return False


def _failed(all_found: list[Found]) -> bool:
    return any(each.action == FAILED for each in all_found)


def _text(error: HostError) -> str:
    return str(error).removeprefix("host: ")


if __name__ == "__main__":
    main()
