"""A team's edits of every kind over every route: each stays, and none is in conflict in a place of the team's."""

import itertools
import shutil
from pathlib import Path

import pytest

from copier_mlops.cli import main
from tests.package.contract.eight import CASES, TARGETS
from tests.project import answers_of, commit, copy_project, files, matches, replace, run, team_files, update_project
from tests.update.conftest import NOW, RELEASES, change_managed, other_day, replace_template
from tests.update.marks import DAY, LAYOUTS, STEPS, Mark, mark_all
from tests.update.marks import NOW as PLACES
from tests.update.updated import conflicts, written

COMING = "1002.0.0"
# What the version to come says in place of what is there now: an addition to each file that teams append to.
CHANGES = {
    "extensions/tested.yml": [other_day(5), ('uv_lowest: "', 'uv_lowest: "0.')],
    "extensions/flows/ci.yml": [
        ("        - {name: Data", "        - {name: Coming, run: coming, level: 1}\n        - {name: Data"),
        ("        - {name: Smoke", "        - {name: Coming, run: after, level: 1}\n        - {name: Smoke"),
    ],
    "template/pyproject.toml.jinja": [
        ('  "pandas>=2.3,<3.1",\n', '  "pandas>=2.4,<3.1",\n  "coming-dependency>=1",\n'),
        ('  "pre-commit-hooks', '  "coming-for-dev>=1",\n  "pre-commit-hooks'),
        ("[tool.poe]\n", "[tool.coming]\nnext = true\n\n[tool.poe]\n"),
    ],
    "template/poe_tasks.toml.jinja": [("[tasks.check-data]", '[tasks.coming]\ncmd = "coming"\n\n[tasks.check-data]')],
    "template/AGENTS.md.jinja": [("## Of this team", "- A coming rule.\n\n## Of this team")],
    "template/.gitignore.jinja": [("# Editors", "/coming/\n\n# Editors")],
    "template/.pre-commit-config.yaml.jinja": [
        ("      - id: private-key\n", "      - id: coming\n        language: system\n      - id: private-key\n")
    ],
    "template/ruff.toml.jinja": [
        ('  "RUF002",\n', '  "RUF002",\n  "COM001",\n'),
        ("[lint]\n", "preview = true\n\n[lint]\n"),
    ],
    "template/.dvc/config.jinja": [("    url =", "    timeout = 10\n    url =")],
    "template/operation/tests/conftest.py.jinja": [("import pytest\n", "import coming\nimport pytest\n")],
}
TABLE: list[str] = []


@pytest.fixture(scope="module")
def template(history, tmp_path_factory) -> Path:
    """The history, and a version to come that changes every managed file."""
    path = tmp_path_factory.mktemp("coming") / "template"
    run(path.parent, "git", "clone", "--quiet", str(history), path.name)
    replace_template(path, COMING)
    for name, changes in CHANGES.items():
        for before, after in changes:
            replace(path / name, before, after)
    change_managed(path)
    run(path, "git", "tag", COMING, commit(path, "A version to come"))
    return path


@pytest.fixture(scope="module", autouse=True)
def table(request):
    """Print the routes, with the edits that were made and the files in conflict."""
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", f"{'route':48} {'edits':>5} {'lost':>4}  in conflict", *TABLE, sep="\n")


def marked(template: Path, path: Path, version: str, without: list[Mark] = (), **answers: object) -> list[Mark]:
    """Make a project of a version with every edit, in git, and return the edits."""
    fresh = files(copy_project(template, path / "fresh", version, **answers))
    edited, made = mark_all(fresh, answers.get("git_host", "github"), LAYOUTS.get(version, PLACES), without)
    written(edited, path / "project")
    return made


def go(path: Path, route: str, made: list[Mark], version: str = NOW, gone: set[str] = frozenset(), **answers: object):
    """Update the project, check that it keeps the edits but for files that are `gone`, and return the conflicts."""
    update_project(path / "project", version, **answers)
    found, clashing = files(path / "project"), conflicts(path / "project")
    lost = [mark.name for mark in made if not mark.is_kept(found) and mark.path not in gone]
    TABLE.append(f"{route:48} {len(made):>5} {len(lost):>4}  {', '.join(sorted(clashing)) or '-'}")
    assert not lost
    return clashing


def regions(path: Path) -> list[str]:
    """Return what stands between the markers of each conflict in a file."""
    parts = path.read_text(encoding="utf-8").split("<<<<<<< before updating\n")[1:]
    return [part.split(">>>>>>> after updating")[0] for part in parts]


@pytest.mark.parametrize(("version", "level"), [(version, level) for version in RELEASES for level in (2, 3, 4)])
def test_from_a_release(template, tmp_path, version, level):
    made = marked(template, tmp_path, version, maturity_level=level)
    assert len(made) >= 27
    clashing = go(tmp_path, f"{version}, level {level} -> now", made)
    if LAYOUTS.get(version, PLACES):
        assert clashing == set()
    else:  # In 0.1.0 the template had the ends of both: docs/decisions/0011. Its levels 3 and 4 brought no job yet.
        ci = {STEPS["github"][0]} if level > 2 else set()
        assert clashing == ci | {"pyproject.toml"}
        for path in clashing:
            (left,) = regions(tmp_path / "project" / path)
            assert "run: mark" in left if path in ci else "[tool.mark]" in left


