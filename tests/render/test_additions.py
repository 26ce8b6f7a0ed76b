"""What somebody adds to the registries works with no other change than the files that docs/contributing.md counts."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from copier_mlops.release.runner import MACHINES
from tests.project import TEMPLATE, commit, copy_project, copy_template, files, replace

HOST = """

sourcehut:
  name: SourceHut
  paths: [/.build.yml]
  release: []
  api: false
  flow: ""
"""
RENDERER = '''"""The flow `ci` as a build of SourceHut."""

from extensions.hosts.document import text_of
from extensions.hosts.flows import Answers, flows_of


def files(answers: Answers) -> dict[str, str]:
    """Return the files of a project by their paths."""
    steps = flows_of(answers)["ci"].jobs["ci"].steps
    tasks = [{each.run: f"uv run poe {each.run}"} for each in steps]
    return {".build.yml": text_of({"image": "debian/stable", "tasks": tasks})}
'''
ANSWER = """on_sourcehut:
  <<: *condition
  default: "{{ '.' if git_host == 'sourcehut' and from_level_1 else '' }}"

on_forgejo:"""
CONDITION = """runs_on_somewhere:
  <<: *condition
  default: "{{ '.' if from_level_2 and 'somewhere' in engines else '' }}"

runs_on_slurm:"""
REMOTE = """

oss:
  dvc: dvc[oss]
  example: oss://bucket/path
  endpoint: {option: oss_endpoint}
  secrets: {OSS_ACCESS_KEY_ID: "", OSS_ACCESS_KEY_SECRET: ""}
  credentials: set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET
"""
ENVIRONMENT = """

- name: trial
  means: a trial of somebody's
  alias: trial
  bind: 127.0.0.1
  port: 8002
  url: http://127.0.0.1:8002
  replicas: 1
"""

GATE = """

rehearsal:
  document: {job: package, name: package}
  verdicts:
    - {job: package, name: package, key: released}
  bitbucket: Staging
"""
CHECK = '''


class TodoLeft(Check):
    """A text with a note of somebody."""

    id = "MLO103"
    name = "todo-left"
    page = "leftovers"
    finds = "A line that says TODO."
    why = "Nobody does it."
    fix = "Do it."
    example = Example("README.md", "TODO\\n", "done\\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Search all texts."""
        for path, content in project.texts(".md"):
            if b"TODO" in content:
                yield self.found(path, 0, "says TODO")
'''


ENGINE = """

somewhere:
  name: Somebody's machines
"""
ADAPTER = '''"""The engine `somewhere`: it prints the commands of the stages, in their order."""

from copier_mlops.pipeline.engines import EngineError
from copier_mlops.pipeline.plan import Plan


def compile(plan: Plan) -> str:
    """Return a line for each stage."""
    return "".join(f"{' '.join(plan.command(node))}\\n" for node in plan.nodes)


def submit(plan: Plan) -> None:
    """Refuse the run."""
    raise EngineError(f"somewhere is full: {len(plan.nodes)} stages")
