"""`poe maturity`: a repository that has everything, and for each criterion one fault that costs exactly its level."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from copier_mlops.maturity import evidence, tasks
from copier_mlops.maturity.cli import main
from tests.package.lint.conftest import copy_of
from tests.package.lint.pipeline import LOCKED
from tests.platforms import require_posix
from tests.project import commit, registry, run

CRITERIA = registry("maturity")
CONFIGURATION = "operation/configuration"
PROD = f"{CONFIGURATION}/environment_prod"
CI, CD, UPDATE, MONITOR = (f".github/workflows/{flow}.yml" for flow in ("ci", "cd", "template-update", "monitor"))
VERSION = {"version": "3", "run": "r1", "commit": "c0ffee00", "data": {"a.csv": "1"}, "deployed": ["prod", "stage"]}
MODELS = {
    "model": "german-credit",
    "run": "r1",
    "environments": {
        "dev": {"alias": "candidate", "version": None},
        "stage": {"alias": "challenger", "version": "3"},
        "prod": {"alias": "champion", "version": "3"},
    },
    "versions": [VERSION],
}
# The project's tasks, as a program that says what the test wants and writes down what it was asked.
UV = """\
#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
task = " ".join(sys.argv[sys.argv.index("poe") + 2:])
with (here / "asked").open("a") as file:
    file.write(task + "\\n")
