"""`poe template-update`: one branch and one request for what is new, on local repositories and servers for hosts."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import copier
import pytest

from copier_mlops.fleet.proposal import Update, describe
from tests.package.hosts.conftest import HOSTS
from tests.package.hosts.server import Server
from tests.project import commit, copy_project, copy_template, files, registry, run
from tests.run.private import TOKEN, private
from tests.update.conftest import BEFORE, NEW_MANAGED, NOW

BRANCH = f"template-update/{NOW}"
TITLE = f"Update the template to {NOW}"
PYPROJECT = '[project]\nname = "ours"\nversion = "0.1.0"\nrequires-python = ">=3.11"\ndependencies = []\n'
ANSWERS_FILE = "{{ _copier_answers | to_nice_yaml }}"
INTERVIEW = '_templates_suffix: .jinja\n_exclude: [copier.yml, ".git"]\ngit_host: {type: str, default: github}\n'


@pytest.fixture(scope="session")
def configuration(tmp_path_factory) -> Callable[[str], Path]:
    """How a host is set up; and the copier that the task runs, so that no other test asks the package index."""
    command = ["uv", "tool", "run", "--from", f"copier=={registry('tested')['copier']}", "copier", "--version"]
    run(tmp_path_factory.getbasetemp(), *command)
    template = copy_template(tmp_path_factory.mktemp("template"))
    made: dict[str, Path] = {}

    def rendered(host: str) -> Path:
        if host not in made:
            made[host] = copy_project(template, tmp_path_factory.mktemp(host) / "p", git_host=host, maturity_level=3)
        return made[host] / "operation" / "configuration"

    return rendered


def release(template: Path, tag: str, text: str) -> None:
    """One more version of a template with one file, which is quick to update from."""
    template.mkdir(exist_ok=True)
    (template / "copier.yml").write_text(INTERVIEW)
    (template / "{{ _copier_conf.answers_file }}.jinja").write_text(ANSWERS_FILE)
    (template / "shared.txt").write_text(text)
    commit(template, tag)
    run(template, "git", "tag", tag)


class Home:
    """A project of the version before, its remote, and its host."""

    def __init__(self, host: str, folder: Path, server: Server) -> None:
        self.host = host
        self.project, self.remote, self.template = (folder / name for name in ("project", "remote.git", "small"))
        self.variables = {"UV_LOCKED": "1", "UV_OFFLINE": "1"}
        if host != "forgejo":
            self.fake = importlib.import_module(f"tests.package.hosts.fakes.{host}")
            self.state = self.fake.install(server)
            self.variables |= self.fake.runner(server, folder)

    def render(self, configuration: Path, prefix: str = "") -> None:
        """A project of the host that gets its updates from a small template."""
        release(self.template, prefix + BEFORE, "first\n")
        release(self.template, prefix + NOW, "second\n")
        options = {"defaults": True, "quiet": True, "settings": copier.Settings()}
        answers = {"git_host": self.host}
        copier.run_copy(str(self.template), self.project, data=answers, vcs_ref=prefix + BEFORE, **options)
        shutil.copytree(configuration, self.project / "operation" / "configuration")
        (self.project / "pyproject.toml").write_text(PYPROJECT)
        (self.project / ".gitignore").write_text("/build/\n")

    def publish(self) -> None:
        """The project with its work is on the host."""
        commit(self.project)
        if self.remote.exists():
            run(self.project, "git", "push", "--quiet", "origin", "main")
        else:
            run(self.project, "git", "clone", "--quiet", "--bare", ".", str(self.remote))
            run(self.project, "git", "remote", "add", "origin", self.remote.as_uri())

    def update(self, *arguments: str, code: int = 0, where: Path | None = None, **variables: str) -> str:
        """What the task prints in a run on the host."""
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        done = subprocess.run(
            [sys.executable, "-m", "copier_mlops.cli", "template-update", *arguments],
            cwd=where or self.project,
            env=environment | self.variables | variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == code, printed
        assert "Traceback" not in printed, printed
        assert self.variables.get("HOST_TOKEN", "no token") not in printed
        return printed

    def branches(self) -> list[str]:
        return run(self.remote, "git", "for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def tip(self, branch: str = BRANCH) -> str:
        return run(self.remote, "git", "rev-parse", branch)

    def work_on(self, branch: str, *message: str) -> str:
        """A person's commit on a branch of the host."""
        run(self.remote, "git", "branch", "--force", branch, "main")
        parts = [part for text in message for part in ("-m", text)]
        made = run(self.remote, "git", "commit-tree", f"{branch}^{{tree}}", "-p", branch, *parts).strip()
        run(self.remote, "git", "update-ref", f"refs/heads/{branch}", made)
        return self.tip(branch)

    def requests(self) -> list[tuple[str, str, str]]:
        return [self.fake.told(pull) for pull in self.state.pulls]


