"""The rendered CI files say what the flows say: the same steps in the same order, and no more rights than needed."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.project import registry

FLOWS = registry("flows")


def workflow(project: Path, name: str) -> dict:
    text = (project / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 (text alone: `on` stays `on`)


def flows_at(level: int) -> dict[str, dict]:
    """The flows of a level, each with the steps that it has there."""
    steps = {name: [step for step in flow["steps"] if step["level"] <= level] for name, flow in FLOWS.items()}
    return {name: FLOWS[name] | {"steps": found} for name, found in steps.items() if found}


@pytest.mark.parametrize("level", range(1, 5))
def test_read_back_a_workflow_is_its_flow(render, level):
    project = render(maturity_level=level)
    expected = flows_at(level)
    assert {path.stem for path in (project / ".github" / "workflows").iterdir()} == expected.keys()
    for name, flow in expected.items():
        read = workflow(project, name)
        assert read["name"] == flow["name"]
        events = {"push": "push", "change_request": "pull_request"}
        assert list(read["on"]) == [events[event] for event in flow["when"]]
        (job,) = read["jobs"].values()
        assert job["timeout-minutes"] == str(flow["minutes"])
        steps = [(step["name"], step["run"]) for step in job["steps"] if "run" in step]
        assert steps == [(step["name"], f"uv run poe {step['run']}") for step in flow["steps"]]


@pytest.mark.parametrize("level", range(1, 5))
def test_a_workflow_trusts_nothing_that_can_move(render, level):
    for name in flows_at(level):
        read = workflow(render(maturity_level=level), name)
        assert read["permissions"] == {}
        (job,) = read["jobs"].values()
        assert job["permissions"] == {"contents": "read"}
        assert not job["runs-on"].endswith("latest")
        used = [step for step in job["steps"] if "uses" in step]
        pins = [f"{pin['uses']}@{pin['commit']}" for pin in registry("hosts")["github"]["actions"].values()]
        assert [step["uses"] for step in used] == pins
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", pin) for pin in pins)
        assert used[0]["with"]["persist-credentials"] == "false"
        assert used[1]["with"]["version"] == registry("tested")["uv"]


def test_the_levels_name_the_flows_that_they_bring():
    named = {flow: number for number, level in enumerate(registry("levels")) for flow in level["flows"]}
    assert named == {name: min(step["level"] for step in flow["steps"]) for name, flow in FLOWS.items()}


@pytest.mark.parametrize("level", [1, 2])
def test_zizmor_finds_nothing(render, level):
    options = ["--offline", "--no-config", "--strict-collection", "--persona", "auditor"]
    folder = render(maturity_level=level) / ".github"
    done = subprocess.run(["zizmor", *options, folder], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr


def test_zizmor_would_find_something(render, tmp_path):
    text = (render() / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    worse = tmp_path / ".github" / "workflows" / "ci.yml"
    worse.parent.mkdir(parents=True)
    worse.write_text(text.replace("persist-credentials: false", "persist-credentials: true"), encoding="utf-8")
    options = ["--offline", "--no-config", "--strict-collection", "--persona", "auditor"]
    assert subprocess.run(["zizmor", *options, tmp_path], capture_output=True, check=False).returncode
