"""The files that the package replaced: what the registry says of them is true, and every release's project is told."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from copier_mlops.cli import TASKS
from copier_mlops.lint.retired import imported, mentioned, modules, retired
from copier_mlops.registry import registry
from tests.package.lint.conftest import copy_of, found, ids
from tests.project import TEMPLATE, commit, copy_project, files, run

# The releases whose projects had files that the package replaced; later ones have none.
OLD = ("0.1.0", "0.2.0")
HOSTS = list(registry("hosts"))
CLOUDS = ["none", *registry("clouds")]
TRACK = "operation/execution/track.py"


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    """The template with its releases."""
    path = tmp_path_factory.mktemp("history") / "template"
    run(path.parent, "git", "clone", "--quiet", str(TEMPLATE), path.name)
    for version in OLD:
        raised = run(path, "git", "log", "--reverse", "--format=%H", f'-Gversion = "{version}"', "--", "pyproject.toml")
        run(path, "git", "tag", "--force", version, raised.split()[0])
    return path


@pytest.fixture(scope="module")
def rendered(history, tmp_path_factory):
    """A project of a release."""

    def call(version: str, **answers: object) -> Path:
        return copy_project(str(history), tmp_path_factory.mktemp("old") / "project", version, **answers)

    return call


@pytest.fixture(scope="module")
def generated(rendered) -> Path:
    """A project of 0.2.0 in git."""
    path = rendered("0.2.0", maturity_level=4)
    commit(path)
    return path


@pytest.fixture
def old(generated, tmp_path) -> Path:
    """A copy of that project, to be worked in."""
    return copy_of(generated, tmp_path / "project")


def paths(rows: list[Path]) -> set[str]:
    """Return every file that one of the projects has, but for the team's own package, and for what keeps a folder."""
    names = {name for path in rows for name in files(path)}
    return {name for name in names if not name.startswith("src/") and not name.endswith(".gitkeep")}


def test_the_registry_has_exactly_what_projects_had_and_have_no_more(rendered, fresh):
    rows = [*[(host, "none") for host in HOSTS], *[("github", cloud) for cloud in CLOUDS]]
    before = paths([rendered("0.1.0")] + [rendered("0.2.0", maturity_level=4, git_host=h, cloud=c) for h, c in rows])
    now = paths([fresh(maturity_level=4, git_host=host, cloud=cloud) for host, cloud in rows])
    # Its lines moved to .gitignore. It is no file of machinery, and `dvc init` writes one of its own.
    gone = before - now - {".dvc/.gitignore"}
    assert {f"/{name}" for name in gone} == registry("retired").keys()


def is_module(name: str) -> bool:
    """Return whether the package has a module or a folder of that dotted name."""
    path = TEMPLATE / "src" / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_what_replaces_a_file_is_there(fresh):
    now = paths([fresh(maturity_level=4)])
    for path, replacement in registry("retired").items():
        tasks = re.findall(r"`mlops ([\w-]+)`", replacement)
        names = re.findall(r"copier_mlops[\w.]+", replacement)
        places = re.findall(r"\b(?:docs|operation)/[\w./-]+", replacement)
        assert tasks or names or places, path
        assert set(tasks) <= TASKS.keys(), path
        assert all(is_module(name) for name in names), path
        assert set(places) <= now, path


@pytest.mark.parametrize("version", OLD)
def test_a_project_of_a_release_is_clean_before_its_update(rendered, version):
    path = rendered(version)
    commit(path)
    assert found(path) == []


def test_what_somebody_edited_is_named_before_the_update(old, lint):
    with (old / TRACK).open("a", encoding="utf-8") as file:
        file.write("# Ours\n")
    (old / "ruff.toml").write_text("line-length = 100\n", encoding="utf-8")
    (old / "src/german_credit/ours.py").write_text("from operation.execution import charts\n", encoding="utf-8")
    said = {(each.path, each.line): each for each in found(old, "--drift")}
    assert said[TRACK, 0].check == "MLO805"
    assert said[TRACK, 0].message.startswith("somebody edited it (+1 -0 lines), and the next version deletes it")
    assert said[TRACK, 0].message.endswith("`mlops track` (copier_mlops.tracking.track)")
    assert said["ruff.toml", 0].check == "MLO801"
    assert said["src/german_credit/ours.py", 1].check == "MLO806"
    assert "what replaces it is copier_mlops.reporting.charts" in said["src/german_credit/ours.py", 1].message
    assert {each.check for each in said.values()} == {"MLO801", "MLO805", "MLO806"}
    assert lint(old, "--drift")[0] == 0
    assert found(old) == []