'''


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A template of one's own, to which things are added."""
    return copy_template(tmp_path / "template")


@pytest.fixture
def package(checkout) -> Path:
    """The package of that template, with its docs."""
    for name in ("docs", "src", "tasks"):
        shutil.copytree(TEMPLATE / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    return checkout


@pytest.fixture
def touched(checkout) -> Callable[[], set[str]]:
    """Which files of the checkout somebody wrote or changed by now."""

    def written() -> dict[str, bytes]:
        return {path: content for path, content in files(checkout).items() if "__pycache__" not in path}

    before = written()

    def find() -> set[str]:
        now = written()
        return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}

    return find


def add(file: Path, text: str) -> None:
    """Append to a registry."""
    file.write_text(file.read_text(encoding="utf-8").rstrip() + text, encoding="utf-8", newline="\n")


def render_flows(checkout: Path) -> None:
    """`uv run poe render-flows`, in another checkout."""
    run_module(checkout, checkout, "extensions.render")


def run_module(checkout: Path, folder: Path, *arguments: str, code: int = 0, **more: str) -> str:
    """Run a module of another checkout in a folder, and return what it prints."""
    path = os.pathsep.join([str(checkout), str(checkout / "src")])
    # As at a keyboard: a gate asks nobody where a CI machine's variables are set.
    variables = {name: value for name, value in os.environ.items() if name not in MACHINES}
    variables |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | more
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_git_host(checkout, touched, tmp_path):
    add(checkout / "extensions" / "hosts.yml", HOST)
    (checkout / "extensions" / "hosts" / "sourcehut.py").write_text(RENDERER, encoding="utf-8")
    replace(checkout / "copier.yml", "    Forgejo or Gitea", "    SourceHut: sourcehut\n    Forgejo or Gitea")
    replace(checkout / "copier.yml", "on_forgejo:", ANSWER)
    assert touched() == {"extensions/hosts.yml", "extensions/hosts/sourcehut.py", "copier.yml"}
    render_flows(checkout)
    project = copy_project(checkout, tmp_path / "project", git_host="sourcehut", maturity_level=4)
    assert "uv run poe smoke" in (project / ".build.yml").read_text(encoding="utf-8")
    assert not (project / ".github").exists()
    other = copy_project(checkout, tmp_path / "other", maturity_level=4)
    assert not (other / ".build.yml").exists()
    assert (other / ".github").is_dir()


def test_a_data_remote(checkout, touched, tmp_path):
    add(checkout / "extensions" / "remotes.yml", REMOTE)
    assert touched() == {"extensions/remotes.yml"}
    answers = {"data_remote": "oss://bucket/path", "data_endpoint": "https://oss.example.org", "maturity_level": 3}
    project = copy_project(checkout, tmp_path / "project", **answers)
    config = (project / ".dvc" / "config").read_text(encoding="utf-8")
    assert "url = oss://bucket/path\n    oss_endpoint = https://oss.example.org\n" in config
    assert '"dvc[oss]>=' in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert "oss://bucket/path" in (project / "data" / "README.md").read_text(encoding="utf-8")
    flow = (project / ".github" / "workflows" / "cd.yml").read_text(encoding="utf-8")
    assert "OSS_ACCESS_KEY_SECRET: ${{ secrets.OSS_ACCESS_KEY_SECRET }}" in flow


def test_an_environment(checkout, touched, tmp_path):
    before = copy_project(checkout, tmp_path / "before", maturity_level=3)
    add(checkout / "extensions" / "environments.yml", ENVIRONMENT)
    assert touched() == {"extensions/environments.yml"}
    render_flows(checkout)
    project = copy_project(checkout, tmp_path / "project", maturity_level=3)
    added = {path for path in files(project) if path not in files(before)}
    folder = "operation/configuration/environment_trial"
    assert added == {f"{folder}/{name}.yaml" for name in ("kustomization", "release", "settings")}
    assert "model_alias: trial" in (project / folder / "settings.yaml").read_text(encoding="utf-8")


def test_a_gate(package, checkout, touched, tmp_path):
    add(checkout / "extensions" / "gates.yml", GATE)
    flow = checkout / "extensions" / "flows" / "cd.yml"
    replace(flow, "      stage: stage\n", "      gate: rehearsal\n      stage: stage\n")
    login = "        - {name: Log in to the cloud, run: login --env stage,"
    check = "        - {name: Check the approval, run: gate-check rehearsal, level: 3, token: true}\n"
    replace(flow, login, check + login)
    assert touched() == {"extensions/gates.yml", "extensions/flows/cd.yml"}
    render_flows(checkout)
    project = copy_project(checkout, tmp_path / "project", maturity_level=3)
    assert "environment: {name: rehearsal, url:" in (project / ".github" / "workflows" / "cd.yml").read_text(
        encoding="utf-8"
    )
    tasks = (project / "poe_tasks.toml").read_text(encoding="utf-8")
    assert "(model, prod, infrastructure, rehearsal)" in tasks
    assert '  "gate-check rehearsal",\n  "deploy --env stage",\n' in tasks
    host = "operation/configuration/host.yaml"
    assert "  rehearsal: []\n" in (project / host).read_text(encoding="utf-8")
    commit(project)
    assert "0 errors" in run_module(checkout, project, "copier_mlops", "lint", "--select", "MLO2,MLO7")
    said = run_module(checkout, project, "copier_mlops", "gate-check", "rehearsal", code=1)
    assert "package.json" in said, said
    replace(project / host, "  rehearsal: []\n", "")
    said = run_module(checkout, project, "copier_mlops", "lint", "--select", "MLO7", code=1)
    assert "approvers.rehearsal is missing" in said


def test_a_check_of_the_lint(package, checkout, touched, tmp_path):
    add(checkout / "src" / "copier_mlops" / "lint" / "checks" / "leftovers.py", CHECK)
    run_module(checkout, checkout, "tasks.lint_pages")
    assert touched() == {
        "src/copier_mlops/lint/checks/leftovers.py",
        "docs/reference/lint.md",
        "docs/reference/lint/leftovers.md",
    }
    page = checkout / "docs" / "reference" / "lint" / "leftovers.md"
    assert "## MLO103 todo-left" in page.read_text(encoding="utf-8")
    project = tmp_path / "project"
    project.mkdir()
    (project / "README.md").write_text("TODO\n", encoding="utf-8")
    assert "README.md: MLO103 says TODO" in run_module(
        checkout, project, "copier_mlops", "lint", "--select", "todo-left", code=1
    )


def test_an_engine(package, checkout, touched, tmp_path):
    adapter = checkout / "src" / "copier_mlops" / "pipeline" / "engines" / "somewhere.py"
    add(checkout / "extensions" / "engines.yml", ENGINE)
    adapter.write_text(ADAPTER, encoding="utf-8")
    replace(
        checkout / "copier.yml", "    A Slurm cluster: slurm\n", "    A Slurm cluster: slurm\n    Somebody: somewhere\n"
    )
    replace(checkout / "copier.yml", "runs_on_slurm:", CONDITION)
    settings = checkout / "template" / "{{ runs_on_somewhere }}" / "operation" / "configuration" / "engines"
    settings.mkdir(parents=True)
    (settings / "somewhere.yaml").write_text("rooms: 1\n", encoding="utf-8")
    assert touched() == {
        "copier.yml",
        "extensions/engines.yml",
        *(each.relative_to(checkout).as_posix() for each in (adapter, settings / "somewhere.yaml")),
    }
    project = copy_project(checkout, tmp_path / "project", engines=["somewhere"])
    assert (project / "operation/configuration/engines/somewhere.yaml").is_file()
    commit(project)
    said = run_module(checkout, project, "copier_mlops", "compile", "--engine", "somewhere", "--run", "one")
    assert "\nuv run --no-sync mlops stage train@linear --run one --commit " in said
    said = run_module(checkout, project, "copier_mlops", "train", "--engine", "somewhere", code=1)
    assert "train: somewhere is full: 6 stages" in said
    said = run_module(checkout, project, "copier_mlops", "train", "--engine", "slurm", code=1)
    assert "the project does not have the engine slurm, a Slurm cluster" in said
    assert "fix: uvx copier update --data 'engines=[somewhere, slurm]'" in said
    said = run_module(checkout, project, "copier_mlops", "train", "--help")
    assert "somewhere: Somebody's machines" in " ".join(said.split())
