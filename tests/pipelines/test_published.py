"""A template with an address of its own is pinned to the commit that was rendered."""

import shutil
import tomllib
from pathlib import Path

import pytest

from tests.package.lint.conftest import found
from tests.pipelines.hosts import READERS, faults
from tests.project import answers_of, commit, copy_project


@pytest.fixture(scope="module")
def address(template, tmp_path_factory) -> str:
    """The template at an address."""
    repository = tmp_path_factory.mktemp("published") / "template"
    shutil.copytree(template, repository)
    commit(repository)
    return f"git+{repository.as_uri()}"


@pytest.mark.parametrize("host", READERS)
def test_a_project_of_an_address_has_the_flows_of_its_host_and_no_finding(address, tmp_path, host):
    project = copy_project(address, tmp_path / "project", git_host=host, maturity_level=1)
    assert faults(host, project, 1) == []
    commit(project)
    assert found(project) == []


def test_the_commit_that_was_rendered_is_the_one_that_is_installed(address, tmp_path):
    project = copy_project(address, tmp_path / "project", maturity_level=0)
    assert answers_of(project)["_src_path"] == address
    url = address.removeprefix("git+")
    head = (Path(url.removeprefix("file://")) / ".git" / "refs" / "heads" / "main").read_text().strip()
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["uv"]["sources"]["copier-mlops"] == {"git": url, "rev": head}
    tasks = (project / "poe_tasks.toml").read_text(encoding="utf-8")
    assert f"copier-mlops[lint] @ {address}@{head}'" in tasks
