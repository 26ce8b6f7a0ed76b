"""How a project gets the package: by a pin that moves with updates, from a folder or an index."""

import shlex
import tomllib
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.project import TEMPLATE, registry, replace, run
from tests.run.project import Project
from tests.run.published import copied, index, repository, served, set_version, tree, wheel

FIRST, SECOND = "900.0.0", "900.1.0"
INSTALLED = "python -c 'from importlib.metadata import version; print(version(\"copier-mlops\"))'"
LOWEST = registry("tested")["uv_lowest"]
PLACE = "# Yours: groups that conflict, default-groups, an index.\n"
INDEX = """\

[tool.uv.sources]
copier-mlops = { index = "ours" }

[[tool.uv.index]]
name = "ours"
url = "URL"
explicit = true
"""


def toml(project: Project) -> dict:
    return tomllib.loads(project.text("pyproject.toml"))


def pin(project: Project) -> dict:
    return toml(project)["tool"]["uv"]["sources"]["copier-mlops"]


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A repository of the template with two versions."""
    return repository(tmp_path_factory.mktemp("published"), FIRST, SECOND)


def test_an_update_moves_the_pin_and_setup_is_all_that_is_needed(copier, template, tmp_path):
    source = template.as_uri()
    project = copied(copier, source, tmp_path / "project", FIRST, maturity_level=1)
    assert pin(project) == {"git": source, "rev": run(template, "git", "rev-parse", FIRST).strip()}
    project.run("uv run poe setup")
    project.commit()
    assert FIRST in project.run(f"uv run --frozen {INSTALLED}")
    project.update()
    assert pin(project) == {"git": source, "rev": run(template, "git", "rev-parse", SECOND).strip()}
    assert "Ready." in project.run("uv run poe setup")
    assert SECOND in project.run(f"uv run --frozen {INSTALLED}")
    assert pin(project)["rev"] in project.text("uv.lock")
    project.run("uv lock --check")
    assert "copier-mlops" in project.run("uv run poe doctor")


def test_a_folder_is_installed_as_it_is_now(copier, tmp_path):
    folder = tree(tmp_path / "template")
    project = copied(copier, folder, tmp_path / "project", maturity_level=0)
    assert pin(project) == {"path": str(folder)}
    set_version(folder, FIRST)
    assert FIRST in project.run(f"uv run {INSTALLED}")
    set_version(folder, SECOND)
    assert SECOND in project.run(f"uv run {INSTALLED}")


def test_an_index_of_the_teams_own(copier, template, tmp_path):
    source = template.as_uri()
    project = copied(copier, source, tmp_path / "project", FIRST, maturity_level=1, package_index=True)
    assert "copier-mlops" not in toml(project)["tool"]["uv"].get("sources", {})
    assert "copier-mlops[data]>=900.0.0,<900.1" in toml(project)["project"]["dependencies"]
    wheels = tmp_path / "wheels"
    for version in (FIRST, "900.0.1", SECOND):
        wheel(wheels, version)
    with index(tmp_path / "index", wheels) as url:
        replace(project.path / "pyproject.toml", PLACE, f"{PLACE}{INDEX.replace('URL', url)}")
        project.run("uv run poe setup")
        assert "900.0.1" in project.run(f"uv run --frozen {INSTALLED}"), "the newest within the bound"
        assert url in project.text("uv.lock")
        project.commit()
        assert "0 errors, 0 warnings" in project.run("uv run poe lint-template")
        project.update()
        project.run("uv run poe setup")
        assert SECOND in project.run(f"uv run --frozen {INSTALLED}")
        # A tool of uv reads no project: its index is given to it.
        assert "0 errors, 0 warnings" in project.run("uv run poe drift", UV_INDEX=url)
        replace(project.path / "pyproject.toml", "exclude-newer-package = { copier-mlops = false }\n", "")
        assert "copier-mlops" in project.run("uv lock", fails=True), "the index does not say when it got the wheel"
        said = project.run(".venv/bin/mlops doctor", fails=True)
        assert "WRONG environment: your package index does not say when it got its files: No solution found" in said
        assert "-> write `exclude-newer = false` into the table of this index" in said
        replace(project.path / "pyproject.toml", "explicit = true\n", "explicit = true\nexclude-newer = false\n")
        project.run("uv lock")


class _WithoutTimes(BaseHTTPRequestHandler):
    """The pages of PyPI as HTML, which says no upload times: all packages of an index such as Nexus."""

    def do_GET(self) -> None:
        address = f"https://pypi.org{self.path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers={"Accept": "text/html"})) as page:
                content = page.read().replace(b"<head>", f'<head><base href="{address}">'.encode(), 1)
            self.send_response(200)
        except urllib.error.HTTPError as error:
            content = b""
            self.send_response(error.code)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests say what matters."""


