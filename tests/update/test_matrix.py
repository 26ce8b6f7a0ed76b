"""From every version, at every level, on every host, with the work of a team in it: an update loses none of it."""

import functools
from collections.abc import Callable

import pytest
import yaml

from tasks.tag_releases import file_at
from tests.project import TEMPLATE, commit, copy_project, files, registry, run, update_project
from tests.update import team
from tests.update.conftest import BEFORE, NOW, RELEASES, known_releases
from tests.update.updated import (
    assert_no_conflict,
    born,
    conflicts,
    content,
    expected,
    lint,
    parsed,
    starters,
    unsolved,
    written,
    yours,
)

TOP = len(registry("levels")) - 1
Render = Callable[..., team.Files]


def hosts_of(version: str) -> list[str]:
    """The hosts that a version knows, from its own interview."""
    commits = {release.version: release.commit for release in known_releases()}
    path = TEMPLATE / "copier.yml"
    text = file_at(TEMPLATE, commits[version], path.name) if version in commits else path.read_text(encoding="utf-8")
    return list(next(yaml.safe_load_all(text))["git_host"]["choices"].values())


def cases() -> list[tuple[str, str, int, int]]:
    """Version, host, level and the level after the update: each host one level higher, the first one as it was, too."""
    return [
        (version, host, level, target)
        for version in [*RELEASES, BEFORE]
        for position, host in enumerate(hosts_of(version))
        for level in range(TOP + 1)
        for target in sorted({level if position == 0 else min(level + 1, TOP), min(level + 1, TOP)})
    ]


@pytest.fixture(scope="session")
def rendered(history, tmp_path_factory) -> Render:
    """The files of a fresh project of a version."""

    @functools.cache
    def render(version: str, **answers: object) -> team.Files:
        return files(copy_project(history, tmp_path_factory.mktemp("fresh") / "project", version, **answers))

    return render


@pytest.mark.parametrize(("version", "host", "level", "target"), cases())
def test_the_work_of_a_team_survives(history, rendered, tmp_path, version, host, level, target):
    before = rendered(version, git_host=host, maturity_level=level)
    project = written(team.work(before, host), tmp_path / "project")
    first = content(project)
    update_project(project, maturity_level=target)
    found, clashing = content(project), conflicts(project)

    fresh = rendered(NOW, git_host=host, maturity_level=target, **born(version))
    come = starters(history, version, level, target, fresh) - before.keys()
    new = {path: text for path, text in fresh.items() if path not in before}
    merged = {path: text for path, text in team.work(fresh, host).items() if path in before or path in team.ADDED}
    wanted = expected(first, parsed(new | merged), level, come)
    assert found.keys() == wanted.keys()
    assert {path for path in found if found[path] != wanted[path]} == clashing
    # Own tasks had no place of their own in 0.1.0: docs/decisions/0011.
    assert clashing == ({"pyproject.toml"} if b"[tool.poe]" not in before["pyproject.toml"] else set())
    for path in clashing:
        assert team.added(before, first, path) <= set(found[path].splitlines())


@pytest.mark.parametrize("host", team.CI)
def test_a_line_that_both_changed_is_named_and_holds_both(rendered, tmp_path, host):
    path, _, words = team.CI[host]
    before, now = (rendered(version, git_host=host, maturity_level=3) for version in (BEFORE, NOW))
    longer = team.change(before[path], [(f"{words}30", f"{words}45")])
    project = written(before | {path: longer}, tmp_path / "project")
    update_project(project)
    assert conflicts(project) == {path}
    text = (project / path).read_text(encoding="utf-8")
    ours, theirs = text.partition("<<<<<<< before updating\n")[2].split(">>>>>>> after updating")[0].split("=======\n")
    assert f"{words}45" in ours and f"{words}20" in theirs
    merged = expected(parsed(before), parsed(now), 3)
    assert content(project) == merged | {path: (project / path).read_bytes()}

    (project / path).write_bytes(team.change(now[path], [(f"{words}20", f"{words}45")]))
    run(project, "git", "add", "--all")
    assert_no_conflict(project)


# The answers of a project whose package was renamed; where its data lie is an answer that was given before.
RENAMED = {"package_name": team.RENAMED, "data_remote": "../german-credit-data"}


@pytest.mark.parametrize(("level", "target"), [(0, 4), (2, 2), (3, 4)])
@pytest.mark.parametrize("version", [*RELEASES, BEFORE])
def test_a_renamed_package_moves_with_its_answer(history, rendered, tmp_path, version, level, target):
    before = rendered(version, maturity_level=level)
    project = written(team.rename(before, yours(before, level)), tmp_path / "project")
    first = content(project)
    update_project(project, package_name=team.RENAMED, maturity_level=target)
    assert_no_conflict(project)
    fresh = rendered(NOW, maturity_level=target, **RENAMED, **born(version))
    come = starters(history, version, level, target, fresh) - first.keys()
    assert content(project) == expected(first, parsed(fresh), level, come)
    assert unsolved(project) == set()


def test_a_package_that_was_renamed_everywhere_merges_with_its_answer(rendered, tmp_path):
    before = rendered(BEFORE)
    project = written(team.rename(before, before), tmp_path / "project")
    first = content(project)
    update_project(project, package_name=team.RENAMED)
    assert_no_conflict(project)
    assert content(project) == expected(first, parsed(rendered(NOW, **RENAMED)), 2)


def test_the_answer_may_come_before_the_folder(rendered, tmp_path):
    project = written(rendered(BEFORE), tmp_path / "project")
    update_project(project, package_name=team.RENAMED)
    assert_no_conflict(project)
    assert [each.check for each in lint(project)] == ["MLO114"]
    found = files(project)
    renamed = written(team.rename(found, yours(found, 2)), tmp_path / "renamed")
    first = parsed(team.rename(rendered(BEFORE), yours(found, 2)))
    assert content(renamed) == expected(first, parsed(rendered(NOW, **RENAMED)), 2)
    assert lint(renamed) == []


def test_a_renamed_package_without_its_answer_is_named_until_the_answer_follows(rendered, tmp_path):
    before = rendered(BEFORE)
    project = written(team.rename(before, before), tmp_path / "project")
    for level in (2, 3):
        update_project(project, maturity_level=level)
        assert_no_conflict(project)
        assert [each.check for each in lint(project)] == ["MLO114"]
        assert not (project / "src" / team.PACKAGE).exists()
        commit(project)
    first = content(project)
    update_project(project, package_name=team.RENAMED)
    assert_no_conflict(project)
    assert lint(project) == []
    assert content(project) == expected(first, parsed(rendered(NOW, maturity_level=3, **RENAMED)), 3)