@pytest.fixture
def bare(request, tmp_path) -> Iterator[Home]:
    with Server() as server:
        yield Home(getattr(request, "param", "github"), tmp_path, server)
        assert server.problems == []


@pytest.fixture
def home(request, bare, configuration) -> Home:
    """On GitHub, where no test says something else."""
    bare.render(configuration(getattr(request, "param", "github")))
    bare.publish()
    return bare


def on(*hosts: str) -> pytest.MarkDecorator:
    """The test runs on these hosts."""
    return pytest.mark.parametrize(("bare", "home"), [(host, host) for host in hosts], ids=hosts, indirect=True)


def test_twice_opens_one_request_and_touches_nobodys_work(bare, history):
    copy_project(history, bare.project, BEFORE, maturity_level=3)
    bare.publish()
    del bare.variables["UV_OFFLINE"]
    (bare.project / "notes.txt").write_text("mine\n")
    (bare.project / "README.md").write_text("# Not committed yet\n")
    before = files(bare.project)
    assert "Nothing is in conflict" in bare.update()
    assert files(bare.project) == before
    assert bare.branches() == ["main", BRANCH]
    assert NEW_MANAGED in run(bare.remote, "git", "ls-tree", "-r", "--name-only", BRANCH)
    assert "uv.lock" in run(bare.remote, "git", "diff", "--name-only", "main", BRANCH)
    ((head, base, _),) = bare.requests()
    assert (head, base) == (BRANCH, "main")
    tip = bare.tip()
    assert "is open" in bare.update()
    assert len(bare.requests()) == 1
    assert bare.tip() == tip
    run(bare.project, "git", "merge-base", "--is-ancestor", "main", tip.strip())


@on(*HOSTS)
def test_a_conflict_is_named_in_the_one_request(home):
    (home.project / "shared.txt").write_text("ours\n")
    home.publish()
    before = files(home.project)
    assert "- `shared.txt`" in home.update()
    assert "is open" in home.update()
    assert files(home.project) == before
    assert home.branches() == ["main", BRANCH]
    assert "<<<<<<<" in run(home.remote, "git", "show", f"{BRANCH}:shared.txt")
    assert 'name = "ours"' in run(home.remote, "git", "show", f"{BRANCH}:uv.lock")
    ((head, base, text),) = home.requests()
    assert (head, base) == (BRANCH, "main")
    for line in ("- `shared.txt`", f"git switch {BRANCH}", "uv lock", "uv run poe setup", "uv run poe doctor"):
        assert line in text.splitlines()


@on("forgejo")
def test_a_host_without_the_flow_gets_the_branch(home):
    assert f"{BRANCH} is pushed; open a pull request for it" in home.update()
    tip = home.tip()
    assert run(home.remote, "git", "show", f"{BRANCH}:shared.txt") == "second\n"
    assert f"{BRANCH} is pushed; open a pull request for it" in home.update()
    assert home.tip() == tip


def test_a_shallow_clone_of_other_work_is_enough(home, tmp_path):
    home.work_on("other", "Other work")
    source = home.remote.as_uri()
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", "--branch", "other", source, "shallow")
    home.update(where=tmp_path / "shallow")
    assert home.branches() == ["main", "other", BRANCH]
    assert len(home.requests()) == 1
    assert run(home.remote, "git", "log", "--format=%s", f"main..{BRANCH}").splitlines() == [TITLE]


