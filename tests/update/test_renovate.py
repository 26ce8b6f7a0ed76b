"""Renovate with the configuration of a project: it proposes what is new in the template, once, and nothing else."""

import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.package.hosts.fakes import forgejo
from tests.package.hosts.server import TOKEN, Server
from tests.pipelines.conftest import environment, installed, run_node
from tests.project import commit, copy_project, copy_template, run
from tests.update.conftest import BEFORE, NEW_MANAGED, NOW

PROGRAMS = Path("node_modules", "renovate", "dist")
BRANCH = "renovate/template"


@pytest.fixture(scope="module")
def renovate() -> Path:
    """The folder that Renovate is installed in; skips where npm cannot be reached."""
    return installed(Path(__file__).with_name("renovate"), "--omit=optional")


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    template = copy_template(tmp_path_factory.mktemp("template"))
    return copy_project(template, tmp_path_factory.mktemp("renovate") / "project", maturity_level=3) / "renovate.json"


def schema(path: Path) -> str:
    command = ["check-jsonschema", "--builtin-schema", "vendor.renovate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""


def validator(folder: Path, path: Path) -> str:
    done = run_node(folder, folder / PROGRAMS / "config-validator.js", "--strict", "--no-global", path)
    return done.stdout if done.returncode else ""


def test_the_schema_allows_the_configuration_and_would_refuse_another(config, tmp_path):
    assert not schema(config)
    wrong = tmp_path / "renovate.json"
    wrong.write_text(json.dumps(json.loads(config.read_text(encoding="utf-8")) | {"enabledManagers": "copier"}))
    assert "enabledManagers" in schema(wrong)


def test_renovate_finds_nothing_wrong_and_would_find_something(config, renovate, tmp_path):
    assert not validator(renovate, config)
    wrong = tmp_path / "renovate.json"
    wrong.write_text(config.read_text(encoding="utf-8").replace("separateMajorMinor", "separateMajor"))
    assert "separateMajor" in validator(renovate, wrong)


@pytest.fixture
def address(history, tmp_path) -> Iterator[str]:
    """Where the template is, on a server that git can read from."""
    run(tmp_path, "git", "clone", "--quiet", "--bare", str(history), "template.git")
    run(tmp_path / "template.git", "git", "update-server-info")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """The tests say what matters."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/template.git"
        server.shutdown()


def propose(folder: Path, url: str, base: Path) -> list[dict]:
    """What Renovate writes down in a run on a host at this address."""
    variables = {
        "RENOVATE_PLATFORM": "forgejo",
        "RENOVATE_ENDPOINT": f"{url}/",
        "RENOVATE_TOKEN": TOKEN,
        "RENOVATE_GIT_URL": "ssh",
        "RENOVATE_BASE_DIR": str(base),
        "RENOVATE_BINARY_SOURCE": "global",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "PATH": os.pathsep.join([environment()["PATH"], str(Path(sys.executable).parent)]),
    }
    done = run_node(folder, folder / PROGRAMS / "renovate.js", forgejo.REPOSITORY, timeout=300, **variables)
    assert not done.returncode, done.stdout[-5000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_twice_opens_one_request_and_names_the_conflict(renovate, address, tmp_path):
    project, remote = tmp_path / "project", tmp_path / "project.git"
    copy_project(address, project, BEFORE, maturity_level=3)
    ruff = project / "ruff.toml"
    text = ruff.read_text(encoding="utf-8")
    ruff.write_text(text.replace("# This comment is gone in the next version.", "# Ours."), encoding="utf-8")
    commit(project)
    run(tmp_path, "git", "clone", "--quiet", "--bare", "project", "project.git")
    with Server() as server:
        state = forgejo.install(server, remote)
        said = propose(renovate, server.url, tmp_path / "base")
        tip = run(remote, "git", "rev-parse", BRANCH)
        said += propose(renovate, server.url, tmp_path / "base")
        assert server.problems == []
    (request,) = state.pulls
    assert request["title"] == f"Update the template to {NOW}"
    assert "Renovate does not write `uv.lock`" in request["body"]
    (comment,) = state.comments
    assert "* ruff.toml" in comment
    assert run(remote, "git", "rev-parse", BRANCH) == tip
    assert NEW_MANAGED in run(remote, "git", "ls-tree", "-r", "--name-only", BRANCH)
    assert f"_commit: {NOW}" in run(remote, "git", "show", f"{BRANCH}:.copier-answers.yml")
    assert "<<<<<<<" in run(remote, "git", "show", f"{BRANCH}:ruff.toml")
    asked = {host for line in said if line["msg"] == "HTTP statistics" for host in line["hosts"]}
    assert asked == {"127.0.0.1"}, "nobody else was asked"
