"""Share what Python compiled for the tests with the environments of projects."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path


def share(environment: Path) -> None:
    """Make a virtual environment, if there is none, that has the bytecode of the packages that the tests imported.

    uv installs the packages into it. Python reads bytecode only if size and time of its source are those of the file
    that it was compiled from, which uv links from its cache; else it compiles the source, as without this.
    """
    if environment.exists():
        return
    command = ["uv", "venv", "--quiet", "--no-project", "--python", sys.executable, str(environment)]
    subprocess.run(command, check=True)
    source = Path(sysconfig.get_path("purelib"))
    target = environment / source.relative_to(sys.prefix)
    for file in source.rglob("*.pyc"):
        linked = target / file.relative_to(source)
        linked.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, linked)
        except OSError:  # another file system
            shutil.copy(file, linked)
