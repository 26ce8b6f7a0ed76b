"""To another git host, data remote or tracking server: all that depends on it moves, and what is the team's stays."""

import secrets
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from plumbum import local

from copier_mlops.lint.project import Project
from copier_mlops.lint.run import run as lint
from tests.project import ANSWERS, answers_of, commit, copy_project, files, registry, replace, run
from tests.project import update_project as update
from tests.update.conftest import BEFORE, LET_GO, NOW, RELEASES
from tests.update.updated import assert_no_conflict, conflicts, yours

HOSTS = list(registry("hosts"))
OWNERS = {host: f".{host}/CODEOWNERS" for host in ("github", "gitlab", "bitbucket")}
SERVER, OTHER = "https://mlflow.example.org", "https://other.example.org"
# A kind of file that a team edits, and its edit.
EDITED, EDIT = (".md", ".py", ".yaml", "CODEOWNERS"), b"# Ours\n"


def content(project: Path) -> dict[str, object]:
    """Every file of a project; of the answers file what was answered."""
    answers = {name: value for name, value in answers_of(project).items() if not name.startswith("_")}
    return files(project) | {ANSWERS: answers}


def edited(history: Path, path: Path, version: str = NOW, **answers: object) -> Path:
    """A project in git in which the team has edited each file of its own."""
    project = copy_project(history, path, version, **answers)
    for name in yours(files(project), 4):
        if name.endswith(EDITED):
            with (project / name).open("ab") as file:
                file.write(EDIT)
    commit(project)
    return project


def moved(history: Path, project: Path, **answers: object) -> dict[str, str]:
    """Update a project to other answers, hold it against a fresh one, and return what the lint finds, by file."""
    before, level = content(project), answers_of(project)["reached_level"]
    update(project, **answers)
    assert_no_conflict(project)
    given = {name: value for name, value in answers_of(project).items() if not name.startswith("_")}
    fresh = content(copy_project(history, project.parent / f"fresh{len(list(project.parent.iterdir()))}", NOW, **given))
    managed = {name: text for name, text in fresh.items() if name not in yours(fresh, level)}
    kept = {name: before[name] for name in yours(before, level)}
    new = {name: fresh[name] for name in OWNERS.values() if name in fresh and "git_host" in answers}
    assert content(project) == new | managed | kept
    commit(project)
    return {finding.path: finding.check for finding in lint(Project(project))}


@pytest.mark.parametrize("level", [3, 4])
def test_a_move_through_every_host(history, tmp_path, level):
    project = edited(history, tmp_path / "project", maturity_level=level, cloud="aws")
    left = {}
    for before, host in zip(HOSTS, [*HOSTS[1:], HOSTS[0]], strict=True):
        if before in OWNERS:
            left[OWNERS[before]] = "MLO208"
            (project / OWNERS[before]).write_bytes(f"* @{before}\n".encode())
            commit(project)
        left.pop(OWNERS.get(host), None)
        assert moved(history, project, git_host=host) == left
    assert {name: (project / name).read_text("utf-8") for name in OWNERS.values()} == {
        name: f"* @{host}\n" for host, name in OWNERS.items()
    }


def test_owners_that_the_team_deleted_come_back_with_another_host_alone(history, tmp_path):
    project = edited(history, tmp_path / "project", maturity_level=3)
    (project / OWNERS["github"]).unlink()
    commit(project)
    assert moved(history, project, tracking_uri=SERVER) == {}
    assert not (project / OWNERS["github"]).exists()
    assert moved(history, project, git_host="gitlab") == {}
    assert (project / OWNERS["gitlab"]).exists()
    (project / OWNERS["gitlab"]).unlink()
    commit(project)
    assert moved(history, project, tracking_uri=OTHER) == {}
    assert not (project / OWNERS["gitlab"]).exists()


@pytest.mark.parametrize("level", [1, 3])
def test_a_flow_of_the_teams_own_stays_and_is_named(history, tmp_path, level):
    project = edited(history, tmp_path / "project", maturity_level=level)
    own = {".github/workflows/ours.yml": "MLO201", ".github/dependabot.yml": "MLO208"}
    for name in own:
        (project / name).write_text("on: push\n", encoding="utf-8")
    commit(project)
    update(project, git_host="gitlab")
    assert {name: (project / name).read_text("utf-8") for name in own} == dict.fromkeys(own, "on: push\n")
    left = {OWNERS["github"]: "MLO208"} if level == 3 else {}
    assert {finding.path: finding.check for finding in lint(Project(project))} == own | left


