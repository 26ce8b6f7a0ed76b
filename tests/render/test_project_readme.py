"""The README of a project is true at its level: each task, file and page that it names is there."""

import re

import pytest

from tests.project import files, registry
from tests.render.test_tasks import tasks_of

# What commands of the README make, and what is outside of the repository.
MADE = {"build/answers.csv", "build/report/index.html", "dvc.lock"}
# Not a path, though it has a slash: routes of the service.
ROUTES = {"/health", "/metrics", "/predict"}
PATH = re.compile(r"[\w.]+(?:/[\w.]+)+|\w+\.(?:py|yaml|toml|lock)")
SERVING = [["batch", "online"], ["batch"], []]


@pytest.fixture(scope="module", params=range(len(registry("levels"))))
def level(request) -> int:
    return request.param


@pytest.mark.parametrize("serving", SERVING, ids="+".join)
def test_each_task_and_file_that_it_names_is_there(render, level, serving):
    project = render(maturity_level=level, serving=serving)
    text = (project / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"uv run poe ([a-z][\w-]*)", text)) <= tasks_of(project).keys()
    assert "uv run poe setup" in text
    named = {path for code in re.findall(r"`([^`\n]+)`", text) if "poe " not in code for path in PATH.findall(code)}
    routes = {f"/{path}" for path in named} & ROUTES
    contents = files(project)
    there = {path for file in contents for path in (file, file.rpartition("/")[2])}
    folders = {"/".join(file.split("/")[:depth]) for file in contents for depth in range(1, file.count("/") + 1)}
    assert {path for path in named - routes if path not in there | folders} <= MADE
    assert "data/README.md" in named


def test_each_link_of_a_page_leads_to_it(render, level):
    project = render(maturity_level=level)
    text = (project / "README.md").read_text(encoding="utf-8")
    local = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    assert [target for target in local if not (project / target).exists()] == []
    assert re.findall(r"<(http[^>]+)>", text) == (["http://127.0.0.1:8000/docs"] if level >= 2 else [])


def test_the_next_level_is_named_until_there_is_none(render, level):
    text = (render(maturity_level=level) / "README.md").read_text(encoding="utf-8")
    levels = len(registry("levels"))
    assert re.findall(r"--data maturity_level=(\d)", text) == ([str(level + 1)] if level + 1 < levels else [])


def test_a_lower_answer_after_a_climb_still_names_the_next_one(render):
    text = (render(maturity_level=1, reached_level=2) / "README.md").read_text(encoding="utf-8")
    assert "--data maturity_level=3" in text
