"""The page of each host is walked on a laptop, with a folder for its repository and a server for its API."""

import dataclasses
import tomllib

from tests.package.hosts.server import TOKEN
from tests.project import TEMPLATE, replace, run
from tests.run.project import commands

# What the words of a page stand for; the servers know this repository.
WORDS = {
    "azure_devops": {"ORGANISATION": "acme", "PROJECT": "K%20I", "REPOSITORY": "kredit"},
    "bitbucket": {"WORKSPACE": "acme", "REPOSITORY": "kredit"},
    "github": {"OWNER": "acme", "REPOSITORY": "kredit"},
    "gitlab": {"GROUP": "acme", "PROJECT": "kredit"},
}
POE = "uv run poe "


def test_from_an_empty_repository_to_one_that_the_host_was_told_of(place, tmp_path):
    tree, empty = tmp_path / "project", tmp_path / "empty"
    run(tmp_path, "git", "clone", "--quiet", str(place.tree), str(tree))
    run(tree, "git", "remote", "remove", "origin")
    run(tree, "git", "branch", "--move", "--force", "main")
    run(tmp_path, "git", "init", "--quiet", "--bare", str(empty))
    replace(tree / "operation/configuration/host.yaml", 'api: ""', f"api: {place.server.url}")
    place.expect_a_person()
    laptop = dataclasses.replace(place, tree=tree, variables={"HOST_TOKEN": TOKEN})
    tasks = tomllib.loads((tree / "poe_tasks.toml").read_text(encoding="utf-8"))["tasks"]

    page = (TEMPLATE / "docs" / "how-to" / "hosts" / f"{place.name}.md").read_text(encoding="utf-8")
    for word, meaning in WORDS[place.name].items():
        page = page.replace(word, meaning)
    done = []
    for line in commands(page):
        if line.startswith(POE):
            program, *task = tasks[line.removeprefix(POE)]["cmd"].split()
            assert program == "mlops"
            done.append(laptop.process(*task, given="y\n"))
        else:
            done.append(run(tree, *line.split()))
        if " remote add " in line:
            run(tree, "git", "config", f"url.{empty}.pushInsteadOf", line.split()[-1])
    assert run(empty, "git", "rev-parse", "main") == run(tree, "git", "rev-parse", "main")
    assert "   done environment prod" in done[-1]
    assert "ok environment prod" in laptop.process("host-setup", "--plan")