@pytest.mark.parametrize("name", TARGETS)
def test_own_data_goes_to_the_next_version(template, tmp_path, monkeypatch, name):
    project = copy_project(template, tmp_path / "project", NOW, maturity_level=4, example="none", project_name="Bare")
    commit(project)
    # DVC is not asked here: what it does is tested with real projects.
    shutil.rmtree(project / ".dvc")
    monkeypatch.chdir(project)
    assert main(["adopt-data", str(CASES / name), "--target", TARGETS[name]]) == 0
    run(project, "git", "checkout", "--", ".dvc")
    commit(project)
    adopted = files(project)
    update_project(project, COMING)
    assert conflicts(project) == set()
    assert "Managed by its template" in (project / "pyproject.toml").read_text(encoding="utf-8")
    found = files(project)
    yours = [*matches(itertools.chain.from_iterable(team_files())).match_files(adopted), f"data/raw/{name}"]
    assert len(yours) > 25
    assert [path for path in yours if found.get(path) != adopted[path]] == []


@pytest.mark.parametrize("host", STEPS)
def test_to_the_next_version(template, tmp_path, host):
    made = marked(template, tmp_path, NOW, maturity_level=4, git_host=host)
    assert len(made) >= 27
    assert go(tmp_path, f"now, {host} -> a version to come", made, COMING) == set()
    text = (tmp_path / "project" / STEPS[host][0]).read_text(encoding="utf-8")
    assert "uv run poe coming" in text and "uv run poe after" in text


def test_attributes_of_files_go_to_the_next_version(template, tmp_path):
    project = copy_project(template, tmp_path / "project", NOW)
    with (project / ".gitattributes").open("a", encoding="utf-8") as file:
        file.write("*.mark binary\n")
    commit(project)
    update_project(project, COMING)
    assert conflicts(project) == set()
    assert (project / ".gitattributes").read_text(encoding="utf-8").endswith("* -text\n*.mark binary\n")


@pytest.mark.parametrize("host", [host for host in STEPS if host != "github"])
def test_from_a_release_on_another_host(template, tmp_path, host):
    made = marked(template, tmp_path, RELEASES[-1], maturity_level=3, git_host=host)
    assert go(tmp_path, f"{RELEASES[-1]}, {host} -> now", made) == set()


def test_up_the_levels(template, tmp_path):
    made, project = marked(template, tmp_path, NOW, maturity_level=0), tmp_path / "project"
    for before, level in ((0, 2), (2, 3), (3, 4)):
        assert go(tmp_path, f"level {before} -> {level}", made, maturity_level=level) == set()
        edited, more = mark_all(files(project), "github", PLACES, made)
        made += more
        written(edited, project)
    assert len(made) >= 30
    assert go(tmp_path, "level 4 -> a version to come", made, COMING) == set()


def test_to_another_host_and_back(template, tmp_path):
    made, project = marked(template, tmp_path, NOW, maturity_level=3), tmp_path / "project"
    gone = {STEPS["github"][0]}  # the files of CI go with their host: docs/how-to/updates.md
    for host in ("gitlab", "bitbucket", "azure_devops", "forgejo", "github"):
        assert go(tmp_path, f"to {host}", made, gone=gone, git_host=host) == set()
        commit(project)
    assert answers_of(project)["git_host"] == "github"


MOVES = {
    "data": {"data_remote": "s3://bucket/path", "data_endpoint": "https://storage.example.org"},
    "tracking": {"tracking_uri": "https://mlflow.example.org"},
    "cloud": {"cloud": "azure"},
    "serving": {"serving": ["batch"]},
    "agents": {"coding_agents": ["agents", "claude_code"]},
}


@pytest.mark.parametrize("move", MOVES)
def test_to_other_answers(template, tmp_path, move):
    made = marked(template, tmp_path, NOW, maturity_level=3)
    assert go(tmp_path, f"another answer: {move}", made, **MOVES[move]) == set()


def test_only_a_line_that_both_changed_is_in_conflict(template, tmp_path):
    made = marked(template, tmp_path, NOW, maturity_level=2)
    replace(tmp_path / "project" / "pyproject.toml", '"pandas>=2.3,<3.1"', '"pandas>=2.3,<3.0"')
    commit(tmp_path / "project")
    assert go(tmp_path, "an edited line that the version to come changes", made, COMING) == {"pyproject.toml"}
    (left,) = regions(tmp_path / "project" / "pyproject.toml")
    assert "pandas>=2.3,<3.0" in left and "pandas>=2.4,<3.1" in left and "mark" not in left


# Edits of this version that had no place in its files, and that 0.3.0 stands beside: docs/how-to/updates.md lists them.
BORN = "0.2.0"
BESIDE = {
    "a task at the end": ("poe_tasks.toml", "", '\n[tasks.mark]\ncmd = "mark"\n'),
    "a group behind the others": ("pyproject.toml", '  "uvicorn>=0.35,<1",\n]\n', 'mark = ["mark"]\n'),
    "a line behind the day": ("pyproject.toml", DAY, "mark = true\n"),
    "the bound of a neighbour": ("pyproject.toml", '  "pandas>=2.3,<3.1",\n', '  "pandas>=2.3,<2.4",\n'),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_stood_in_no_place_asks_once(template, tmp_path, name):
    path, after, text = BESIDE[name]
    mark = Mark(name, path, after, text, instead="bound" in name)
    fresh = files(copy_project(template, tmp_path / "fresh", BORN))
    project = written(mark.made(fresh), tmp_path / "project")
    assert go(tmp_path, f"{BORN}, {name} -> now", [mark]) == {path}
    assert len(regions(project / path)) == 1