def test_what_the_template_itself_says_is_no_use_of_the_teams(old):
    assert {each.path for each in found(old, "--drift", select=("MLO806",))} <= {
        *(f"operation/configuration/environment_{name}/kustomization.yaml" for name in ("dev", "stage", "prod")),
        "operation/monitoring/watch.py",
    }
    with (old / "poe_tasks.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tasks.ours]\ncmd = "python -m operation.execution.report --ours"\n')
    (finding,) = [each for each in found(old, "--drift", select=("MLO806",)) if each.path == "poe_tasks.toml"]
    assert finding.line == len((old / "poe_tasks.toml").read_text(encoding="utf-8").splitlines())


def test_a_project_of_today_has_nothing_to_hear_of_the_update(project):
    (project / TRACK).write_text("x = 1\n", encoding="utf-8")
    assert ids(project, select=("MLO8", "MLO9")) == ["MLO902"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from operation.execution import charts, serve", [(1, "charts")]),
        ("    from operation.execution import charts as c  # and facts", [(1, "charts")]),
        ("from operation.execution.charts import facts", [(1, "charts")]),
        ("import operation.execution.charts", [(1, "charts")]),
        ("import operation.execution.charts.draw, os, operation.execution.facts as f", [(1, "charts"), (1, "facts")]),
        (
            "from operation.execution import (  # (\n    charts,\n    facts as f,\n)\nfacts = 1",
            [(2, "charts"), (3, "facts")],
        ),
        ("from operation.execution import (charts)\nfacts", [(1, "charts")]),
        ("from operation import execution", []),
        ("from operation.execution.chart import charts", []),
        ("from my.operation.execution import charts", []),
        ("# from operation.execution import charts", []),
        ("important = 'operation.execution.charts'", []),
    ],
)
def test_what_is_an_import_of_code(code, expected):
    assert list(imported(code.splitlines())) == [(line, f"operation/execution/{name}.py") for line, name in expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cmd = 'python -m operation.execution.track --now'", "track.py"),
        ('script = "operation.execution.setup:doctor"', "setup.py"),
        ("  - run: ruff check operation/execution/track.py", "track.py"),
        ("- ../../execution/release/kubernetes", "release/kubernetes"),
        ("- ../../execution/release/kubernetes/", "release/kubernetes"),
        ("docker compose -f operation/execution/release/compose.yaml up", "release/compose.yaml"),
        ("cmd = 'pytest operation/tests/unit'", ""),
        ("- ../../execution/kubernetes", ""),
        ("cmd = 'python -m operation.execution.tracks'", ""),
        ("# python -m operation.execution.track", ""),
        ("#python -m operation.execution.track, 'ours'", ""),
        ("- ../../execution/kubernetes # ../../execution/release/kubernetes", ""),
        ("- ../../execution/release/kubernetes # ../../execution/kubernetes", "release/kubernetes"),
        ("cmd = 'echo # && python -m operation.execution.track'", "track.py"),
    ],
)
def test_what_is_a_mention_in_settings(line, expected):
    assert list(mentioned([line])) == ([(1, f"operation/execution/{expected}")] if expected else [])


def test_what_python_knows_as_modules_python_could_import():
    assert modules()["operation.execution.host.api"] == "operation/execution/host/api.py"
    assert all(
        path in retired() and part.isidentifier() for name, path in modules().items() for part in name.split(".")
    )


def test_the_registry_is_in_the_wheel(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(TEMPLATE, source, ignore=shutil.ignore_patterns(".git", ".venv", "tests", "docs", "__pycache__"))
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    listed = run(tmp_path, "python", "-m", "zipfile", "--list", str(wheel))
    assert "copier_mlops/registries/retired.yml" in listed
