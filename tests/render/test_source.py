"""Where the template lives, as the answers file and the tasks remember it."""

import json
import tomllib

import jinja2
import pytest

from tests.project import TEMPLATE, answers_of, copy_project, copy_template

COMMIT = "0123456789abcdef"


@pytest.fixture(scope="module")
def source() -> object:
    """The macros of source.jinja."""
    loader = jinja2.FileSystemLoader(TEMPLATE / "extensions")
    filters = ["jinja2_ansible_filters.AnsibleCoreFiltersExtension"]
    environment = jinja2.Environment(loader=loader, extensions=filters, autoescape=False)  # noqa: S701
    environment.globals["pathjoin"] = lambda *parts: parts[-1]  # copier's own, below extensions/
    return environment.get_template("source.jinja").module


@pytest.mark.parametrize(
    ("given", "address", "installed"),
    [
        ("gh:owner/name", "https://github.com/owner/name.git", "git+https://github.com/owner/name.git"),
        ("gl:group/sub/name.git", "https://gitlab.com/group/sub/name.git", "git+https://gitlab.com/group/sub/name.git"),
        ("git+https://dev.azure.com/o/p/_git/r", None, "git+https://dev.azure.com/o/p/_git/r"),
        ("git@example.org:team/name.git", None, "git+ssh://git@example.org/team/name.git"),
        ("https://example.org/name.git", None, "git+https://example.org/name.git"),
        ("https://bob:pw@example.org/name.git", "https://example.org/name.git", "git+https://example.org/name.git"),
        ("git+https://acme@dev.azure.com/o/r", "git+https://dev.azure.com/o/r", "git+https://dev.azure.com/o/r"),
        ("ssh://git@example.org/name.git", None, "git+ssh://git@example.org/name.git"),
    ],
)
def test_every_way_to_name_it_is_an_address(source, given, address, installed):
    assert source.address(given) == (address or given)
    pin = json.loads(source.pin(source.address(given), COMMIT, False, "0.3.0"))
    assert pin["source"] == f'git = "{installed.removeprefix("git+")}"\nrev = "{COMMIT}"'
    assert pin["tool"] == f"uv tool run --from 'copier-mlops[lint] @ {installed}@{COMMIT}'"
    assert pin["bound"] == ""


def test_a_package_of_an_index_is_bounded_and_has_no_source(source):
    pin = json.loads(source.pin("https://example.org/name.git", COMMIT, True, "0.3.0"))
    assert pin == {
        "bound": ">=0.3.0,<0.4",
        "source": "",
        "tool": "uv tool run --from 'copier-mlops[lint]>=0.3.0,<0.4'",
    }


@pytest.mark.parametrize(
    ("given", "server"),
    [
        ("gh:owner/name", "https://github.com"),
        ("git+https://somebody@dev.azure.com/o/A%20project/_git/r", "https://dev.azure.com"),
        ("http://git.example.org:3000/team/name.git", "http://git.example.org:3000"),
        ("https://[2001:db8::1]:8443/name.git", "https://[2001:db8::1]:8443"),
        ("https://example.org'; curl example.com #/name.git", ""),
        ("git@example.org:team/name.git", ""),
        ("ssh://git@example.org/name.git", ""),
        ("file:///srv/name.git", ""),
    ],
)
def test_a_login_is_for_a_server_over_http(source, given, server):
    assert source.server(source.address(given)) == server


def test_a_folder_is_remembered_by_its_whole_path(tmp_path, monkeypatch):
    template = copy_template(tmp_path / "it's here").resolve()
    monkeypatch.chdir(tmp_path)
    project = copy_project("it's here", tmp_path / "project", maturity_level=0)
    assert answers_of(project)["_src_path"] == str(template)
    tasks = tomllib.loads((project / "poe_tasks.toml").read_text(encoding="utf-8"))["tasks"]
    assert f'"{template}[lint]"' in tasks["drift"]["cmd"]
    sources = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["sources"]
    assert sources["copier-mlops"] == {"path": str(template)}
