"""Commits of a work tree, and copies of a commit in which a stage runs."""

import pytest

from copier_mlops.pipeline import snapshot
from copier_mlops.pipeline.apart import collect, run_stage
from tests.package.pipeline.conftest import Pipeline, step
from tests.package.pipeline.test_apart import refusal
from tests.project import commit, run


@pytest.fixture
def repository(pipeline, tmp_path) -> Pipeline:
    """A pipeline in a repository of git, with a data remote whose path is relative to it, and a login."""
    (pipeline.path / ".dvc" / "config").write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n", encoding="utf-8"
    )
    (pipeline.path / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
    (pipeline.path / ".gitignore").write_text("/build\n/first.txt\n/second.txt\n", encoding="utf-8")
    (pipeline.path / ".dvc" / "config.local").write_text(
        "['remote \"other\"']\n    url = ssh://example.org/data\n    password = secret\n", encoding="utf-8"
    )
    pipeline.write({"first": step("first"), "second": step("second", "first.txt")})
    commit(pipeline.path)
    return pipeline


def test_a_work_tree_without_changes_is_its_commit(repository):
    assert snapshot.take(repository.path) == run(repository.path, "git", "rev-parse", "HEAD").strip()


def test_changes_become_a_commit_that_no_branch_has(repository):
    head = run(repository.path, "git", "rev-parse", "HEAD").strip()
    (repository.path / "step.py").write_text("changed", encoding="utf-8")
    (repository.path / "new ü.py").write_text("new", encoding="utf-8")
    (repository.path / "staged.py").write_text("staged", encoding="utf-8")
    run(repository.path, "git", "add", "staged.py")
    before = run(repository.path, "git", "status", "--porcelain")
    found = snapshot.take(repository.path, keep_as="one")
    assert run(repository.path, "git", "rev-parse", f"{found}^").strip() == head
    assert snapshot.take(repository.path) == found
    for name in ("step.py", "new ü.py", "staged.py"):
        assert run(repository.path, "git", "show", f"{found}:{name}") in ("changed", "new", "staged")
    assert run(repository.path, "git", "status", "--porcelain") == before
    assert run(repository.path, "git", "rev-parse", "HEAD").strip() == head
    run(repository.path, "git", "gc", "--quiet", "--prune=now")
    assert run(repository.path, "git", "cat-file", "-t", found).strip() == "commit"


def test_the_files_of_a_commit_are_those_that_git_has_below_the_project(repository, tmp_path):
    (repository.path / "step.py").write_text("changed", encoding="utf-8")
    (repository.path / "below").mkdir()
    (repository.path / "below" / "new ü.py").write_text("new", encoding="utf-8")
    found = snapshot.take(repository.path)
    before = run(repository.path, "git", "status", "--porcelain")
    snapshot.export(repository.path, found, tmp_path / "whole")
    listed = run(repository.path, "git", "-c", "core.quotePath=off", "ls-tree", "-r", "--name-only", found).splitlines()
    files = [each for each in (tmp_path / "whole").rglob("*") if each.is_file()]
    assert sorted(each.relative_to(tmp_path / "whole").as_posix() for each in files) == sorted(listed)
    assert (tmp_path / "whole" / "step.py").read_text(encoding="utf-8") == "changed"
    snapshot.export(repository.path / "below", found, tmp_path / "part")
    assert [each.name for each in (tmp_path / "part").iterdir()] == ["new ü.py"]
    assert run(repository.path, "git", "status", "--porcelain") == before
    with pytest.raises(snapshot.SnapshotError, match=r"the files of none cannot be written: .*\n  fix: git fsck"):
        snapshot.export(repository.path, "none", tmp_path / "none")


def test_stages_in_copies_share_remote_login_and_cache_with_the_repository(repository, tmp_path):
    (repository.path / "step.py").write_text(repository.text("step.py") + "# changed\n", encoding="utf-8")
    found = snapshot.take(repository.path, keep_as="one")
    for name in ("first", "second"):
        with snapshot.copy_of(repository.path, found) as place:
            assert (place / "step.py").read_text(encoding="utf-8").endswith("# changed\n")
            assert "password = secret" in (place / ".dvc" / "config.local").read_text(encoding="utf-8")
            assert run_stage(place, name, "one")
        assert not place.exists()
    assert not (repository.path / "dvc.lock").exists()
    assert (tmp_path / "store" / "executions" / "one").is_dir()
    assert collect(repository.path, "one") == ["first", "second"]
    assert run(repository.path, "git", "status", "--porcelain").split() == ["M", "step.py", "??", "dvc.lock"]


def test_a_project_in_a_folder_of_a_repository_is_copied(repository, tmp_path):
    inner = repository.path / "inner"
    inner.mkdir()
    (inner / "file.txt").write_text("inner", encoding="utf-8")
    found = commit(repository.path)
    with snapshot.copy_of(inner, found) as place:
        assert (place.name, (place / "file.txt").read_text(encoding="utf-8")) == ("inner", "inner")


def test_a_commit_that_is_not_here_is_fetched(repository, tmp_path):
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(repository.path), str(clone))
    (repository.path / "later.txt").write_text("later", encoding="utf-8")
    later = commit(repository.path)
    for name in (later, "origin/main"):
        with snapshot.copy_of(clone, name) as place:
            assert (place / "later.txt").is_file()
    said = refusal(snapshot.resolve, clone, "0" * 40)
    assert f"{clone} does not have the commit {'0' * 40}" in said
    assert "names no commit" in refusal(snapshot.resolve, clone, "--upload-pack=x")


def test_a_repository_without_a_commit_or_without_git_is_refused(pipeline):
    assert "a run needs a commit of git" in refusal(snapshot.take, pipeline.path)
    run(pipeline.path, "git", "init", "--quiet")
    assert "fix: git add --all && git commit" in refusal(snapshot.take, pipeline.path)
