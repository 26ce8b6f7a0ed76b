"""Compiled modules in uv's cache: what one environment has compiled, the environments of the projects need not.

Python compiles a module when it is first imported. Dozens of projects have environments of their own, with the same
packages, and each would compile the same thousands of modules: 10 seconds and more. uv links all files that its cache
has of a package into an environment, and Python takes a compiled module whose source has the same time and size.
"""

import csv
import functools
import os
import subprocess
import sysconfig
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path


@functools.cache
def keep_compiled(packages: Path | None = None) -> int:
    """Link the modules that Python has compiled in a site-packages folder into uv's cache; return how many are new.

    Packages that uv copied are left alone: the times of their files differ from those in the cache.
    """
    packages = packages or Path(sysconfig.get_path("purelib"))
    places = unpacked()
    return sum(
        link(packages, places[inode], about)
        for about in packages.glob("*.dist-info")
        if (about / "METADATA").is_file() and (inode := (about / "METADATA").stat().st_ino) in places
    )


def unpacked() -> dict[int, Path]:
    """Return the folders of uv's cache that hold a package, by the inode of its metadata."""
    printed = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout
    found = Path(printed.strip()).glob("archive-v*/*/*.dist-info/METADATA")
    return {file.stat().st_ino: file.parent.parent for file in found}


def link(packages: Path, place: Path, about: Path) -> int:
    """Link the compiled modules of one package; another process may do the same."""
    count = 0
    with (about / "RECORD").open(encoding="utf-8", newline="") as record:
        sources = [row[0] for row in csv.reader(record) if row[0].endswith(".py") and not row[0].startswith("..")]
    for source in sources:
        name = cache_from_source(source)
        if (packages / name).is_file() and (place / source).is_file() and not (place / name).exists():
            (place / name).parent.mkdir(exist_ok=True)
            with suppress(OSError):
                os.link(packages / name, place / name)
                count += 1
    return count
