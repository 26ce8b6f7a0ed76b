"""`poe check-changelog` and `poe describe-release`, in a real repository."""

import pytest

from tasks.changelog import check_changelog, describe_release
from tests.project import commit, replace, run


def change(repository, *paths: str, message: str = "Work") -> str:
    """Commit a change of some files and return the short name of the commit."""
    for path in paths:
        with (repository / path).open("a", encoding="utf-8") as file:
            file.write("after\n")
    commit(repository, message)
    return run(repository, "git", "rev-parse", "--short", "HEAD").strip()


def add_line(repository) -> None:
    replace(repository / "CHANGELOG.md", "- Not new.\n", "- Not new.\n- New.\n")
    commit(repository, "Say so")


def refusal(repository, *arguments: str) -> str:
    with pytest.raises(SystemExit) as refused:
        check_changelog(["--repository", str(repository), *arguments])
    return str(refused.value)


def passes(repository, *arguments: str) -> None:
    check_changelog(["--repository", str(repository), *arguments])


@pytest.mark.parametrize("path", ["copier.yml", "extensions/file.txt", "src/file.txt", "template/file.txt"])
def test_a_change_that_users_notice_needs_a_line(repository, path):
    made = change(repository, path)
    said = refusal(repository)
    assert f"{made} changed what users notice" in said and "\n  fix: add a line under `## Unreleased`" in said
    add_line(repository)
    passes(repository)


def test_a_change_that_nobody_notices_needs_none(repository, capsys):
    change(repository, "tests/file.txt", "pyproject.toml")
    passes(repository)
    assert capsys.readouterr().out == "CHANGELOG.md has all needed lines since main\n"


def test_a_commit_may_say_that_users_notice_nothing(repository):
    change(repository, "src/file.txt", message="Rename a variable\n\nChangelog: none")
    passes(repository)
    made = change(repository, "src/file.txt", message="Not so.\n\nThis says changelog: none only in passing.")
    assert f"check-changelog: {made} changed" in refusal(repository)


def test_a_line_of_an_older_release_is_not_enough(repository):
    change(repository, "src/file.txt")
    replace(repository / "CHANGELOG.md", "- Two.\n", "- Two.\n- More.\n")
    commit(repository)
    assert "has no new line" in refusal(repository)


def test_a_line_that_was_only_deleted_is_not_enough(repository):
    change(repository, "src/file.txt")
    replace(repository / "CHANGELOG.md", "- Not new.\n", "")
    commit(repository)
    assert "has no new line" in refusal(repository)


def test_the_heading_of_a_release_is_a_line(repository):
    change(repository, "src/file.txt")
    replace(repository / "CHANGELOG.md", "## Unreleased", "## 0.3.0")
    commit(repository, "Release 0.3.0")
    passes(repository)


def test_what_the_base_got_since_is_not_asked_for(repository):
    run(repository, "git", "switch", "--quiet", "main")
    change(repository, "src/file.txt")
    run(repository, "git", "switch", "--quiet", "work")
    change(repository, "tests/file.txt")
    passes(repository)
    run(repository, "git", "merge", "--quiet", "--message", "Merge", "main")
    passes(repository)


def test_the_remote_has_the_base(repository, tmp_path):
    change(repository, "src/file.txt")
    run(repository, "git", "branch", "--force", "main")
    passes(repository)
    run(tmp_path, "git", "clone", "--quiet", repository.as_uri(), "clone")
    run(tmp_path / "clone", "git", "branch", "main", "origin/main")
    made = change(tmp_path / "clone", "src/file.txt")
    assert f"check-changelog: {made} changed" in refusal(tmp_path / "clone")


def test_a_base_that_git_does_not_know_is_refused(repository):
    said = refusal(repository, "--base", "origin/nowhere")
    assert "no commit that origin/nowhere and this branch share.\n  fix: git fetch" in said


def test_the_notes_of_a_release_are_its_section(repository, capsys):
    describe_release(["0.2.0", "--repository", str(repository)])
    assert capsys.readouterr().out == "Second.\n\n- Two.\n"
    describe_release(["0.1.0", "--repository", str(repository)])
    assert capsys.readouterr().out == "First.\n"


@pytest.mark.parametrize("version", ["0.2", "0.3.0", "Unreleased"])
def test_a_version_without_a_heading_is_refused(repository, version):
    with pytest.raises(SystemExit, match=rf"has no heading for {version}\.\n  fix: add a section `## {version}`"):
        describe_release([version, "--repository", str(repository)])
