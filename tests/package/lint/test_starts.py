"""CI that never starts: a main branch of another name, and a project in a folder of a larger repository."""

import pytest

from copier_mlops.lint.checks.starts import branch_without_main
from copier_mlops.lint.project import Project
from copier_mlops.maturity import evidence
from tests.package.lint.conftest import copy_of, found, ids
from tests.project import commit, registry, run

HOSTS = list(registry("hosts"))
# GitLab's files name the default branch by a variable.
NAMES_MAIN = [host for host in HOSTS if host != "gitlab"]


@pytest.mark.parametrize("level", [1, 4])
@pytest.mark.parametrize("host", HOSTS)
def test_each_host_that_starts_at_main_needs_this_branch(fresh, tmp_path, host, level):
    project = copy_of(fresh(git_host=host, maturity_level=level), tmp_path / "project")
    before = ids(project)
    run(project, "git", "branch", "-m", "master")
    assert ids(project) == sorted([*before, *(["MLO210"] if host in NAMES_MAIN else [])])
    run(project, "git", "branch", "-m", "main")
    assert ids(project) == before


def test_the_finding_names_the_file_the_line_and_the_branch(project):
    run(project, "git", "branch", "-m", "master")
    (finding,) = found(project)
    assert finding.path == ".github/workflows/ci.yml"
    line = (project / finding.path).read_text(encoding="utf-8").splitlines()[finding.line - 1]
    assert line == "    branches: [main]"
    assert finding.message.endswith("your repository has no such branch; you are on `master`")
    evidence_of_it = evidence.by_checks(Project(project), ["MLO2"])
    assert (evidence_of_it.met, "MLO210" in evidence_of_it.text) == (False, True)


def test_a_team_that_changed_the_branch_in_its_files_is_left_alone(project):
    run(project, "git", "branch", "-m", "master")
    file = project / ".github/workflows/ci.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("[main]", "[master]"), encoding="utf-8")
    assert found(project) == []


def test_a_branch_of_work_is_not_a_main_branch(project, tmp_path):
    run(project, "git", "switch", "--quiet", "--create", "work")
    assert found(project) == []
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", "--branch", "work", project.as_uri(), str(clone))
    assert branch_without_main(clone) == ""
    run(project, "git", "branch", "--quiet", "--delete", "--force", "main")
    run(clone, "git", "fetch", "--quiet", "--prune")
    assert branch_without_main(clone) == "work"


@pytest.mark.parametrize("options", [["--single-branch"], ["--depth", "1"]])
def test_a_clone_of_one_branch_knows_no_other(project, tmp_path, options):
    run(project, "git", "switch", "--quiet", "--create", "work")
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", *options, "--branch", "work", project.as_uri(), str(clone))
    assert found(clone) == found(project) == []


def test_a_commit_that_is_checked_out_without_a_branch_is_left_alone(project):
    run(project, "git", "branch", "-m", "master")
    run(project, "git", "checkout", "--quiet", "--detach")
    assert found(project) == []


@pytest.mark.parametrize("host", HOSTS)
def test_ci_files_in_a_folder_of_a_repository_are_named(fresh, tmp_path, host):
    project = copy_of(fresh(git_host=host), tmp_path / "repository" / "models" / "churn")
    before = ids(project)
    (project / ".git").rename(tmp_path / "own")
    commit(tmp_path / "repository")
    assert ids(project) == sorted([*before, "MLO211"])
    assert ids(project, ignore=("MLO211",)) == before
    (finding,) = (each for each in found(project) if each.check == "MLO211")
    name = registry("hosts")[host]["name"]
    assert finding.message == f"{name} does not read CI files in models/churn/, only those at the root"


def test_a_project_without_ci_may_be_a_folder(fresh, tmp_path):
    project = copy_of(fresh(maturity_level=0), tmp_path / "repository" / "churn")
    (project / ".git").rename(tmp_path / "own")
    commit(tmp_path / "repository")
    assert found(project) == []


def test_the_way_out_of_a_folder_is_a_repository_with_its_history(project, tmp_path):
    whole = tmp_path / "repository"
    (whole / "models").mkdir(parents=True)
    (project / ".git").rename(tmp_path / "own")
    inner = project.rename(whole / "models" / "churn")
    commit(whole, "Add the project")
    (inner / "notebooks" / "README.md").write_text("Ours.\n", encoding="utf-8")
    commit(whole, "Write down whose it is")
    run(whole, "git", "subtree", "split", "--prefix", "models/churn", "--branch", "churn")
    alone = tmp_path / "alone"
    run(tmp_path, "git", "init", "--quiet", "--initial-branch", "main", str(alone))
    run(whole, "git", "push", "--quiet", str(alone), "churn:refs/heads/moved")
    run(alone, "git", "reset", "--quiet", "--hard", "moved")
    assert run(alone, "git", "log", "--format=%s").split("\n")[:2] == ["Write down whose it is", "Add the project"]
    assert found(alone) == []
