"""What git knows, and what can be said without it; from any folder, in a part of a repository."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from copier_mlops.lint.cli import main
from tests.package.lint.conftest import found, ids
from tests.platforms import require_links
from tests.project import run


def test_a_project_without_git_says_what_was_not_checked(project):
    shutil.rmtree(project / ".git")
    (project / "data" / "raw" / "ours.parquet").write_bytes(b"PAR1")
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    assert ids(project) == ["MLO002", "MLO101"]
    (said,) = (finding.message for finding in found(project) if finding.check == "MLO002")
    assert "not a git repository" in said
    assert "MLO501 to MLO503" in said


def test_what_is_ignored_is_not_looked_at_without_git_either(project):
    shutil.rmtree(project / ".git")
    (project / "build").mkdir()
    (project / "build" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    assert ids(project) == ["MLO002"]


def test_a_folder_that_was_not_generated(tmp_path):
    assert ids(tmp_path) == ["MLO002", "MLO111"]


def test_without_git_on_this_machine(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "MLO002" in ids(project)


@pytest.mark.parametrize("folder", ["src/german_credit", "data", "."])
def test_from_any_folder_of_the_project(project, folder, monkeypatch, capsys):
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    monkeypatch.chdir(project / folder)
    assert main(["--format", "json"]) == 1
    assert [finding["path"] for finding in json.loads(capsys.readouterr().out)["findings"]] == ["docs/x.md"]


def test_a_project_in_a_folder_of_a_repository(project, tmp_path, lint):
    shutil.rmtree(project / ".git")
    run(tmp_path, "git", "init", "--quiet")
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    (tmp_path / "other.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    run(tmp_path, "git", "add", "--all")
    code, said, _ = lint(project / "src", "--format", "github")
    assert code == 1
    assert "::error file=project/docs/x.md,line=1," in said
    assert all(line.startswith("::error file=project/") for line in said.splitlines())


def test_the_answers_file_of_a_folder_around_the_repository_is_not_its_own(project):
    inner = project / "inner"
    inner.mkdir()
    run(inner, "git", "init", "--quiet")
    assert "MLO111" in ids(inner)


def test_a_file_in_conflict(project):
    run(project, "git", "switch", "--quiet", "--create", "ours")
    for branch, text in (("ours", "ours\n"), ("main", "theirs\n")):
        run(project, "git", "switch", "--quiet", branch)
        (project / "README.md").write_text(text, encoding="utf-8")
        run(project, "git", "commit", "--all", "--quiet", "--message", branch)
    subprocess.run(["git", "merge", "ours"], cwd=project, capture_output=True, check=False)
    (project / "README.md").write_text("fixed, but not added\n", encoding="utf-8")
    assert [(each.check, each.path) for each in found(project)] == [("MLO101", "README.md")]


def test_a_file_that_is_gone_but_still_in_the_index(project):
    (project / "docs" / "code" / "README.md").unlink()
    assert found(project) == []


def test_nothing_that_the_repository_configures_is_started(project, tmp_path):
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n", encoding="utf-8")
    hook.chmod(0o755)
    run(project, "git", "config", "core.fsmonitor", str(hook))
    assert found(project) == []
    assert not (tmp_path / "started").exists()


def test_only_what_is_said_of_the_given_paths(project, lint, monkeypatch):
    for name in ("docs/x.md", "src/y.md"):
        (project / name).write_text("<" * 7 + " a\n", encoding="utf-8")
    (project / ".github" / "workflows" / "ci.yml").unlink()
    code, said, _ = lint(project, str(project / "docs" / "x.md"))
    assert code == 1 and "docs/x.md:1: MLO101" in said and "src/y.md" not in said and "MLO202" not in said
    monkeypatch.chdir(project / "src")
    code, said, _ = lint(project, ".")
    assert "src/y.md:1: MLO101" in said and "docs/x.md" not in said
    assert lint(project, str(project / "README.md"))[0] == 0
    assert lint(project, str(project / "nothing.md"))[0] == 2
    assert lint(project, os.devnull)[0] == 2


def test_a_folder_that_is_not_there(tmp_path, lint):
    code, _, said = lint(tmp_path / "nothing")
    assert code == 2 and "is not a folder" in said


def test_a_path_with_a_link_around_the_project(project, tmp_path, lint):
    require_links(tmp_path)
    link = Path(tmp_path / "link")
    link.symlink_to(project, target_is_directory=True)
    (project / "docs" / "x.md").write_text("<" * 7 + " a\n", encoding="utf-8")
    code, said, _ = lint(link, str(link / "docs" / "x.md"))
    assert code == 1 and "docs/x.md:1: MLO101" in said