code, text = json.loads((here / "tasks.json").read_text()).get(task, [0, "fine"])
print(text)
sys.exit(code)
"""


class Home:
    """A repository at level 4 whose tasks end as a test says."""

    def __init__(self, project: Path, programs: Path) -> None:
        self.project, self.programs = project, programs
        programs.mkdir()
        (programs / "uv").write_text(UV.format(python=sys.executable), encoding="utf-8")
        (programs / "uv").chmod(0o755)
        self.answer({})

    def answer(self, ends: dict[str, tuple[int, str]], **models: object) -> None:
        """How tasks end, by their words, and what `models` says beside what is right."""
        said = {"models --json": (0, json.dumps(MODELS | models))} | ends
        (self.programs / "tasks.json").write_text(json.dumps(said), encoding="utf-8")

    def replace(self, path: str, before: str, after: str) -> None:
        text = (self.project / path).read_text(encoding="utf-8")
        assert before in text, path
        (self.project / path).write_text(text.replace(before, after), encoding="utf-8")

    def drop(self, path: str) -> None:
        (self.project / path).unlink()

    def save(self) -> None:
        """Commit and push, so that nothing waits."""
        commit(self.project)
        run(self.project, "git", "push", "--quiet", "origin", "HEAD:main")


@pytest.fixture
def home(fresh, tmp_path, monkeypatch) -> Home:
    require_posix()  # its uv is a script
    found = Home(copy_of(fresh(maturity_level=4), tmp_path / "project"), tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.programs}{os.pathsep}{os.environ['PATH']}")
    for path, text in {
        **LOCKED,
        "uv.lock": "version = 1\n",
        "docs/model_card.md": "#\n",
        "docs/data_card.md": "#\n",
    }.items():
        (found.project / path).parent.mkdir(parents=True, exist_ok=True)
        (found.project / path).write_text(text, encoding="utf-8")
    found.replace(f"{CONFIGURATION}/host.yaml", "model: []\n  prod: []", "model: [ada]\n  prod: [ada]")
    found.replace(f"{PROD}/release.yaml", "target: local", "target: kubernetes")
    run(tmp_path, "git", "init", "--quiet", "--bare", "remote.git")
    run(found.project, "git", "remote", "add", "origin", (tmp_path / "remote.git").as_uri())
    found.save()
    for each in (tasks.run, evidence._findings):
        each.cache_clear()
    return found


@pytest.fixture
def maturity(home, capsys):
    """What the command says as JSON, with the criteria by id."""

    def call(*options: str, code: int = 0) -> dict:
        assert main(["--project", str(home.project), "--json", *options]) == code
        found = json.loads(capsys.readouterr().out)
        return found | {"criteria": {each["id"]: each for each in found["criteria"]}}

    return call


def test_who_has_everything_is_at_the_highest_level(home, maturity):
    found = maturity("--check")
    assert {id: each["evidence"] for id, each in found["criteria"].items() if not each["met"]} == {}
    assert (found["level"], found["name"], found["answered"]) == (4, "Full automation", 4)
    assert list(found["criteria"]) == list(CRITERIA)
    assert all(each["evidence"] and not each["next"] for each in found["criteria"].values())
    asked = (home.programs / "asked").read_text(encoding="utf-8").split("\n")[:-1]
    assert asked == ["lint", "test", "check-data", "models --json", "monitor --dry-run"]


UNUSED = {name: each | {"version": None} for name, each in MODELS["environments"].items()}
NOT_DEPLOYED = VERSION | {"deployed": ["stage"]}
# What is done to the repository, and what the evidence then says.
FAULTS = {
    "committed": (lambda home: (home.project / "new.txt").write_text("x"), "new.txt"),
    "layout": (lambda home: home.drop("notebooks/README.md") or home.save(), "notebooks"),
    "template": (lambda home: (home.project / "a.rej").write_text("x") and home.save(), "a.rej"),
    "secrets": (lambda home: (home.project / ".env").write_text("TOKEN=x") and force(home, ".env"), ".env"),
    "data": (lambda home: [home.drop(path) for path in pointers(home)] and home.save(), "data/**/*.dvc"),
    "locked": (lambda home: home.drop("uv.lock") or home.save(), "uv.lock"),
    "code": (lambda home: home.answer({"lint": (1, "E501 too long")}), "`uv run poe lint` fails: E501 too long"),
    "tests": (lambda home: home.answer({"test": (1, "1 failed")}), "1 failed"),
    "contract": (lambda home: home.answer({"check-data": (2, "")}), "uv ended with 2"),
    "ci": (lambda home: home.replace(CI, "uv run poe check-data", "uv run poe lint") or home.save(), "check-data"),
    "pipelines": (lambda home: home.replace(CI, "uv run poe check-data", "make") or home.save(), "MLO203"),
    "pushed": (lambda home: home.replace("README.md", "#", "##") or commit(home.project), "no remote has commit"),
    "pipeline": (lambda home: home.drop("dvc.lock") or home.save(), "dvc.lock"),
    "settings": (lambda home: home.drop(f"{PROD}/settings.yaml") or home.save(), "MLO701"),
    "tracked": (lambda home: home.answer({}, run=None), "no finished run"),
    "registered": (lambda home: home.answer({}, environments=UNUSED, versions=[]), "0 versions and no alias"),
    "cards": (lambda home: home.drop("docs/data_card.md") or home.save(), "docs/data_card.md"),
    "smoke": (lambda home: home.replace(CI, "uv run poe smoke", "uv run poe lint") or home.save(), "runs smoke"),
    "cd": (lambda home: home.replace(CD, "uv run poe verify", "uv run poe lint") or home.save(), "runs verify"),
    "gate": (lambda home: home.replace(f"{PROD}/release.yaml", "roc_auc", "''") or home.save(), "gate.metric is empty"),
    "approvers": (
        lambda home: home.replace(f"{CONFIGURATION}/host.yaml", "prod: [ada]", "prod: []") or home.save(),
        "approvers.prod is empty",
    ),
    "stage": (lambda home: home.answer({}, versions=[VERSION | {"deployed": ["prod"]}]), "deployed to stage"),
    "prod": (lambda home: home.answer({}, versions=[NOT_DEPLOYED]), "deployed to prod"),
    "traced": (lambda home: home.answer({}, versions=[VERSION | {"commit": "", "data": {}}]), "no commit, data"),
    "updates": (lambda home: home.drop(UPDATE) or home.save(), "runs template-update"),
    "watched": (lambda home: home.drop(MONITOR) or home.save(), "runs monitor"),
    "answers": (lambda home: home.answer({"monitor --dry-run": (1, "monitor: away")}), "monitor: away"),
    "retraining": (lambda home: home.drop(f"{PROD}/monitoring.yaml") or home.save(), "there is no such file"),
    "without-gap": (
        lambda home: home.replace(f"{PROD}/release.yaml", "target: kubernetes", "target: local") or home.save(),
        "target is local",
    ),
}


def pointers(home: Home) -> list[str]:
    return [path.relative_to(home.project).as_posix() for path in (home.project / "data").rglob("*.dvc")]


def force(home: Home, path: str) -> None:
    run(home.project, "git", "add", "--force", path)
    home.save()


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_fault_costs_the_level_of_its_criterion(home, maturity, criterion):
    spoil, said = FAULTS[criterion]
    spoil(home)
    found = maturity("--check", code=1)
    seen = found["criteria"][criterion]
    assert (seen["met"], seen["next"]) == (False, CRITERIA[criterion]["next"])
    assert said in seen["evidence"]
    level = CRITERIA[criterion]["level"]
    assert found["level"] == (level - 1 if level else None)


def test_the_page_and_the_badge_are_written_whole_and_agree(home, maturity):
    home.answer({}, run=None)
    maturity("--write")
    page = (home.project / "docs/maturity.md").read_text(encoding="utf-8")
    badge = (home.project / "docs/media/maturity.svg").read_text(encoding="utf-8")
    assert "Level 1, continuous integration" in page
    assert "maturity: 1 continuous integration" in badge
    assert f"at commit {run(home.project, 'git', 'rev-parse', '--short', 'HEAD').strip()}" in page
    rows = [line for line in page.splitlines() if line.startswith(("| yes", "| no"))]
    assert len(rows) == len(CRITERIA)
    assert all(row.count(" | ") == 3 for row in rows)
    assert not list((home.project / "docs").rglob("*.draft"))


def test_a_person_reads_where_it_stands_and_what_comes_next(home, capsys):
    home.answer({"test": (1, "1 failed")})
    assert main(["--project", str(home.project / "src")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("No level yet (the answers say 4)")
    assert "NOT MET tests: The code has tests, and they pass" in said.out
    assert said.out.endswith("For level 0: tests\n")
    assert "maturity: uv run poe check-data" in said.err


def test_a_host_without_gates_is_not_taken_for_more_than_it_is(fresh, tmp_path):
    project = copy_of(fresh(maturity_level=4, git_host="forgejo"), tmp_path / "project")
    seen = evidence.by_steps(evidence.Project(project), CRITERIA["cd"]["looks"]["steps"])
    assert not seen.met
    assert "Forgejo" in seen.text


@pytest.mark.parametrize("host", ["azure_devops", "gitlab", "bitbucket"])
def test_the_flows_of_every_host_are_seen(fresh, tmp_path, host):
    project = evidence.Project(copy_of(fresh(maturity_level=4, git_host=host), tmp_path / "project"))
    steps = [entry["looks"]["steps"] for entry in CRITERIA.values() if "steps" in entry["looks"]]
    assert [
        evidence.by_steps(project, wanted).text for wanted in steps if not evidence.by_steps(project, wanted).met
    ] == []


@pytest.mark.parametrize("answer", [(1, "tracking: http://x does not answer"), (0, "is not JSON")])
def test_a_server_that_is_away_is_not_met_and_says_why(home, maturity, answer):
    home.answer({"models --json": answer})
    seen = maturity()["criteria"]["registered"]
    assert not seen["met"]
    assert answer[1] in seen["evidence"]


def test_what_a_task_says_that_nobody_expects_hides_nothing_else(home, maturity):
    home.answer({"models --json": (0, "{}")})
    found = maturity()["criteria"]
    assert found["registered"]["evidence"] == "cannot be checked: KeyError: 'environments'"
    assert found["tests"]["met"] and found["watched"]["met"]


def test_without_uv_no_task_is_met(home, maturity, monkeypatch):
    (home.programs / "uv").unlink()
    (home.programs / "git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(home.programs))
    found = maturity()["criteria"]
    assert found["code"]["evidence"] == "`uv run poe lint` fails: uv is not installed"
    assert found["committed"]["met"]


def test_a_folder_that_is_no_project_is_refused(tmp_path, capsys):
    assert main(["--project", str(tmp_path)]) == 2
    assert "was not generated from the template" in capsys.readouterr().err
    assert main(["--project", str(tmp_path / "none")]) == 2


def test_a_page_that_cannot_be_written_is_said(home, capsys):
    (home.project / "docs/maturity.md").mkdir()
    assert main(["--project", str(home.project), "--write"]) == 2
    assert "docs/maturity.md cannot be written" in capsys.readouterr().err


def test_every_criterion_says_what_to_look_at_and_what_comes_next():
    levels = [entry["level"] for entry in CRITERIA.values()]
    assert levels == sorted(levels) and set(levels) == set(range(len(registry("levels"))))
    for id, entry in CRITERIA.items():
        assert set(entry) == {"level", "means", "looks", "next"}, id
        assert entry["looks"].keys() <= evidence.LOOKS.keys(), id
    assert list(FAULTS) == list(CRITERIA)