def test_what_a_killed_run_left_is_no_obstacle_and_a_branch_here_is_left_alone(home):
    folder = home.project / "build" / "template-update"
    run(home.project, "git", "worktree", "add", "--quiet", "-b", BRANCH, str(folder))
    (folder / "shared.txt").write_text("half of an update\n")
    commit(folder, "Mended here, not pushed yet")
    mine = run(home.project, "git", "rev-parse", BRANCH)
    run(home.project, "git", "worktree", "lock", str(folder))
    home.update()
    assert run(home.remote, "git", "show", f"{BRANCH}:shared.txt") == "second\n"
    assert run(home.project, "git", "rev-parse", BRANCH) == mine
    assert not folder.exists()
    assert len(run(home.project, "git", "worktree", "list").splitlines()) == 1


def test_a_run_that_was_killed_before_it_asked_for_the_request_is_ended(home):
    home.work_on(BRANCH, TITLE, "What was proposed.")
    run(home.remote, "git", "update-ref", "refs/heads/main", f"{BRANCH}~1")
    tip = home.tip()
    home.update()
    assert home.requests() == [(BRANCH, "main", "What was proposed.")]
    assert home.tip() == tip


def test_a_request_that_a_person_closed_stays_closed(home):
    home.state.pulls.append({"head": BRANCH, "base": "main", "body": "", "state": "closed", "html_url": "the-first"})
    assert "the-first was closed" in home.update()
    assert home.branches() == ["main"]
    assert len(home.requests()) == 1


def test_a_newer_version_gets_a_request_that_names_the_one_it_replaces(home):
    tip = home.work_on(BRANCH, "Mended by a person")
    home.state.pulls.append({"head": BRANCH, "base": "main", "body": "", "state": "open", "html_url": "the-first"})
    release(home.template, "1002.0.0", "third\n")
    home.update()
    assert home.tip() == tip
    assert run(home.remote, "git", "show", "template-update/1002.0.0:shared.txt") == "third\n"
    _, (head, _, text) = home.requests()
    assert head == "template-update/1002.0.0"
    assert "It replaces the-first, which can be closed." in text


def test_no_program_of_others_gets_the_token(home, tmp_path):
    program, said = tmp_path / "bin" / "uv", tmp_path / "said"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "token:$HOST_TOKEN" >> {said}\nexec {shutil.which("uv")} "$@"\n')
    program.chmod(0o755)
    home.variables["PATH"] = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    home.update()
    assert said.read_text().splitlines() == ["token:"] * 3


def test_a_lock_that_cannot_be_made_is_said_in_the_request(home):
    text = PYPROJECT.replace("[]", '["nobody-has-this-package-here"]')
    (home.project / "pyproject.toml").write_text(text)
    home.publish()
    home.update()
    ((_, _, text),) = home.requests()
    assert "`uv.lock` could not be updated: `" in text
    assert "uv lock" in text.splitlines()
    assert run(home.remote, "git", "show", f"{BRANCH}:shared.txt") == "second\n"


def test_many_conflicts_leave_room_for_how_to_mend_them():
    conflicts = [f"operation/execution/release/a_file_with_a_long_name_{number:03}.py" for number in range(100)]
    text = describe(Update(BEFORE, NOW), conflicts, "x" * 200, ["git fetch origin"], [])
    assert "- and 70 more" in text.splitlines()
    assert text.splitlines()[-2:] == ["git push", "```"]
    assert len(text) < 4000, "Azure DevOps cuts it there"


def hook(home: Home, *lines: str) -> None:
    path = home.remote / "hooks" / "pre-receive"
    path.write_text("\n".join(["#!/bin/sh", *lines, "exit 1", ""]))
    path.chmod(0o755)


def test_the_branch_of_a_run_that_was_faster_stays(home):
    theirs = home.work_on("theirs", TITLE, "What was proposed.")
    hook(home, f"env -u GIT_QUARANTINE_PATH git update-ref refs/heads/{BRANCH} {theirs}")
    home.update()
    assert home.tip() == theirs
    assert [head for head, _, _ in home.requests()] == [BRANCH]


