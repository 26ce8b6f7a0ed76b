"""A template with an address of its own is asked by CI and before each commit; one in a folder cannot be."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.package.lint.conftest import found
from tests.pipelines.described import described
from tests.pipelines.hosts import READERS, faults
from tests.project import answers_of, commit, copy_project


@pytest.fixture(scope="module")
def address(template, tmp_path_factory) -> str:
    """The template at an address."""
    repository = tmp_path_factory.mktemp("published") / "template"
    shutil.copytree(template, repository)
    commit(repository)
    return f"git+{repository.as_uri()}"


def hooks(project: Path) -> list[str]:
    """The ids of the hooks of a project."""
    settings = yaml.safe_load((project / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    return [hook["id"] for repository in settings["repos"] for hook in repository["hooks"]]


@pytest.mark.parametrize("host", READERS)
def test_ci_and_the_hooks_lint_what_the_template_promises(address, tmp_path, host):
    project = copy_project(address, tmp_path / "project", git_host=host, maturity_level=1)
    assert "lint-template" in {step.run.split()[-1] for step in described(1, published=True)["ci"].jobs["ci"].steps}
    assert faults(host, project, 1, published=True) == []
    assert "lint-template" in hooks(project)
    commit(project)
    assert found(project) == []


def test_what_others_cannot_reach_is_not_asked(render):
    project = render(maturity_level=1)
    assert faults("github", project, 1) == []
    assert faults("github", project, 1, published=True)
    assert "lint-template" not in hooks(project)


def test_the_commit_that_was_rendered_is_the_one_that_lints(address, tmp_path):
    project = copy_project(address, tmp_path / "project", maturity_level=0)
    assert answers_of(project)["_src_path"] == address
    tasks = (project / "poe_tasks.toml").read_text(encoding="utf-8")
    (line,) = {line for line in tasks.splitlines() if line.endswith('copier-mlops-lint"')}
    head = (Path(address.removeprefix("git+file://")) / ".git" / "refs" / "heads" / "main").read_text().strip()
    assert f"{address}@{head}'" in line
