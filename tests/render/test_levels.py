"""A level renders what it promises, and what lies above it is not there."""

import tomllib

import pytest

from tests.project import ANSWERS, TEMPLATE, answers_of, files, matches, registry, team_files

LEVELS = registry("levels")
YOURS = team_files()


def test_a_level_that_brings_automated_deployment_changes_nothing_of_the_teams(render):
    second, third = files(render(maturity_level=2)), files(render(maturity_level=3))
    assert second.keys() < third.keys()
    yours = matches(pattern for level in YOURS[:3] for pattern in level if pattern != "/README.md")
    assert not [path for path in yours.match_files(second) if third[path] != second[path]]


def test_full_automation_adds_the_flow_that_watches(render):
    below, here = files(render(maturity_level=3)), files(render(maturity_level=4))
    own = matches(LEVELS[4]["managed"] + YOURS[4] + ["/.github/workflows/monitor.yml"])
    assert below.keys() < here.keys()
    assert sorted(here.keys() - below.keys()) == sorted(own.match_files(here))
    assert answers_of(render(maturity_level=4))["maturity_level"] == 4


@pytest.mark.parametrize("cloud", registry("clouds"))
def test_a_project_with_a_cloud_has_the_library_that_reads_its_login(render, cloud):
    tested = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["dev"]
    library = registry("clouds")[cloud]["library"]
    # test_login.py asks this library, or the one below it, for the credentials.
    assert library.replace("boto3", "botocore") in tested
    for chosen in registry("clouds"):
        project = tomllib.loads((render(maturity_level=3, cloud=chosen) / "pyproject.toml").read_text(encoding="utf-8"))
        assert (library in project["dependency-groups"]["dev"]) == (chosen == cloud)


def test_only_a_project_with_a_cloud_logs_in(render):
    without, project = render(maturity_level=3), render(maturity_level=3, cloud="gcp")
    added = files(project).keys() - files(without).keys()
    names = [each["name"] for each in registry("environments")]
    assert added == {f"operation/configuration/environment_{name}/identity.yaml" for name in names}
    for file in ("poe_tasks.toml", "pyproject.toml"):
        assert ".identity" not in (without / file).read_text(encoding="utf-8")
    assert ".identity" in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert "/.identity/" in (project / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_a_level_has_its_files_and_none_of_those_above(render, level):
    answers = {"cloud": "aws"} if level >= 3 else {}
    names = files(render(maturity_level=level, **answers, **({"engines": ["slurm"]} if level >= 2 else {})))
    for number, each in enumerate(LEVELS):
        for pattern in each["managed"] + YOURS[number]:
            found = list(matches([pattern]).match_files(names))
            assert bool(found) == (number <= level), f"{pattern} at level {level}: {found}"


def test_the_first_level_has_no_pipeline_and_no_ci(render):
    project = render(maturity_level=0)
    for path in (".github", "dvc.yaml", "params.yaml", "operation/configuration", "operation/execution"):
        assert not (project / path).exists(), path
    for word in ("mlflow", "fastapi", "jinja2"):
        assert word not in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert {"tracking_uri", "serving"}.isdisjoint(answers_of(project))


def test_the_second_level_adds_ci_and_nothing_else(render):
    below, here = files(render(maturity_level=0)), files(render(maturity_level=1))
    assert {path for path in here if path not in below} == {".github/workflows/ci.yml"}
    assert below.keys() <= here.keys()
    different = {path for path in below if below[path] != here[path]}
    assert different <= {ANSWERS, "AGENTS.md", "README.md", "poe_tasks.toml"}
