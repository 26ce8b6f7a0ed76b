"""`poe propose` when somebody else was faster, may do more, or is away: a sentence, and nothing of theirs is lost."""

import shutil

import pytest

from tests.package.hosts.server import Reply
from tests.package.hosts.teams import BRANCH, RESULTS, Team, only, team_of
from tests.project import commit, run


@pytest.fixture
def team(place, tmp_path) -> Team:
    return team_of(place, tmp_path)


@only("github")
def test_a_commit_whose_files_would_start_the_flow_says_that_it_may_not(team):
    team.edit("dvc.yaml", "csv metrics/test.json", "csv src/test.json")
    team.edit("dvc.yaml", "- metrics/test.json", "- src/test.json")
    team.again("second")
    team.train()
    team.propose(HOST_RESULTS="commit")
    assert "src/test.json" in team.git("ls-tree", "-r", "--name-only", "main")
    assert "[skip ci]" in team.git("log", "-1", "--format=%B", "main")


@only("github")
def test_a_branch_that_moves_meanwhile_gets_the_commit_all_the_same(team):
    theirs = team.moved_by("README.md", "# Theirs\n")
    team.hook(
        "read old new ref",
        f'if [ "$(git rev-parse main)" = {theirs} ]; then exit 0; fi',
        f"env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {theirs}",
        "exit 1",
    )
    team.propose(HOST_RESULTS="commit")
    assert team.files("main", theirs) == RESULTS
    assert team.git("show", "main:README.md") == "# Theirs\n"


@only("github")
@pytest.mark.parametrize("how", ["commit", "change_request"])
@pytest.mark.parametrize(
    ("path", "said"),
    [("params.yaml", "another params.yaml than commit"), ("dvc.lock", "another dvc.lock since commit")],
)
def test_results_of_another_commit_than_the_branch_has_are_refused(team, how, path, said):
    theirs = team.moved_by(path, "rate: 3\n")
    team.git("update-ref", "refs/heads/main", theirs)
    assert said in team.propose(code=1, HOST_RESULTS=how)
    assert team.tip("main") == theirs
    assert BRANCH not in team.git("branch", "--list", BRANCH)
    assert (team.clone / "metrics" / "test.json").read_text() == '{"rate": 1.0}'


@only("gitlab")
def test_changes_of_others_do_not_get_into_the_commit(team):
    (team.clone / "README.md").write_text("# Not committed yet\n")
    (team.clone / "ruff.toml").write_text("# Staged\n")
    (team.clone / "notes.txt").write_text("mine\n")
    run(team.clone, "git", "add", "ruff.toml")
    team.propose()
    assert team.files() == RESULTS


@only("gitlab")
def test_results_that_do_not_belong_to_the_commit_are_refused(team):
    (team.clone / "params.yaml").write_text("rate: 5\n")
    assert "params.yaml decide the results, and have uncommitted changes" in team.propose(code=1)
    run(team.clone, "git", "commit", "--quiet", "--all", "--message", "Another rate")
    assert "the results of train are of other code, data or parameters" in team.propose(code=1)
    assert team.requests() == [] and not team.git("branch", "--list", BRANCH)


@only("bitbucket")
def test_commits_of_others_on_the_branch_are_not_lost(team):
    team.propose()
    made = team.git("commit-tree", f"{BRANCH}^{{tree}}", "-p", BRANCH, "-m", "A correction").strip()
    team.git("update-ref", f"refs/heads/{BRANCH}", made)
    assert f"somebody has committed to {BRANCH}" in team.propose(code=1)
    assert team.tip() == made


@only("github")
def test_a_run_that_was_faster_is_not_overwritten(team):
    theirs = team.moved_by("README.md", "# Theirs\n")
    team.hook(f"env -u GIT_QUARANTINE_PATH git update-ref refs/heads/{BRANCH} {theirs}", "exit 1")
    assert f"somebody has pushed to {BRANCH} meanwhile" in team.propose(code=1)
    assert team.tip() == theirs
    assert team.requests() == []


@only("azure_devops")
@pytest.mark.parametrize(
    ("how", "fix"),
    [("change_request", "give HOST_TOKEN the right to push"), ("commit", "write `results: change_request`")],
)
def test_a_token_that_may_not_push_is_a_sentence(team, how, fix):
    team.hook("echo closed for today", "exit 1")
    printed = team.propose(code=1, HOST_RESULTS=how)
    assert "git push was refused" in printed and "closed for today" in printed and fix in printed
    assert team.requests() == []


def test_a_host_that_is_away_costs_nothing_and_the_next_attempt_opens_the_request(team):
    team.place.server.first = [Reply({"message": "away"}, 503)] * 20
    assert "has an error of its own (503)" in team.propose(code=1)
    assert team.files() == RESULTS
    tip, team.place.server.first = team.tip(), []
    team.propose()
    assert [head for head, _, _ in team.requests()] == [BRANCH]
    assert team.tip() == tip


@only("gitlab")
def test_a_remote_that_is_away_is_a_sentence(team):
    team.remote.rename(team.remote.with_name("gone"))
    assert "git ls-remote was refused" in team.propose(code=1)
    run(team.clone, "git", "symbolic-ref", "HEAD", "refs/heads/without-commits")
    assert "git has no commit of this project" in team.propose(code=1)


@only("github")
def test_a_request_that_a_person_closed_stays_closed_until_there_are_other_results(team):
    team.propose()
    team.place.fake.close(team.place.state.pulls[0])
    assert "was closed; the results of the next training are proposed again" in team.propose()
    assert len(team.requests()) == 1
    team.edit("params.yaml", "1", "2")
    team.again("second")
    team.train()
    team.propose()
    assert len(team.requests()) == 2


@only("github")
def test_an_open_request_that_is_of_no_use_any_more_is_named(team):
    team.propose()
    lock = team.clone / "dvc.lock"
    shutil.copy(lock, team.origin / "dvc.lock")
    for name in ("metrics", "plots"):
        shutil.copytree(team.clone / name, team.origin / name)
    commit(team.origin, "By hand")
    run(team.origin, "git", "push", "--quiet", "origin", "main")
    team.again("second")
    assert "is of an earlier training: close it" in team.propose()
