"""The walk of docs/how-to/failed.md: a red run on a server in GitHub's place, its inputs here, a fix, a green step."""

import dataclasses
import importlib
import json
import re
import shlex
import tomllib

import pytest
from mlflow import MlflowClient

from tests.package.hosts.conftest import HOSTS
from tests.package.hosts.fakes.kept import NUMBER, zipped
from tests.package.hosts.server import TOKEN
from tests.project import TEMPLATE, commit, registry, replace, run
from tests.run.project import commands

PAGE = (TEMPLATE / "docs" / "how-to" / "failed.md").read_text(encoding="utf-8")
POE = "uv run poe "


@pytest.fixture
def tracked(tmp_path) -> tuple[str, str]:
    """A tracking server that has the run of the training, and the run's number."""
    uri = f"sqlite:///{(tmp_path / 'server.db').as_posix()}"
    client = MlflowClient(uri)
    made = client.create_run(client.create_experiment("german_credit")).info.run_id
    return uri, made


@pytest.fixture
def red(place, tracked, tmp_path):
    """A clone of a project that is one commit ahead of its run, whose job judge failed."""
    tree = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(place.tree), str(tree))
    replace(tree / "operation/configuration/host.yaml", 'api: ""', f"api: {place.server.url}")
    replace(tree / "operation/configuration/host.yaml", 'repository: ""', "repository: acme/kredit")
    place.state.commit = commit(tree, "What the run had")
    (tree / "later.txt").write_text("later\n")
    commit(tree, "Later")
    metric = re.search(r"metric: (\w+)", (tree / "operation/configuration/environment_prod/release.yaml").read_text())[
        1
    ]
    kept = {"run_id": tracked[1], "metrics": {metric: 0.8}, "sha256": "0" * 64, "commit": "1" * 40, "data": {}}
    place.state.archives = {"train": zipped({"run.json": json.dumps(kept)})}
    place.state.failed = ["Judge"]
    return dataclasses.replace(place, tree=tree, variables={"HOST_TOKEN": TOKEN})


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_from_the_red_run_to_the_command_on_the_laptop(red, tracked):
    tasks = tomllib.loads((red.tree / "poe_tasks.toml").read_text(encoding="utf-8"))["tasks"]

    def follow(line: str, code: int = 0) -> str:
        words = {"OWNER": "acme", "REPOSITORY": "kredit", "NUMBER": NUMBER, "COMMIT": red.state.commit[:12]}
        for word, meaning in words.items():
            line = line.replace(word, meaning)
        if not line.startswith(POE):
            return run(red.tree, *shlex.split(line))
        task, *arguments = shlex.split(line.removeprefix(POE))
        program, *first = tasks[task]["cmd"].split()
        assert program == "mlops"
        return red.process(*first, *arguments, code=code)

    fetch, update, detach, step, back, again = commands(PAGE)
    printed = follow(fetch)
    assert f"{update} && git switch --detach {red.state.commit[:12]}" in printed
    assert printed.endswith(f"  judge, which reads build/train:\n    {step}\n")

    follow(update)
    follow(detach)
    assert not (red.tree / "later.txt").exists()
    # Prod reads the tracking server of the answers, and the run was tracked elsewhere.
    assert f"has no run {tracked[1]}" in follow(step, code=1)
    settings = red.tree / "operation" / "configuration" / "environment_prod" / "settings.yaml"
    settings.write_text(f"{settings.read_text(encoding='utf-8')}\ntracking_uri: {tracked[0]}\n", encoding="utf-8")
    assert "judge: promoted" in follow(step)
    assert (red.tree / "build" / "judge" / "verdict.json").is_file()

    run(red.tree, "git", "stash", "--quiet")
    follow(back)
    assert (red.tree / "later.txt").exists()
    assert "The failed steps, as commands here" in follow(again)


def test_the_page_says_what_each_job_of_the_flow_reads():
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*?) \|", PAGE, re.MULTILINE))
    jobs = registry("flows/cd")["cd"]["jobs"]
    assert rows.keys() == jobs.keys()
    for id, job in jobs.items():
        assert rows[id] == (", ".join(f"`build/{each}`" for each in job.get("takes", [])) or "nothing"), id
    assert "more than 20,000 files or with more than 2 GB" in PAGE


@pytest.mark.parametrize("name", HOSTS)
def test_the_page_shows_what_the_address_of_a_run_looks_like(name):
    adapter = importlib.import_module(f"copier_mlops.hosts.{name}").ADAPTER
    assert f"| {adapter.name} | `{adapter.example_run}`" in PAGE
