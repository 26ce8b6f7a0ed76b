"""The workflows and forms of this repository, checked like those that the template renders."""

import itertools
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.pipelines.test_validators import YAMLLINT, complaints, schema_complaints, zizmor
from tests.project import TEMPLATE, registry, replace

GITHUB = TEMPLATE / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
# Actions that no rendered workflow uses, so that extensions/hosts.yml does not know them.
OURS = {"actions/attest-build-provenance": ("0f67c3f4856b2e3261c31976d6725780e5e4c373", "v4.1.1")}


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of .github that a test may break."""
    return Path(shutil.copytree(GITHUB, tmp_path / ".github"))


def jobs() -> list[tuple[str, dict]]:
    found = []
    for path in WORKFLOWS:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [(f"{path.stem} {name}", job) for name, job in content["jobs"].items()]
    return found


def test_there_is_something_to_check():
    assert [path.stem for path in WORKFLOWS] == ["ci", "release", "tested-day"]
    assert [path.stem for path in FORMS] == ["bug", "idea"]


def test_zizmor_finds_nothing():
    assert not (found := zizmor(GITHUB)), found


def test_the_schemas_allow_them(tmp_path):
    assert not (found := schema_complaints("github", [*WORKFLOWS, *FORMS], tmp_path)), found


def test_yamllint_finds_nothing():
    assert not (found := complaints("yamllint", "--strict", "--config-data", YAMLLINT, GITHUB)), found


def test_the_parser_of_github_finds_nothing(node):
    done = node("github.cjs", *WORKFLOWS)
    assert json.loads(done.stdout) == [], done.stderr


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("ci", "persist-credentials: false", "persist-credentials: true"),
        ("ci", "permissions: {}", "permissions: write-all"),
        ("ci", '--base "$BASE"', "--base ${{ github.head_ref }}"),
        ("release", "attest-build-provenance@0f67c3f4856b2e3261c31976d6725780e5e4c373", "attest-build-provenance@v4"),
        ("tested-day", "contents: write # pushes the branch", "contents: write"),
    ],
)
def test_zizmor_would_find_something(copy, path, before, after):
    file = copy / "workflows" / f"{path}.yml"
    replace(file, before, after)
    assert zizmor(file)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("workflows/ci.yml", "runs-on", "run-on"),
        ("workflows/release.yml", "timeout-minutes", "timeout"),
        ("workflows/tested-day.yml", "schedule", "schedules"),
        ("ISSUE_TEMPLATE/bug.yml", "type: dropdown", "type: choice"),
    ],
)
def test_the_schemas_would_refuse_something(copy, tmp_path, path, before, after):
    replace(copy / path, before, after)
    assert schema_complaints("github", [copy / path], tmp_path)


def test_the_parser_of_github_would_find_something(copy, node):
    file = copy / "workflows" / "release.yml"
    replace(file, "needs.tag.outputs.version != ''", "needs.tag.outputs.version != ")
    assert "Unexpected end of expression" in node("github.cjs", file).stdout


def test_every_action_is_the_one_that_rendered_workflows_use():
    pins = registry("hosts")["github"]["actions"].values()
    known = OURS | {pin["uses"]: (pin["commit"], pin["version"]) for pin in pins}
    for path in [*WORKFLOWS, TEMPLATE / "action.yml"]:
        used = re.findall(r"uses: (\S+)@(\S+) # (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(used) == path.read_text(encoding="utf-8").count("uses: ")
        assert [each for each in used if known.get(each[0]) != each[1:]] == [], path


def test_uv_is_the_one_that_projects_are_tested_with():
    for path in [*WORKFLOWS, TEMPLATE / "action.yml"]:
        versions = re.findall(r"uses: astral-sh/setup-uv@.*\n +with:\n +version: (.*)$", path.read_text("utf-8"), re.M)
        assert versions and set(versions) == {registry("tested")["uv"]}


def test_every_job_is_bounded_and_says_what_it_may():
    for name, job in jobs():
        assert job["timeout-minutes"] <= 120 and job["permissions"], name
    writes = {name for name, job in jobs() if "write" in job["permissions"].values()}
    assert writes == {"release tag", "release wheel", "release publish", "tested-day request"}


def test_every_step_runs_a_task_that_exists():
    tasks = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["poe"]["tasks"]
    told = [step.get("run", "") for _, job in jobs() for step in job["steps"]]
    named = {name for text in told for name in re.findall(r"\bpoe (?:-q )?([\w-]+)", text)}
    assert {"lint", "test-portable", "move-tested-day", "tag-releases", "render-examples"} <= named <= tasks.keys()


def test_the_fast_tests_run_on_three_systems_at_the_lowest_and_the_newest_dependencies():
    matrix = dict(jobs())["ci portable"]["strategy"]["matrix"]
    rows = itertools.product(matrix["runner"], matrix["resolution"])
    assert {(row[0].split("-")[0], row[1]) for row in rows} == {
        *itertools.product(("ubuntu", "macos", "windows"), ("lowest-direct", "highest"))
    }
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.15"
    assert [each["python"] for each in matrix["include"]] == ["3.11", "3.14"]


def test_jobs_that_publish_or_open_requests_run_no_packages():
    for name in ("release publish", "tested-day request"):
        assert "uv" not in str([step.get("run", "") + step.get("uses", "") for step in dict(jobs())[name]["steps"]])
