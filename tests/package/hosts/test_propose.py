"""`poe propose`: the results of a real DVC, a real remote of git, and a server for the host's API."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from copier_mlops.pipeline import results
from tests.package.hosts.conftest import HOSTS, Place
from tests.package.hosts.fakes.kept import zipped
from tests.package.hosts.server import TOKEN, Reply
from tests.project import TEMPLATE, commit, replace, run
from tests.run.project import commands

PAGE = (TEMPLATE / "docs" / "how-to" / "results.md").read_text(encoding="utf-8")
BRANCH = "training-results/main"
PIPELINE = """\
stages:
  prepare:
    cmd: python src/step.py data/raw.csv build/prepared.csv
    deps: [data/raw.csv, src/step.py]
    outs: [build/prepared.csv]
  train:
    cmd: python src/step.py build/prepared.csv metrics/test.json plots/roc.csv build/model
    deps: [build/prepared.csv, src/step.py]
    params: [rate]
    outs: [build/model]
    metrics:
      - metrics/test.json: {cache: false}
    plots:
      - plots/roc.csv: {cache: false}
"""
STEP = """\
import json, pathlib, sys
deps, *outs = sys.argv[1:]
rate = float(pathlib.Path("params.yaml").read_text().split()[1])
for out in map(pathlib.Path, outs):
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"rate": rate}) if out.suffix == ".json" else f"x,y{chr(10)}0,{rate}{chr(10)}")
print("ran", outs)
"""
# `python` of a stage is that of the tests.
PATH = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
RESULTS = ["dvc.lock", "metrics/test.json", "plots/roc.csv"]


@dataclass
class Team:
    """A project on its host, whose work tree is a shallow clone of one commit, as a runner has it."""

    place: Place
    remote: Path
    origin: Path

    @property
    def clone(self) -> Path:
        return self.place.tree

    def git(self, *words: str) -> str:
        return run(self.remote, "git", *words)

    def train(self) -> str:
        """Run the pipeline in the clone."""
        command = [sys.executable, "-m", "dvc", "repro"]
        done = subprocess.run(
            command, cwd=self.clone, env=os.environ | PATH, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def edit(self, path: str, old: str, new: str) -> None:
        """Somebody changes a file of the main branch."""
        replace(self.origin / path, old, new)
        commit(self.origin)
        run(self.origin, "git", "push", "--quiet", "origin", "main")

    def again(self, name: str) -> None:
        """Go on in a clone of the newest commit, with a detached HEAD."""
        self.place.tree = self.remote.parent / name
        source = self.remote.as_uri()
        run(self.remote.parent, "git", "clone", "--quiet", "--depth", "1", source, str(self.clone))
        run(self.clone, "git", "checkout", "--quiet", "--detach")
        run(self.clone, "git", "branch", "--quiet", "--delete", "main")
        (self.clone / "data" / "raw.csv").write_text("1\n")

    def propose(self, *words: str, code: int = 0, **variables: str | None) -> str:
        before = run(self.clone, "git", "status", "--porcelain")
        printed = self.place.run("propose", *words, code=code, **variables)
        if "--kept" not in words and variables.get("HOST_RESULTS") != "commit":
            assert run(self.clone, "git", "status", "--porcelain") == before
        assert code == 0 or "\n  fix: " in printed
        return printed

    def requests(self) -> list[tuple[str, str, str]]:
        return [self.place.fake.told(pull) for pull in self.place.state.pulls]

    def files(self, branch: str = BRANCH, base: str = "main") -> list[str]:
        return self.git("diff", "--name-only", base, branch).split()

    def tip(self, branch: str = BRANCH) -> str:
        return self.git("rev-parse", branch).strip()

    def hook(self, *lines: str) -> None:
        path = self.remote / "hooks" / "pre-receive"
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)

    def moved_by(self, path: str, text: str) -> str:
        """A commit of somebody on main that is not pushed to it yet, and is in the remote."""
        (self.origin / path).write_text(text, encoding="utf-8")
        made = commit(self.origin, "Theirs")
        run(self.origin, "git", "push", "--quiet", "origin", "HEAD:refs/heads/theirs")
        return made.strip()


def team_of(place: Place, folder: Path) -> Team:
    """A team that has pushed its pipeline, and a runner that has trained."""
    origin, remote = folder / "origin", folder / "remote.git"
    shutil.copytree(place.tree, origin, ignore=shutil.ignore_patterns(".git", "build", "src", "data"))
    (origin / "src").mkdir()
    (origin / "data").mkdir()
    (origin / "data" / "raw.csv").write_text("1\n")
    (origin / "src" / "step.py").write_text(STEP)
    (origin / "dvc.yaml").write_text(PIPELINE)
    (origin / "params.yaml").write_text("rate: 1\n")
    # Files of older projects do not have the key; its default counts.
    replace(origin / "operation" / "configuration" / "host.yaml", "results: change_request\n", "")
    commit(origin, "Ours")
    subprocess.run([sys.executable, "-m", "dvc", "--quiet", "add", "data/raw.csv"], cwd=origin, check=True)
    run(origin, "git", "add", "--force", "data/raw.csv.dvc")
    commit(origin, "Data")
    run(folder, "git", "clone", "--quiet", "--bare", str(origin), str(remote))
    run(origin, "git", "remote", "add", "origin", remote.as_uri())
    found = Team(place, remote, origin)
    found.again("clone")
    found.train()
    return found


@pytest.fixture
def team(place, tmp_path) -> Team:
    return team_of(place, tmp_path)


def only(*hosts: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("host", hosts, indirect=True)


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