def test_an_index_without_upload_times_works_with_one_line(copier, template, tmp_path):
    project = copied(copier, template.as_uri(), tmp_path / "project", FIRST, maturity_level=0)
    with served(_WithoutTimes) as url:
        table = f'\n[[tool.uv.index]]\nname = "ours"\nurl = "{url}/simple"\ndefault = true\n'
        replace(project.path / "pyproject.toml", PLACE, f"{PLACE}{table}")
        said = project.run("uv lock", fails=True)
        assert "is missing an upload date" in said and "No solution found" in said
        replace(project.path / "pyproject.toml", "default = true\n", "default = true\nexclude-newer = false\n")
        project.run("uv lock")
        assert f'registry = "{url}/simple"' in project.text("uv.lock")


@pytest.fixture
def project(copier, template, tmp_path) -> Project:
    """A project of level 0 that is pinned to a commit, and not set up."""
    return copied(copier, template.as_uri(), tmp_path / "project", FIRST, maturity_level=0)


LINT = f"uv tool run --from {shlex.quote(str(TEMPLATE))} mlops lint"


@pytest.mark.parametrize("part", ["git", "rev"])
def test_a_pin_that_cannot_be_reached_is_named_by_uv(project, part):
    said = {"git": "file:///nowhere/template.git", "rev": "0" * 40}
    replace(project.path / "pyproject.toml", pin(project)[part], said[part])
    printed = project.run("uv run poe setup", fails=True)
    assert "Failed to download and build `copier-mlops @ git+" in printed
    assert said[part] in printed
    printed = project.run(LINT, fails=part == "git")  # it judges a repository that cannot run `uv run`
    assert ("MLO904" in printed) == (part == "git")
    assert "1 error," in printed if part == "git" else "0 errors" in printed


def test_a_project_without_its_pin_is_named_with_the_line_that_is_missing(project):
    text = "".join(f'{name} = "{value}"\n' for name, value in pin(project).items())
    replace(project.path / "pyproject.toml", f"[tool.uv.sources.copier-mlops]\n{text}", "")
    assert "your project depends on copier-mlops[data]" in project.run("uv run poe setup", fails=True)
    printed = project.run(LINT, fails=True)
    assert "MLO901" in printed
    assert "copier-mlops = { git = " in printed


OLDER = "0.9.24"  # the release before the lowest


@pytest.mark.parametrize("version", ["0.8.0", OLDER])
def test_an_older_uv_says_which_one_is_needed(project, version):
    printed = project.run(f"uv tool run uv=={version} run poe setup", fails=True)
    assert f"Required uv version `>={LOWEST}` does not match the running version `{version}`." in printed


def test_the_lowest_uv_does_all_that_is_asked_of_it(project):
    project.run("uv lock")
    left_out = "--no-default-groups --no-emit-project --no-emit-package=copier-mlops"
    for command in (
        "lock --check",
        "sync --frozen",
        "sync --frozen --check",
        "run poe lint",
        f"export --frozen --no-header --format=requirements-txt {left_out}",
        f"export --frozen --format=cyclonedx1.5 --preview-features=sbom-export {left_out}",
        "build --wheel --quiet --out-dir build/wheels",
    ):
        printed = project.run(f"uv tool run uv=={LOWEST} {command}")
        assert "warning" not in printed, command


def test_the_uv_before_the_lowest_does_not_understand_every_project(copier, template, tmp_path):
    project = copied(copier, template.as_uri(), tmp_path / "project", FIRST, maturity_level=0, package_index=True)
    replace(project.path / "pyproject.toml", f">={LOWEST}", f">={OLDER}")
    reads = {
        version: "Failed to parse `pyproject.toml`" not in project.run(f"uv tool run uv=={version} lock", fails=True)
        for version in (OLDER, LOWEST)
    }  # both fail at last: no index has this package
    assert reads == {OLDER: False, LOWEST: True}