def test_a_move_of_the_data_and_back(history, tmp_path):
    project = edited(history, tmp_path / "project")
    place = {"data_remote": "s3://bucket/path", "data_endpoint": "https://storage.example.org:9000"}
    assert moved(history, project, **place) == {}
    assert '"dvc[s3]>=' in (project / "pyproject.toml").read_text("utf-8")
    assert f"endpointurl = {place['data_endpoint']}" in (project / ".dvc" / "config").read_text("utf-8")
    assert moved(history, project, data_remote="../german-credit-data") == {}


@pytest.mark.parametrize("version", [*RELEASES, NOW])
def test_a_move_of_the_tracking_server(history, tmp_path, version):
    project = edited(history, tmp_path / "project", version, tracking_uri=SERVER)
    before = {name: (project / name).read_bytes() for name in yours(files(project), 2)}
    update(project, tracking_uri=OTHER)
    assert_no_conflict(project)
    assert {name: (project / name).read_bytes() for name in before} == before
    assert answers_of(project)["tracking_uri"] == OTHER
    named = {name for name, text in files(project).items() if SERVER.encode() in text}
    assert named == {name for name, text in before.items() if SERVER.encode() in text}
    assert lint(Project(project)) == []


def test_a_raised_version_meets_no_answer(history, tmp_path):
    project = copy_project(history, tmp_path / "project", NOW)
    replace(project / "pyproject.toml", 'version = "0.1.0"', 'version = "1.0.0"')
    commit(project)
    changed = {"package_name": "loans", "description": "Grants loans.", "license": "none", "author_name": "A team"}
    update(project, **changed)
    assert_no_conflict(project)
    described = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (described["name"], described["version"]) == ("loans", "1.0.0")
    assert described["description"] == "Grants loans."
    assert described["authors"] == [{"name": "A team"}]


@pytest.fixture
def addresses(history, tmp_path) -> Iterator[tuple[str, str]]:
    """The old and the new address of the template, on two servers that git finds on this machine."""
    # Copier keeps a clone of each address for all processes of this machine, so each test has addresses of its own.
    servers = [f"https://{name}-{secrets.token_hex(4)}.example.org" for name in ("old", "new")]
    settings = tmp_path / "gitconfig"
    lines = "[user]\n\tname = A\n\temail = a@example.org\n"
    for server in servers:
        place = tmp_path / server.removeprefix("https://")
        shutil.copytree(history, place / "ml" / "template")
        lines += f'[url "{place.as_uri()}"]\n\tinsteadOf = {server}\n'
    settings.write_text(lines, encoding="utf-8")
    with local.env(
        GIT_CONFIG_GLOBAL=str(settings)
    ):  # copier starts git by plumbum, which has an environment of its own
        yield tuple(f"git+{server}/ml/template" for server in servers)


@pytest.mark.parametrize("host", HOSTS)
def test_a_template_that_moved_is_followed_by_its_address_in_all_files(addresses, tmp_path, host):
    old, new = (address.removeprefix("git+") for address in addresses)
    answers = {"git_host": host, "maturity_level": 3}
    project = copy_project(addresses[0], tmp_path / "project", BEFORE, **answers)
    commit(project)
    replace(project / ANSWERS, old, new)
    commit(project)
    update(project, NOW)
    assert conflicts(project) == {"pyproject.toml", "poe_tasks.toml"}  # the address was changed in one file only
    run(project, "git", "reset", "--quiet", "--hard", "HEAD~1")
    servers = [address.removesuffix("/ml/template") for address in (old, new)]
    for before, after in ((old, new), servers):
        for name in run(project, "git", "grep", "-lF", before).splitlines():
            text = (project / name).read_text(encoding="utf-8")
            (project / name).write_text(text.replace(before, after), encoding="utf-8")
    commit(project)
    update(project, NOW)
    assert_no_conflict(project)
    fresh = files(copy_project(addresses[1], tmp_path / "fresh", NOW, **answers))
    left = {name for name, text in files(project).items() if fresh.get(name) != text} - yours(fresh, 3)
    assert left == {LET_GO}
    assert servers[0] not in str(files(project))
