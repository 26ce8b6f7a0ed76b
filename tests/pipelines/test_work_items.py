"""Issue templates, templates of change requests and owners: the kinds of work are data, and nobody is named."""

import pytest
import yaml

from tests.project import files, registry

ITEMS = registry("work_items")
FOLDERS = {
    "github": ".github/ISSUE_TEMPLATE",
    "gitlab": ".gitlab/issue_templates",
    "forgejo": ".forgejo/issue_template",
}
CHANGES = {
    "github": ".github/pull_request_template.md",
    "azure_devops": ".azuredevops/pull_request_template.md",
    "gitlab": ".gitlab/merge_request_templates/Default.md",
    "forgejo": ".forgejo/pull_request_template.md",
}
OWNERS = {host: f".{host}/CODEOWNERS" for host in ("github", "gitlab", "bitbucket")}


def test_the_kinds_of_work_are_those_of_the_lifecycle():
    assert [item["name"] for item in ITEMS] == [
        "Ask",
        "Explore",
        "Experiment",
        "Data",
        "Model",
        "Deploy",
        "Communicate",
    ]
    assert [item["id"] for item in ITEMS] == [item["name"].lower() for item in ITEMS]
    colours = [item["colour"] for item in ITEMS]
    assert len(set(colours)) == len(colours)
    assert all(len(colour) == 6 and int(colour, 16) >= 0 for colour in colours)


@pytest.mark.parametrize("host", FOLDERS)
def test_each_kind_of_work_is_an_issue_template(render, host):
    contents = files(render(git_host=host, maturity_level=3))
    found = {path: text.decode() for path, text in contents.items() if path.startswith(f"{FOLDERS[host]}/")}
    assert [path.split("/")[-1].split(".")[0] for path in found] == sorted(item["id"] for item in ITEMS)
    for item in ITEMS:
        (text,) = (text for path, text in found.items() if f"/{item['id']}." in path)
        assert item["means"] in text
        for ask in item["asks"]:
            assert ask["heading"] in text
            assert ask["hint"] in text
        if host == "gitlab":
            assert text.endswith(f'/label ~"{item["name"]}"\n')
        else:
            form = yaml.safe_load(text)
            assert (form["name"], form["labels"]) == (item["name"], [item["name"]])
            assert "description" in form if host == "github" else "about" in form


@pytest.mark.parametrize("host", CHANGES)
def test_a_change_request_has_a_template_whose_commands_are_tasks(render, host):
    text = files(render(git_host=host, maturity_level=3))[CHANGES[host]].decode()
    assert "`uv run poe ci`" in text


@pytest.mark.parametrize("host", OWNERS)
def test_owners_are_an_example_that_owns_nothing(render, host):
    lines = files(render(git_host=host, maturity_level=3))[OWNERS[host]].decode().splitlines()
    assert len(lines) > 4
    assert all(line.startswith("# ") for line in lines)
