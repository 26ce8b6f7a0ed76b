"""GitHub's workflows, run by act on this machine: real order, conditions and expressions, without GitHub itself."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.pipelines.ship.result import Result, in_order
from tests.pipelines.ship.shop import Shop
from tests.project import registry

ACTIONS = Path(__file__).parent / "actions"
# What stands for each action: the runner is this machine, and artefacts are folders on it.
STANDS_FOR = {"checkout": "nothing", "keep": "keep", "take": "take", "uv": "nothing"}
OPTIONS = ["-P", "ubuntu-24.04=-self-hosted", "--action-offline-mode"]
STARTED = re.compile(r"^\[\w+/(.+?)\s*\] ⭐ Run Main Check out$", re.MULTILINE)
EXPRESSIONS = ("${{ secrets.TEMPLATE_UPDATE_TOKEN || github.token }}", "${{ github.token }}")


def readable(project: Path, token: str) -> None:
    """Write the workflows as act reads them, which has a token only where it is told one."""
    for workflow in (project / ".github" / "workflows").iterdir():
        text = workflow.read_text(encoding="utf-8")
        for expression in EXPRESSIONS:
            text = text.replace(expression, token)
        workflow.write_text(text, encoding="utf-8")


def command(event: str, flow: str) -> list[str]:
    """How act runs a flow on this machine, with what stands for each action."""
    local = []
    for name, pin in registry("hosts")["github"]["actions"].items():
        local += ["--local-repository", f"{pin['uses']}@{pin['commit']}={ACTIONS / STANDS_FOR[name]}"]
    return ["act", event, "-W", f".github/workflows/{flow}.yml", *OPTIONS, *local]


def run(shop: Shop, flow: str, store: Path) -> Result:
    """Run a flow of the last commit as if a person had started it; `store` keeps what the jobs hand over."""
    store.mkdir(parents=True, exist_ok=True)
    clone = shop.project.clone(store.with_name(f"{store.name}-clone"))
    variables = shop.variables()
    readable(clone.path, variables["HOST_TOKEN"])
    kept = {"UV_PROJECT_ENVIRONMENT": clone.environment["UV_PROJECT_ENVIRONMENT"], "STORE": str(store)}
    # act has a file of its own for what a step tells later jobs.
    given = {name: value for name, value in variables.items() if name not in ("HOST_TOKEN", "GITHUB_OUTPUT")} | kept
    environment = [part for name, value in given.items() for part in ("--env", f"{name}={value}")]
    try:
        done = subprocess.run(
            [*command("workflow_dispatch", flow), *environment],
            cwd=clone.path,
            env=clone.environment | {"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    finally:
        shutil.rmtree(clone.path)
    printed = done.stdout + done.stderr
    return Result(in_order(flow, STARTED.findall(printed)), bool(done.returncode), printed)
