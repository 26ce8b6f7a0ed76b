"""`poe propose`: the results of a real DVC, a real remote of git, and a server for the host's API."""

import contextlib
import json
import shutil
import subprocess
import sys

import pytest

from copier_mlops.pipeline import results
from tests.package.hosts.conftest import HOSTS
from tests.package.hosts.fakes.kept import zipped
from tests.package.hosts.server import TOKEN
from tests.package.hosts.teams import BRANCH, PAGE, PATH, RESULTS, Team, only, team_of
from tests.project import commit, run
from tests.run.project import commands


@pytest.fixture
def team(place, tmp_path) -> Team:
    return team_of(place, tmp_path)


def test_trainings_have_one_change_request_and_after_its_merge_nothing_runs(team):
    printed = team.propose()
    assert f"{BRANCH} has {', '.join(RESULTS)}" in printed
    assert team.files() == RESULTS
    assert team.git("rev-parse", f"{BRANCH}^") == team.git("rev-parse", "main")
    ((head, base, text),) = team.requests()
    assert (head, base) == (BRANCH, "main")
    assert "| `metrics/test.json` | `rate` | – | `1` | – |" in text
    assert team.tip("main") in text
    tip, writes = team.tip(), len(team.place.server.writes())
    team.propose()
    assert (team.tip(), len(team.place.server.writes())) == (tip, writes)

    team.edit("params.yaml", "1", "2")
    team.again("second")
    team.train()
    team.propose()
    assert team.tip() != tip
    ((_, _, text),) = team.requests()
    assert "| `metrics/test.json` | `rate` | – | `2` | – |" in text
    assert team.git("show", f"{BRANCH}:metrics/test.json") == '{"rate": 2.0}'

    team.git("update-ref", "refs/heads/main", BRANCH)
    lock = team.git("show", "main:dvc.lock")
    cache = team.clone / ".dvc" / "cache"
    team.again("merged")
    shutil.copytree(cache, team.clone / ".dvc" / "cache")
    printed = team.train()
    assert "Running stage" not in printed
    assert (team.clone / "dvc.lock").read_text() == lock
    tip = team.tip()
    assert "nothing to propose" in team.propose()
    assert team.tip() == tip


def test_a_commit_goes_to_the_branch_that_was_trained(team):
    main = team.tip("main")
    assert "main has dvc.lock" in team.propose(HOST_RESULTS="commit")
    assert team.files("main", main) == RESULTS
    assert team.git("rev-parse", "main^").strip() == main
    assert "[skip ci]" not in team.git("log", "-1", "--format=%B", "main")
    assert team.requests() == []
    team.again("second")
    assert "nothing to propose" in team.propose(HOST_RESULTS="commit")


@only("github")
def test_what_the_job_train_kept_is_proposed_by_another_job(team):
    with contextlib.chdir(team.clone):
        results.keep(team.clone)
    kept = team.clone / "build" / "train"
    commit_of = json.loads((kept / "results.json").read_text())["commit"]
    assert commit_of == team.tip("main")
    team.again("job")
    shutil.copytree(kept, team.clone / "build" / "train")
    (team.clone / "metrics").mkdir()
    (team.clone / "metrics" / "test.json").write_text("{}")
    assert "metrics/test.json: changed here" in team.propose("--kept", code=1)
    (team.clone / "metrics" / "test.json").unlink()
    team.propose("--kept")
    assert team.files() == RESULTS
    document = team.clone / "build" / "train" / "results.json"
    told = json.loads(document.read_text())
    document.write_text(json.dumps(told | {"files": ["README.md"]}))
    assert "README.md, which no stage of dvc.yaml writes" in team.propose("--kept", code=1)
    document.write_text(json.dumps(told | {"commit": "f" * 40}))
    assert f"fix: git switch --detach {'f' * 40}" in team.propose("--kept", code=1)
    document.unlink()
    assert "build/train/results.json is not here" in team.propose("--kept", code=1)


@only("github")
def test_without_a_token_or_a_remote_a_laptop_keeps_the_results_in_its_work_tree(team):
    person = dict.fromkeys(team.place.variables)
    assert "commit them, or set HOST_TOKEN" in team.propose(**person)
    run(team.clone, "git", "remote", "remove", "origin")
    assert "has no remote `origin`" in team.propose(**person)
    printed = team.propose("--local", **person)
    assert f"git push origin {BRANCH}" in printed
    assert run(team.clone, "git", "diff", "--name-only", "HEAD", BRANCH).split() == RESULTS
    team.propose("--local", **person)
    assert "nothing to do" in team.propose(HOST_RESULTS="none", **person)


