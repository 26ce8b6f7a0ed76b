"""What somebody adds to the registries works with no other change than the files that docs/contributing.md counts."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import copy_project, copy_template, files, replace

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
REMOTE = """

gs:
  dvc: dvc[gs]
  example: gs://bucket/path
  endpoint: false
  credentials: set GOOGLE_APPLICATION_CREDENTIALS
"""
ENVIRONMENT = """

- name: trial
  means: a trial of somebody's
  alias: trial
  host: 127.0.0.1
  port: 8002
  url: http://127.0.0.1:8002
  replicas: 1
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A template of one's own, to which things are added."""
    return copy_template(tmp_path / "template")


def add(file: Path, text: str) -> None:
    """Append to a registry."""
    file.write_text(file.read_text(encoding="utf-8").rstrip() + text, encoding="utf-8", newline="\n")


def render_flows(checkout: Path) -> None:
    """`uv run poe render-flows`, in another checkout."""
    subprocess.run([sys.executable, "-m", "extensions.render"], cwd=checkout, check=True, capture_output=True)


def test_a_git_host(checkout, tmp_path):
    add(checkout / "extensions" / "hosts.yml", HOST)
    (checkout / "extensions" / "hosts" / "sourcehut.py").write_text(RENDERER, encoding="utf-8")
    replace(checkout / "copier.yml", "    Forgejo or Gitea", "    SourceHut: sourcehut\n    Forgejo or Gitea")
    replace(checkout / "copier.yml", "on_forgejo:", ANSWER)
    render_flows(checkout)
    project = copy_project(checkout, tmp_path / "project", git_host="sourcehut", maturity_level=4)
    assert "uv run poe smoke" in (project / ".build.yml").read_text(encoding="utf-8")
    assert not (project / ".github").exists()
    other = copy_project(checkout, tmp_path / "other", maturity_level=4)
    assert not (other / ".build.yml").exists()
    assert (other / ".github").is_dir()


def test_a_data_remote(checkout, tmp_path):
    add(checkout / "extensions" / "remotes.yml", REMOTE)
    project = copy_project(checkout, tmp_path / "project", data_remote="gs://bucket/path")
    assert "url = gs://bucket/path" in (project / ".dvc" / "config").read_text(encoding="utf-8")
    assert '"dvc[gs]>=' in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert "gs://bucket/path" in (project / "data" / "README.md").read_text(encoding="utf-8")


def test_an_environment(checkout, tmp_path):
    before = copy_project(checkout, tmp_path / "before", maturity_level=3)
    add(checkout / "extensions" / "environments.yml", ENVIRONMENT)
    render_flows(checkout)
    project = copy_project(checkout, tmp_path / "project", maturity_level=3)
    added = {path for path in files(project) if path not in files(before)}
    folder = "operation/configuration/environment_trial"
    assert added == {f"{folder}/{name}.yaml" for name in ("kustomization", "release", "settings")}
    assert "model_alias: trial" in (project / folder / "settings.yaml").read_text(encoding="utf-8")
