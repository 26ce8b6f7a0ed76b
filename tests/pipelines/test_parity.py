"""Read back, the files of each host say what extensions/flows describes, but for what the host cannot say."""

import re
import tomllib

import pytest
import yaml

from tests.pipelines.described import DIFFERENCES, described
from tests.pipelines.hosts import READERS, faults
from tests.project import TEMPLATE, files, matches, registry

HOSTS = registry("hosts")
FOR_PEOPLE = re.compile("(issue|pull_request|merge_request)_template|CODEOWNERS", re.IGNORECASE)


def test_every_host_has_a_reader_and_its_differences():
    assert list(READERS) == list(DIFFERENCES) == list(HOSTS)


@pytest.mark.parametrize("host", READERS)
@pytest.mark.parametrize("level", range(1, 5))
@pytest.mark.parametrize("cloud", ["none", "aws", "azure", "gcp"])
def test_what_is_read_is_what_is_described(render, host, level, cloud):
    project = render(git_host=host, maturity_level=level, **({"cloud": cloud} if level >= 3 else {}))
    assert faults(host, project, level, cloud) == []


@pytest.mark.parametrize("host", READERS)
def test_the_login_to_a_tracking_server_reaches_the_steps_that_use_it(render, host):
    uri = "https://mlflow.example.org"
    project = render(git_host=host, maturity_level=4, cloud="aws", tracking_uri=uri)
    assert faults(host, project, 4, "aws", tracker=uri) == []
    assert bool(faults(host, project, 4, "aws")) == (host in ("github", "azure_devops"))


@pytest.mark.parametrize("host", READERS)
@pytest.mark.parametrize(
    ("answers", "keys"),
    [
        ({"cloud": "none"}, True),
        ({"cloud": "azure"}, True),
        ({"cloud": "aws"}, False),
        ({"cloud": "aws", "data_endpoint": "https://minio.example.org"}, True),
    ],
)
def test_the_keys_of_an_s3_remote_reach_the_steps_that_use_it_if_no_login_opens_it(render, host, answers, keys):
    project = render(git_host=host, maturity_level=3, data_remote="s3://bucket/path", **answers)
    assert faults(host, project, 3, answers["cloud"], keys=keys) == []
    assert bool(faults(host, project, 3, answers["cloud"], keys=not keys)) == (host in ("github", "azure_devops"))


@pytest.mark.parametrize("host", READERS)
def test_heavy_steps_run_where_the_team_wants_them(render, host):
    project = render(git_host=host, maturity_level=4, heavy_runner="gpu")
    assert faults(host, project, 4, heavy_runner="gpu") == []
    assert bool(faults(host, project, 4)) == (host != "forgejo")


def scalars(document: object) -> list:
    """All keys and values of a document, as YAML's own types."""
    if isinstance(document, dict):
        return [each for pair in document.items() for part in pair for each in scalars(part)]
    return [each for part in document for each in scalars(part)] if isinstance(document, list) else [document]


@pytest.mark.parametrize("host", [host for host in READERS if host != "forgejo"])
@pytest.mark.parametrize("runner", ["3.10", "on", "0777", "1e3"])
def test_a_runner_whose_name_looks_like_a_number_stays_text(render, host, runner):
    project = render(git_host=host, maturity_level=3, heavy_runner=runner)
    paths = [path for path in matches(HOSTS[host]["paths"]).match_files(files(project)) if path.endswith(".yml")]
    every = [each for path in paths for each in scalars(yaml.safe_load((project / path).read_text(encoding="utf-8")))]
    assert runner in every
    assert faults(host, project, 3, heavy_runner=runner) == []


@pytest.mark.parametrize("host", READERS)
@pytest.mark.parametrize("level", range(5))
def test_a_project_has_the_files_of_its_flows_and_of_no_other_host(render, host, level):
    names = files(render(git_host=host, maturity_level=level))
    for other, entry in HOSTS.items():
        found = list(matches(entry["paths"]).match_files(names))
        assert bool(found) == (other == host and level > 0), found
        for_people = [path for path in found if FOR_PEOPLE.search(path)]
        assert bool(for_people) == (other == host and level >= 3), for_people
    if level and HOSTS[host]["flow"]:
        there = {name for name in described(level) if HOSTS[host]["flow"].replace("FLOW", name)[1:] in names}
        assert there == ({"ci"} if host == "forgejo" else described(level).keys())


@pytest.mark.parametrize("host", READERS)
def test_every_difference_is_on_the_page_of_the_host(host):
    page = (TEMPLATE / "docs" / "how-to" / "hosts" / f"{host}.md").read_text(encoding="utf-8")
    assert [each.text for each in DIFFERENCES[host] if f"- {each.text}" not in re.sub(r"\n  ", " ", page)] == []


def test_every_step_is_a_task_of_the_description():
    every = [step for flow in described(4, "aws").values() for job in flow.jobs.values() for step in job.steps]
    assert len(every) > 20
    assert all(re.fullmatch(r"uv run poe [a-z][a-z-]*( (--)?[a-z-]+)*", step.run) for step in every)


def test_the_flow_of_updates_is_one_task_with_the_whole_history_and_the_right_to_push():
    flow = described(3)["template-update"]
    (job,) = flow.jobs.values()
    assert [(step.run, step.token) for step in job.steps] == [("uv run poe template-update", True)]
    assert job.history
    assert job.may == {"propose"}
    assert flow.schedule and flow.manual


def test_the_levels_name_the_flows_that_they_bring():
    for number, level in enumerate(registry("levels")):
        for file in level["flows"]:
            flows = registry(f"flows/{file}").values()
            steps = [step for flow in flows for job in flow["jobs"].values() for step in job["steps"]]
            assert min(step["level"] for step in steps) == number, file


@pytest.mark.parametrize(("level", "flow"), [(1, "ci"), (2, "ci"), (3, "ci"), (3, "cd"), (4, "cd")])
def test_on_a_laptop_the_same_steps_are_walked(render, level, flow):
    answers = {"maturity_level": level, **({"cloud": "aws"} if level >= 3 else {})}
    tasks = tomllib.loads((render(**answers) / "poe_tasks.toml").read_text(encoding="utf-8"))["tasks"]
    jobs = [job for job in described(level, "aws")[flow].jobs.values() if not job.only]
    runs = [step.run.removeprefix("uv run poe ") for job in jobs for step in job.steps]
    assert tasks[flow]["sequence"] == [run for run in runs if not run.startswith("login")]
    assert all(run.split()[0] in tasks for run in runs)
