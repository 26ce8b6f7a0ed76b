"""GitLab's pipelines, run by gitlab-ci-local on this machine: real rules, needs, manual jobs and artefacts."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.pipelines.conftest import PROGRAMS
from tests.pipelines.described import described
from tests.pipelines.ship.result import Result, in_order
from tests.pipelines.ship.shop import Shop
from tests.project import replace

STANDS_IN = Path(__file__).with_name("bin")
PROGRAM = Path("node_modules") / "gitlab-ci-local" / "dist" / "index.js"
OPTIONS = ["--force-shell-executor", "--shell-isolation", "--no-artifacts-to-source", "--no-color"]
STARTED = re.compile(r"^([\w-]+) +starting shell", re.MULTILINE)


def path() -> str:
    """Where programs are: gitlab-ci-local copies by rsync, for which ours stands where there is none."""
    here = os.environ["PATH"] if shutil.which("rsync") else f"{STANDS_IN}{os.pathsep}{os.environ['PATH']}"
    return f"{PROGRAMS / 'bin'}{os.pathsep}{here}"


def runner(node: Callable[..., subprocess.CompletedProcess], approved: set[str]):
    """A function that runs a flow, in which somebody starts the manual jobs of `approved`."""

    def run(shop: Shop, flow: str, store: Path) -> Result:
        """Run a flow of the last commit; `store` keeps what the jobs hand over."""
        store.mkdir(parents=True)
        folder = store.with_name(f"{store.name}-clone")
        folder.mkdir()
        shop.project.run(f"git clone --quiet --bare . {folder / 'remote.git'}")
        shop.project.run(f"git clone --quiet {folder / 'remote.git'} {folder / 'clone'}")
        # gitlab-ci-local gives `after_script` a fresh folder, and keeps the artifacts of that one.
        replace(folder / "clone" / ".gitlab-ci.yml", "  after_script: [uv cache prune --ci]\n", "")
        variables = shop.variables() | {"FLOW": flow, "CI_PIPELINE_SOURCE": "web"}
        del variables["CI_ENVIRONMENT_NAME"], variables["CI"]
        variables["UV_PROJECT_ENVIRONMENT"] = shop.project.environment["UV_PROJECT_ENVIRONMENT"]
        given = [text for name, value in variables.items() for text in ("--variable", f"{name}={value}")]
        manual = [text for job in approved for text in ("--manual", job)]
        ignored = ["--ignore-predefined-vars", ",".join(variables)]
        home = ["--home", str(folder / "home")]
        command = [Path(node.args[0]) / PROGRAM, *OPTIONS, *home, *given, *ignored, *manual]
        done = node(*command, cwd=folder / "clone", timeout=600, PATH=path())
        kept = folder / "clone" / ".gitlab-ci-local" / "artifacts"
        for job in kept.iterdir() if kept.is_dir() else []:
            for left in (job / "build").iterdir():
                shutil.copytree(left, store / left.name, dirs_exist_ok=True)
        # GitLab knows a job by its id alone.
        names = {id_: job.name for id_, job in described(3)[flow].jobs.items()}
        started = in_order(flow, (names[id_] for id_ in STARTED.findall(done.stdout)))
        proposed = "training-results/*"
        shop.project.run(f"git fetch --quiet {folder / 'remote.git'} +refs/heads/{proposed}:refs/heads/{proposed}")
        return Result(started, bool(done.returncode), done.stdout + done.stderr)

    return run
