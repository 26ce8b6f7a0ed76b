"""The template as somebody publishes it: in a git repository, with a tag for each version, or its wheel on an index."""

import functools
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.copied import Copier
from tests.project import TEMPLATE, commit, registry, replace, run
from tests.run.project import Project, clean_environment

VERSION = registry("tested")["version"]


def tree(folder: Path) -> Path:
    """Copy the work tree, without what git ignores."""
    listed = run(TEMPLATE, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        if not name.startswith(("tests/", "docs/")) and (TEMPLATE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATE / name, folder / name)
    return folder


def set_version(folder: Path, version: str) -> None:
    """Say that the template, and with it the package, has this version."""
    before = (folder / "extensions" / "tested.yml").read_text(encoding="utf-8").partition("\nversion: ")[2].split()[0]
    replace(folder / "pyproject.toml", f'version = "{before}"', f'version = "{version}"')
    replace(folder / "extensions" / "tested.yml", f"\nversion: {before}", f"\nversion: {version}")


def repository(folder: Path, *versions: str) -> Path:
    """Make a repository of the template that others clone, with these versions."""
    work = tree(folder / "work")
    for version in versions:
        set_version(work, version)
        run(work, "git", "tag", version, commit(work, version))
    run(folder, "git", "clone", "--quiet", "--bare", "work", "template.git")
    shutil.rmtree(work)
    return folder / "template.git"


def copied(copier: Copier, source: Path | str, path: Path, version: str = "HEAD", **answers: object) -> Project:
    """Return a project from a folder or an address, in git."""
    project = copier.at(source).copy(path, version, **answers)
    project.commit()
    return project


def wheel(folder: Path, version: str) -> Path:
    """Build the wheel of a version, and return its file."""
    work = tree(folder / f"work-{version}")
    set_version(work, version)
    command = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(folder)]
    subprocess.run(command, cwd=work, check=True, env=clean_environment())
    return next(folder.glob(f"*-{version}-*.whl"))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: the tests say what matters."""


@contextmanager
def index(folder: Path, wheels: Path) -> Iterator[str]:
    """Serve the wheels of a folder as a simple index on loopback, and return its URL. It says no upload times."""
    package = folder / "simple" / "copier-mlops"
    package.mkdir(parents=True)
    links = ""
    for each in sorted(wheels.glob("*.whl")):
        shutil.copy(each, package)
        links += f'<a href="{each.name}">{each.name}</a>\n'
    (package / "index.html").write_text(f"<!DOCTYPE html><html><body>\n{links}</body></html>\n", encoding="utf-8")
    with served(functools.partial(_Quiet, directory=folder)) as address:
        yield f"{address}/simple"


@contextmanager
def served(handler: type[BaseHTTPRequestHandler] | functools.partial) -> Iterator[str]:
    """Run a server on loopback until the block ends, and return its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
