"""A project that is installed needs no network: each of its tasks is run without any."""

import shutil
import tomllib

from tests.run.project import request
from tests.run.published import copied, repository

VERSION = "900.0.0"
# A proxy that nobody answers at: whatever asks for another machine fails at once.
NOWHERE = "http://127.0.0.1:9"
CUT = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE) | {
    "UV_OFFLINE": "1",
    "NO_PROXY": "127.0.0.1,localhost",
}
# What a task needs to be told.
OPTIONS = {
    "adopt-data": "data/raw/german_credit.csv --target credit_risk",
    "from-notebook": "--help",
    "predict": "--data operation/tests/sample.csv --out build/scored.csv",
}
# What asks the template, what runs until one ends it, and what runs nothing but other tasks.
NOT_HERE = {"serve", "drift", "ci"}
# What a project with one version of its model refuses, and what needs a library that a search installs.
NOT_YET = {"rollback", "tune"}


def test_an_installed_project_needs_no_network(copier, tmp_path, port):
    template = repository(tmp_path / "published", VERSION)
    project = copied(copier, template.as_uri(), tmp_path / "project", VERSION)
    project.run("uv run poe setup")
    project.commit()
    shutil.move(template, tmp_path / "moved.git")
    shutil.rmtree(project.path / ".venv")
    project.run("uv sync --frozen", **CUT)
    project.run("uv lock --check", **CUT)
    tasks = tomllib.loads(project.text("poe_tasks.toml"))["tasks"].keys() - NOT_HERE
    first = ["train", "register"]
    for task in [*first, *sorted(tasks - {*first})]:
        project.run(f"uv run poe {task} {OPTIONS.get(task, '')}", fails=task in NOT_YET, **CUT)
    url = f"http://127.0.0.1:{port}"
    with project.serve("uv run poe serve", f"{url}/health", OPERATION_PORT=str(port), **CUT):
        assert request(f"{url}/health")[0] == 200