def test_a_laptop_with_a_token_stays_clean_after_a_commit(team):
    clone = team.clone.with_name("laptop")
    run(clone.parent, "git", "clone", "--quiet", team.remote.as_uri(), str(clone))
    (clone / "data" / "raw.csv").write_text("1\n")
    (clone / "README.md").write_text("# Mine\n")
    team.place.tree = clone
    repository = "acme/K I/kredit" if team.place.name == "azure_devops" else "acme/kredit"
    token, api = team.place.variables["HOST_TOKEN"], team.place.server.url
    team.place.variables = {"HOST_TOKEN": token, "HOST_API": api, "HOST_REPOSITORY": repository}
    team.place.expect_a_person()
    team.train()
    team.propose(HOST_RESULTS="commit")
    assert run(clone, "git", "status", "--porcelain").split() == ["M", "README.md"]
    assert run(clone, "git", "rev-parse", "HEAD").strip() == team.tip("main")


@only("github")
def test_forgejo_whose_api_is_not_called_gets_the_branch(place, trees, tmp_path):
    place.tree, place.variables = trees("forgejo"), {}
    team = team_of(place, tmp_path)
    assert f"{BRANCH} is pushed; open a pull request for it, with this text:" in team.propose()
    assert team.files() == RESULTS


@only("github")
def test_a_run_apart_is_collected_and_proposed_in_a_clean_clone(team, tmp_path):
    store = tmp_path / "store"
    (team.origin / ".dvc" / "config").write_text(f"[core]\n    remote = s\n['remote \"s\"']\n    url = {store}\n")
    commit(team.origin, "A data remote")
    run(team.origin, "git", "push", "--quiet", "origin", "main")
    subprocess.run([sys.executable, "-m", "dvc", "--quiet", "push"], cwd=team.origin, check=True)
    for name in ("prepare", "train"):
        team.again(name)
        team.place.run("stage", name, "--run", "one", **PATH)
    team.again("home")
    before = run(team.clone, "git", "status", "--porcelain")
    printed = team.place.run("collect", "--run", "one", "--commit", "origin/main", "--propose")
    assert "collect: dvc.lock has the results of 2 stages of the run one" in printed
    assert run(team.clone, "git", "status", "--porcelain") == before
    assert team.files() == RESULTS
    assert len(team.requests()) == 1
    assert "nothing was changed here" in team.place.run("collect", "--run", "two", "--propose", code=1)


@only("github")
def test_the_page_on_a_laptop(team, tmp_path):
    laptop, kept = tmp_path / "laptop", team.clone / "build" / "train"
    run(tmp_path, "git", "clone", "--quiet", team.remote.as_uri(), str(laptop))
    with contextlib.chdir(team.clone):
        results.keep(team.clone)
    (laptop / "data" / "raw.csv").write_text("1\n")
    place = team.place
    place.state.archives = {
        "train": zipped({file.relative_to(kept).as_posix(): file.read_text() for file in kept.rglob("*.*")})
    }
    place.state.commit = head = team.tip("main")
    place.tree, place.variables = (
        laptop,
        {"HOST_TOKEN": TOKEN, "HOST_API": place.server.url, "HOST_REPOSITORY": "acme/kredit"},
    )
    team.train()

    def follow(line: str) -> str:
        line = line.replace("COMMIT", head)
        task = line.removeprefix("uv run poe ")
        return run(laptop, *line.split()) if task == line else place.run(*task.split())

    first, local, push, fetch, detach, again, back = commands(PAGE)
    assert f"{BRANCH} has" in follow(first)
    team.git("branch", "--delete", "--force", BRANCH)
    assert push in follow(local)
    follow(push)
    assert team.files() == RESULTS
    run(laptop, "git", "stash", "--quiet", "--include-untracked")
    follow(fetch)
    follow(detach)
    team.git("branch", "--delete", "--force", BRANCH)
    follow(again)
    assert team.files() == RESULTS
    follow(back)


@pytest.mark.parametrize("host", HOSTS)
def test_each_host_says_which_branch_it_runs(place):
    variable = place.adapter().ref
    assert place.adapter(**{variable: "refs/heads/topic/one"}).branch() == "topic/one"
    assert place.adapter(**{variable: "refs/tags/v1"}).branch() == ""
    assert place.adapter().branch() == ""