def test_a_remote_that_refuses_is_named(home):
    hook(home, "echo closed for today")
    printed = home.update(code=1)
    assert "git push was refused" in printed
    assert "fix: the secret TEMPLATE_UPDATE_TOKEN" in printed
    assert home.requests() == []


def test_what_is_new_already_is_not_proposed(home):
    answers = home.project / ".copier-answers.yml"
    answers.write_text(answers.read_text(encoding="utf-8").replace(BEFORE, NOW), encoding="utf-8")
    home.publish()
    assert "has the newest version" in home.update()
    assert home.branches() == ["main"]


def test_a_template_that_is_away_is_named_and_leaves_nothing_behind(home):
    home.template.rename(home.template.with_name("gone"))
    before = files(home.project)
    assert "template-update: " in home.update(code=1)
    assert files(home.project) == before
    assert home.branches() == ["main"]


def test_here_it_makes_a_branch_once_and_pushes_nothing(bare, configuration):
    bare.render(configuration("github"), prefix="v")
    commit(bare.project)
    bare.variables = {name: text for name, text in bare.variables.items() if name.startswith("UV_")}
    assert "Nothing is in conflict" in bare.update("--local")
    assert run(bare.project, "git", "show", f"{BRANCH}:shared.txt") == "second\n"
    assert run(bare.project, "git", "log", "--format=%s", f"main..{BRANCH}").splitlines() == [TITLE]
    assert f"{BRANCH} exists already" in bare.update("--local", code=1)


@pytest.fixture
def hidden(home, tmp_path) -> Iterator[Home]:
    """Its template is private, on a server that wants a login, and has a package that the project is pinned to."""
    run(tmp_path, "git", "clone", "--quiet", str(home.template), "work")
    (tmp_path / "work" / "package").mkdir()
    (tmp_path / "work" / "package" / "pyproject.toml").write_text('[project]\nname = "small"\nversion = "1.0"\n')
    rev = commit(tmp_path / "work")
    run(tmp_path, "git", "clone", "--quiet", "--bare", "work", "small.git")
    with private(tmp_path) as server:
        address = f"{server.url}/{tmp_path.name}/small.git"
        answers = home.project / ".copier-answers.yml"
        text = answers.read_text(encoding="utf-8").replace(str(home.template), address)
        answers.write_text(text, encoding="utf-8")
        pin = f'[tool.uv.sources]\nsmall = {{ git = "{address}", rev = "{rev}", subdirectory = "package" }}\n'
        (home.project / "pyproject.toml").write_text(PYPROJECT.replace("[]", '["small"]') + pin)
        home.publish()
        del home.variables["UV_OFFLINE"]
        home.variables |= {"COPIER_CACHE_DIR": str(tmp_path / "mirrors"), "GIT_TERMINAL_PROMPT": "0"}
        # The machine has a setting of its own already.
        home.variables |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "gc.auto", "GIT_CONFIG_VALUE_0": "0"}
        home.logins = server.logins
        yield home


@on("github", "bitbucket")
def test_a_private_template_is_read_with_its_token(hidden):
    printed = hidden.update(TEMPLATE_TOKEN=TOKEN)
    assert TOKEN not in printed
    assert set(hidden.logins) == {f"x-token-auth:{TOKEN}"}
    assert run(hidden.remote, "git", "show", f"{BRANCH}:shared.txt") == "second\n"
    assert "small.git?subdirectory=package" in run(hidden.remote, "git", "show", f"{BRANCH}:uv.lock")
    assert TOKEN not in run(hidden.remote, "git", "log", "--patch", BRANCH)
    assert "is open" in hidden.update(TEMPLATE_TOKEN=TOKEN)


@pytest.mark.parametrize(
    ("token", "reason"), [("", "could not read Username for 'http"), ("another", "Authentication failed for 'http")]
)
def test_a_private_template_without_its_token_is_a_sentence(hidden, token, reason):
    printed = hidden.update(code=1, TEMPLATE_TOKEN=token)
    assert f"template-update: the template cannot be read: {reason}" in printed
    assert "fix: `git ls-remote http://" in printed
    assert "TEMPLATE_TOKEN has to be a token that may read it" in printed
    assert "another" not in printed
    assert hidden.branches() == ["main"]
