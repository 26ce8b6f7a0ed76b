"""On every git host each step of each flow is seen by the lint, and each fault in it."""

import re

import pytest

from copier_mlops.lint.checks.pipelines import steps
from copier_mlops.lint.project import Project
from copier_mlops.registry import registry
from tests.package.lint.conftest import copy_of, found
from tests.package.lint.test_clean import HOSTS, LEVELS

LINE = re.compile(r"^.*\buv run poe .*$", re.MULTILINE)


@pytest.fixture(params=HOSTS)
def hosted(request, fresh, tmp_path):
    """A copy of a project of the highest level on each host."""
    return copy_of(fresh(maturity_level=LEVELS - 1, git_host=request.param), tmp_path / "project")


def test_every_step_is_seen_where_it_stands(hosted):
    project = Project(hosted)
    expected = {
        (path, text[: match.start()].count("\n") + 1)
        for path in project.pipelines
        for text in [(hosted / path).read_text(encoding="utf-8")]
        for match in LINE.finditer(text)
        if not match[0].lstrip().startswith("#")
    }
    seen = [step for step in steps(project) if step.task]
    assert {(step.path, step.line) for step in seen} == expected
    assert len(expected) >= 4


@pytest.mark.parametrize(("added", "check"), [(" || true", "MLO203"), ("-ours", "MLO204")])
def test_a_fault_in_any_step_of_any_flow_is_found(hosted, added, check):
    for path in Project(hosted).pipelines:
        file = hosted / path
        text = file.read_text(encoding="utf-8")
        for line in {match[0] for match in LINE.finditer(text) if not match[0].lstrip().startswith("#")}:
            task = re.search(r"uv run poe [\w-]+", line)[0]
            file.write_text(text.replace(line, line.replace(task, f"{task}{added}"), 1), encoding="utf-8")
            assert [(finding.path, finding.check) for finding in found(hosted, select=("MLO2",))] == [(path, check)]
        file.write_text(text, encoding="utf-8")


def test_the_flows_of_another_host_are_foreign(hosted, fresh):
    answered = Project(hosted).host
    for host in HOSTS:
        if host != answered:
            other = fresh(maturity_level=1, git_host=host)
            for path in Project(other).flows(host):
                (hosted / path).parent.mkdir(parents=True, exist_ok=True)
                (hosted / path).write_bytes((other / path).read_bytes())
    foreign = {finding.path for finding in found(hosted) if finding.check == "MLO201"}
    assert bool(foreign) == (len(HOSTS) > 1)
    assert all(path not in foreign for path in Project(hosted).flows(answered))


def test_every_host_of_the_registry_says_where_its_flows_are():
    for host, entry in registry("hosts").items():
        assert entry.get("flow") or any(path.endswith((".yml", ".yaml")) for path in entry["paths"]), host
