"""Move the day that the template is tested on, and resolve this repository to the versions of that day.

The day is in pyproject.toml, as uv's exclude-newer, and in extensions/tested.yml, which renders it into every project.
The default is the day five days ago, because most bad versions are withdrawn within their first days.
Safe to run again: a day that is reached stays.
"""

import argparse
import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tasks.repository import ROOT, TaskError, call

PLACES = {
    "pyproject.toml": re.compile(r'^(exclude-newer = ")(\d{4}-\d\d-\d\d)(T00:00:00Z")$', re.MULTILINE),
    "extensions/tested.yml": re.compile(r'^(day: ")(\d{4}-\d\d-\d\d)(T00:00:00Z")$', re.MULTILINE),
}
REST = timedelta(days=5)


def today() -> date:
    """Return the day in UTC, uv's time zone."""
    return datetime.now(UTC).date()


def read_day(repository: Path) -> date:
    """Return the day that both files name.

    Raises:
        TaskError: A file does not name a day, or the two name different days.
    """
    days = {}
    for name, place in PLACES.items():
        found = place.search((repository / name).read_text(encoding="utf-8"))
        if not found:
            raise TaskError(f"{name} does not name the tested day.", f"git checkout origin/main -- {name}")
        days[name] = date.fromisoformat(found[2])
    one, other = days.values()
    if one != other:
        told = " and ".join(f"{day} in {name}" for name, day in days.items())
        raise TaskError(f"The tested day is {told}.", "write the same day into both files")
    return one


def resolve(repository: Path) -> None:
    """Write uv.lock again.

    Raises:
        TaskError: No versions of that day fit the bounds; the text is uv's.
    """
    call(repository, "uv", "lock", "--quiet", fix="widen the bounds that uv names, or choose another day with --to")


def move_tested_day(repository: Path, to: date | None = None) -> tuple[date, date]:
    """Write the new day into both files, resolve, and return the day before and the day after.

    Raises:
        TaskError: The day is in the future or before the present one, or uv finds no versions. Nothing has changed.
    """
    before = read_day(repository)
    if to is not None and to > today():
        raise TaskError(f"{to} has not come yet.", f"uv run poe move-tested-day --to {today()}")
    if to is not None and to < before:
        raise TaskError(f"{to} is before the tested day, {before}.", "name a later day, or none for the newest")
    after = max(before, to or today() - REST)
    if after == before:
        return before, after
    texts = {name: (repository / name).read_bytes() for name in PLACES}
    for name, place in PLACES.items():
        text = place.sub(rf"\g<1>{after}\g<3>", texts[name].decode("utf-8"), count=1)
        (repository / name).write_bytes(text.encode("utf-8"))
    try:
        resolve(repository)
    except TaskError:
        for name, content in texts.items():
            (repository / name).write_bytes(content)
        raise
    return before, after


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="poe move-tested-day",
        description=__doc__,
        epilog="For example: uv run poe move-tested-day --to 2026-11-20",
    )
    parser.add_argument("--to", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the day (default: five days ago)")
    parser.add_argument("--repository", type=Path, default=ROOT, help="repository to change (default: this one)")
    options = parser.parse_args(arguments)
    try:
        before, after = move_tested_day(options.repository, options.to)
    except TaskError as error:
        sys.exit(f"move-tested-day: {error}")
    if before == after:
        print(f"the tested day is {after} already: nothing to move")
    else:
        print(f"moved the tested day from {before} to {after}; next: uv run poe test")


if __name__ == "__main__":
    main()
