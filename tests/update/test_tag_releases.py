"""Releases are found in the history, and each gets its tag."""

from pathlib import Path

import pytest

from tasks.tag_releases import Release, ReleaseError, find_releases, main, tag_releases
from tests.project import commit, run


def write(repository: Path, version: str, *entries: str) -> str:
    """Commit a version, and a changelog with the given headings where there are any."""
    repository.mkdir(exist_ok=True)
    (repository / "pyproject.toml").write_text(f'[project]\nname = "t"\nversion = "{version}"\n', encoding="utf-8")
    if entries:
        text = "# Changelog\n\n" + "".join(f"{entry}\n\nText.\n\n" for entry in entries)
        (repository / "CHANGELOG.md").write_text(text, encoding="utf-8")
    return commit(repository, version)


def tags(repository: Path) -> dict[str, str]:
    names = run(repository, "git", "tag", "--list").split()
    return {name: run(repository, "git", "rev-parse", f"{name}^{{commit}}").strip() for name in names}


@pytest.fixture
def repository(tmp_path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def released(repository) -> tuple[Path, dict[str, str]]:
    """A history with two releases, and their commits."""
    write(repository, "0.1.0.dev0")
    first = write(repository, "0.1.0", "## 0.1.0")
    commit(repository, "Work that raises nothing")
    write(repository, "0.2.0.dev0", "## 0.1.0")
    write(repository, "0.2.0rc1", "## 0.2.0", "## 0.1.0")
    second = write(repository, "0.2.0", "## [0.2.0] - 2026-11-21", "## 0.1.0")
    write(repository, "0.3.0.dev0")
    return repository, {"0.1.0": first, "0.2.0": second}


def test_a_release_is_a_commit_that_raises_the_version_to_a_final_one(released):
    repository, commits = released
    assert find_releases(repository) == [Release(version, found) for version, found in commits.items()]


def test_a_history_without_releases(repository, capsys):
    write(repository, "0.1.0.dev0")
    assert find_releases(repository) == []
    main(["--repository", str(repository)])
    assert capsys.readouterr().out == "no release yet: nothing to tag\n"


def test_missing_tags_are_made_once(released, capsys):
    repository, commits = released
    run(repository, "git", "tag", "0.1.0", commits["0.1.0"])
    main(["--repository", str(repository)])
    said = capsys.readouterr().out
    assert said == f"tagged 0.2.0 at {commits['0.2.0'][:10]}\npublish them: git push --tags\n"
    assert tags(repository) == commits
    main(["--repository", str(repository)])
    assert capsys.readouterr().out == "nothing to tag: all 2 releases have their tags\n"
    assert tags(repository) == commits


def test_an_annotated_tag_is_as_good(released):
    repository, commits = released
    run(repository, "git", "tag", "--annotate", "--message", "First", "0.1.0", commits["0.1.0"])
    assert [release.version for release in tag_releases(repository)] == ["0.2.0"]


def test_a_dry_run_changes_nothing(released, capsys):
    repository, commits = released
    main(["--dry-run", "--repository", str(repository)])
    said = [f"would tag {version} at {found[:10]}" for version, found in commits.items()]
    assert capsys.readouterr().out.splitlines() == said
    assert tags(repository) == {}


def test_a_tag_that_names_another_commit_is_refused(released):
    repository, commits = released
    run(repository, "git", "tag", "0.2.0", commits["0.1.0"])
    with pytest.raises(SystemExit) as refusal:
        main(["--repository", str(repository)])
    assert f"the tag 0.2.0 names commit {commits['0.1.0'][:10]}" in str(refusal.value)
    assert "delete a wrong tag: git tag --delete 0.2.0" in str(refusal.value)
    assert tags(repository).keys() == {"0.2.0"}


@pytest.mark.parametrize("entries", [(), ("## 0.1.0.dev0",), ("## 0.1.01",), ("Text about 0.1.0",)])
def test_a_version_without_an_entry_in_the_changelog_is_refused(repository, entries):
    write(repository, "0.1.0.dev0")
    raised = write(repository, "0.1.0", *entries)
    with pytest.raises(ReleaseError, match=r"without an entry in CHANGELOG\.md: a release needs"):
        find_releases(repository)
    with pytest.raises(SystemExit, match=raised[:10]):
        main(["--repository", str(repository)])


def test_a_version_that_was_raised_too_early_is_released_with_its_entry(repository):
    write(repository, "0.1.0")
    write(repository, "0.1.0.dev0")
    assert find_releases(repository) == []
    released = write(repository, "0.1.0", "## 0.1.0")
    assert find_releases(repository) == [Release("0.1.0", released)]


def test_an_entry_may_follow_the_version(repository):
    write(repository, "0.1.0")
    (repository / "CHANGELOG.md").write_text("# Changelog\n\n## 0.1.0\n", encoding="utf-8")
    released = commit(repository, "Entry")
    assert find_releases(repository) == [Release("0.1.0", released)]


def test_a_version_that_falls_and_comes_back_is_no_second_release(released):
    repository, commits = released
    write(repository, "0.1.0")
    write(repository, "0.2.0")
    assert [release.version for release in find_releases(repository)] == list(commits)


def test_a_version_that_was_raised_on_a_branch_is_released_by_its_merge(repository):
    write(repository, "0.1.0.dev0")
    run(repository, "git", "switch", "--quiet", "--create", "work")
    raised = write(repository, "0.1.0", "## 0.1.0")
    run(repository, "git", "switch", "--quiet", "main")
    run(repository, "git", "merge", "--quiet", "--no-ff", "--message", "Merge", "work")
    merged = run(repository, "git", "rev-parse", "HEAD").strip()
    assert merged != raised
    assert find_releases(repository) == [Release("0.1.0", merged)]


def test_a_shallow_clone_is_refused(released, tmp_path):
    repository, _ = released
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", repository.as_uri(), "shallow")
    with pytest.raises(SystemExit, match="get them first: git fetch --unshallow --tags"):
        main(["--repository", str(tmp_path / "shallow")])


def test_a_folder_that_is_no_repository_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="not a git repository"):
        main(["--repository", str(tmp_path)])
