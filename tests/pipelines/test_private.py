"""A template that is private: each host's flows have a login for git by TEMPLATE_TOKEN, in the steps that need it."""

import shutil
from pathlib import Path

import pytest

from tests.package.lint.conftest import found
from tests.pipelines.conftest import SERVER
from tests.pipelines.hosts import READERS, copy_host_files, faults
from tests.project import commit, files

TOKEN = "TEMPLATE_TOKEN"  # noqa: S105 (its name)
HELPER = """'!f() { echo username=x-token-auth; echo "password=$TEMPLATE_TOKEN"; }; f'"""


def named(project: Path) -> dict[str, int]:
    """How often each file names the token."""
    counts = {name: text.decode("utf-8", "replace").count(TOKEN) for name, text in files(project).items()}
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("host", READERS)
@pytest.mark.parametrize("level", range(1, 5))
def test_what_installs_and_what_updates_may_read_the_template(published, host, level):
    project = published(git_host=host, maturity_level=level)
    assert faults(host, project, level, server=SERVER) == []
    assert faults(host, project, level), "the login is seen"
    assert faults(host, project, level, server="https://git.example.com"), "and its server"


def test_without_a_flow_there_is_no_login(published):
    assert named(published(maturity_level=0)) == {}


@pytest.mark.parametrize("host", READERS)
def test_the_lint_finds_nothing_in_such_a_project(published, tmp_path, host):
    project = shutil.copytree(published(git_host=host, maturity_level=3), tmp_path / "project")
    commit(project)
    assert found(project) == []


@pytest.mark.parametrize(
    ("source", "server"),
    [
        ("git+https://git.example.org/team/template", "https://git.example.org"),
        ("http://git.example.org:3000/template.git", "http://git.example.org:3000"),
        ("git+https://somebody@dev.azure.com/somebody/Data%20Science/_git/template", "https://dev.azure.com"),
        ("ssh://git@git.example.org:22/team/template.git", ""),
        ("git@git.example.org:team/template.git", ""),
    ],
)
def test_the_login_is_for_the_server_of_an_address_over_http(published, source, server):
    project = published(source, git_host="gitlab", maturity_level=3)
    assert faults("gitlab", project, 3, server=server) == []
    assert bool(named(project)) == bool(server)


@pytest.mark.parametrize("host", READERS)
def test_a_package_from_an_index_needs_it_for_updates_only(published, host):
    project = published(git_host=host, maturity_level=3, package_index=True)
    update = {
        "github": ".github/workflows/template-update.yml",
        "azure_devops": "azure_pipelines/template-update.yml",
    }
    assert list(named(project)) == [update[host]] if host in update else named(project) == {}


def test_a_folder_needs_no_login(render):
    assert [host for host in READERS if named(render(git_host=host, maturity_level=3))] == []


INSTALL = {
    "github": ".github/actions/prepare/action.yml",
    "azure_devops": "azure_pipelines/templates/prepare.yml",
    "gitlab": ".gitlab-ci.yml",
    "bitbucket": "bitbucket-pipelines.yml",
    "forgejo": ".forgejo/workflows/ci.yml",
}
UPDATE = {"github": ".github/workflows/template-update.yml", "azure_devops": "azure_pipelines/template-update.yml"}
SECRET = {"github": "${{ secrets.TEMPLATE_TOKEN }}", "azure_devops": "$(TEMPLATE_TOKEN)"}
TO_ALL = {
    "github": (".github/workflows/ci.yml", 'UV_LOCKED: "1"\n', f'UV_LOCKED: "1"\n      {TOKEN}: {SECRET["github"]}\n'),
    "azure_devops": (
        "azure_pipelines/variables.yml",
        'UV_LOCKED: "1"\n',
        f'UV_LOCKED: "1"\n  {TOKEN}: {SECRET["azure_devops"]}\n',
    ),
    "forgejo": (INSTALL["forgejo"], 'UV_LOCKED: "1"\n', f'UV_LOCKED: "1"\n      {TOKEN}: {SECRET["github"]}\n'),
}
FAULTS = {
    "the login is for every server": {
        host: (path, f"credential.{SERVER}.helper", "credential.helper") for host, path in INSTALL.items()
    },
    "the login is for another server": {host: (path, SERVER, "https://example.org") for host, path in INSTALL.items()},
    "git asks something else": {host: (path, HELPER, "cache") for host, path in INSTALL.items()},
    "the token is missing": {
        "github": (INSTALL["github"], "        TEMPLATE_TOKEN: ${{ inputs.template-token }}\n", ""),
        "azure_devops": (INSTALL["azure_devops"], "      TEMPLATE_TOKEN: $(TEMPLATE_TOKEN)\n", ""),
        "forgejo": (INSTALL["forgejo"], "          TEMPLATE_TOKEN: ${{ secrets.TEMPLATE_TOKEN }}\n", ""),
        "gitlab": (INSTALL["gitlab"], '"password=$TEMPLATE_TOKEN"', '"password=$TOKEN"'),
        "bitbucket": (INSTALL["bitbucket"], "          - *template-login\n", ""),
    },
    "the update has no token": {
        host: (path, f"          TEMPLATE_TOKEN: {SECRET[host]}\n", "") for host, path in UPDATE.items()
    },
    "every step gets the token": TO_ALL,
    "a step gets the token that installs nothing": {
        "github": (
            ".github/workflows/ci.yml",
            "run: uv run poe test\n",
            f"run: uv run poe test\n        env:\n          {TOKEN}: {SECRET['github']}\n",
        ),
        "azure_devops": (
            "azure_pipelines/ci.yml",
            "HOST_TOKEN: $(System.AccessToken)\n",
            f"HOST_TOKEN: $(System.AccessToken)\n          {TOKEN}: {SECRET['azure_devops']}\n",
        ),
        "forgejo": (
            INSTALL["forgejo"],
            "run: uv run poe test\n",
            f"run: uv run poe test\n        env:\n          {TOKEN}: {SECRET['github']}\n",
        ),
    },
    "the action gets no token": {
        "github": (".github/workflows/cd.yml", '        with: {template-token: "${{ secrets.TEMPLATE_TOKEN }}"}\n', "")
    },
    "the action gets another secret": {
        "github": (".github/workflows/cd.yml", "secrets.TEMPLATE_TOKEN", "secrets.ADMIN_TOKEN")
    },
    "the action asks for no token": {
        "github": (INSTALL["github"], "inputs:\n  template-token:\n    description: Reads a private template\n", "")
    },
    "the step with the token runs a task": {
        host: (INSTALL[host], "uv run python --version", "uv run poe lint")
        for host in ("github", "azure_devops", "forgejo")
    },
    "the token is in the address": {
        host: (INSTALL[host], "https://git.", "https://x:$TEMPLATE_TOKEN@git.") for host in ("gitlab", "bitbucket")
    },
}
CASES = [(host, name) for name, them in FAULTS.items() for host in them]


@pytest.mark.parametrize(("host", "name"), CASES, ids=[f"{host}: {name}" for host, name in CASES])
def test_a_planted_fault_is_seen(published, tmp_path, host, name):
    path, old, new = FAULTS[name][host]
    copy = copy_host_files(published(git_host=host, maturity_level=3), host, tmp_path)
    text = (copy / path).read_text(encoding="utf-8")
    assert old in text, "the fault was not planted"
    assert not faults(host, copy, 3, server=SERVER)
    (copy / path).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert faults(host, copy, 3, server=SERVER)
