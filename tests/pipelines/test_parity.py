"""Read back, the files of each host say what extensions/flows describes, but for what the host cannot say."""

import re
import tomllib

import pytest
import yaml

from tests.pipelines.described import DIFFERENCES, described
from tests.pipelines.hosts import READERS, faults
from tests.project import TEMPLATE, files, matches, registry
from tests.render.answers import AZURE_ML

HOSTS = registry("hosts")
LOGINS = {name: tuple(each["secrets"]) for name, each in registry("trackers").items()}
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
@pytest.mark.parametrize(
    ("uri", "cloud", "secrets"),
    [
        ("https://mlflow.example.org", "aws", LOGINS["https"]),
        ("databricks", "none", ("DATABRICKS_HOST", "DATABRICKS_TOKEN")),
        (AZURE_ML, "aws", ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")),
        (AZURE_ML, "azure", ()),
    ],
)
def test_the_login_to_a_tracking_server_reaches_the_steps_that_use_it(render, host, uri, cloud, secrets):
    project = render(git_host=host, maturity_level=4, cloud=cloud, tracking_uri=uri)
    assert faults(host, project, 4, cloud, tracker=secrets) == []
    others = () if secrets else LOGINS["https"]
    assert bool(faults(host, project, 4, cloud, tracker=others)) == (host in ("github", "azure_devops"))


AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
STRING = ("AZURE_STORAGE_CONNECTION_STRING",)
ACCOUNT, MINIO = "https://account.blob.core.windows.net", "https://minio.example.org"


@pytest.mark.parametrize("host", READERS)
@pytest.mark.parametrize(
    ("remote", "cloud", "endpoint", "keys"),
    [
        ("s3://bucket/path", "none", "", AWS),
        ("s3://bucket/path", "azure", "", AWS),
        ("s3://bucket/path", "aws", "", ()),
        ("s3://bucket/path", "aws", MINIO, AWS),
        ("azure://container/path", "none", ACCOUNT, STRING),
        ("azure://container/path", "azure", "", STRING),
        ("azure://container/path", "azure", ACCOUNT, ()),
        ("gs://bucket/path", "none", "", ("DATA_REMOTE_KEY",)),
        ("gs://bucket/path", "gcp", "", ()),
        ("ssh://host/path", "aws", "", ("DATA_REMOTE_USER", "DATA_REMOTE_KEY")),
        ("webdavs://host/path", "none", "", ("DATA_REMOTE_USER", "DATA_REMOTE_PASSWORD")),
    ],
)
def test_the_keys_of_a_remote_reach_the_steps_that_use_it_if_no_login_opens_it(
    render, host, remote, cloud, endpoint, keys
):
    answers = {"data_remote": remote, "cloud": cloud} | ({"data_endpoint": endpoint} if endpoint else {})
    project = render(git_host=host, maturity_level=3, **answers)
    assert faults(host, project, 3, cloud, keys=keys) == []
    others = () if keys else AWS
    assert bool(faults(host, project, 3, cloud, keys=others)) == (host in ("github", "azure_devops"))


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
