"""The interview fits a terminal of 80 columns, and typing is not appended to the text of an example."""

from pathlib import Path

import copier
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from tests.project import answers_of, copy_project
from tests.render.answers import QUESTIONS

# Copier begins a question with a microphone, and indents a choice by as much.
WIDTH, INDENT = 78, 3
DEMO = "Decides which credits to grant, and says how sure it is."
OPTIONS = {"quiet": True, "unsafe": False, "settings": copier.Settings()}
# More than copier has questions.
ENTERS = "\r" * 30


def answered(keys: str, ask, **options) -> None:
    """Run copier as a terminal does, with keys that somebody presses."""
    with create_pipe_input() as terminal, create_app_session(terminal, DummyOutput()):
        terminal.send_text(keys)
        ask(**OPTIONS, **options)


@pytest.fixture
def typed(template, tmp_path):
    """Render a project by the keys of its interview."""

    def run(keys: str, **data: object) -> Path:
        answered(keys, copier.run_copy, src_path=str(template), dst_path=tmp_path / "project", data=data)
        return tmp_path / "project"

    return run


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_fits_a_terminal(name):
    question = QUESTIONS[name]
    lines = [*question["help"].splitlines(), *map(str, question.get("choices", []))]
    assert max(map(len, lines)) <= WIDTH - INDENT


def test_a_name_is_typed_over_the_example_and_brings_no_description_of_it(typed):
    answers = answers_of(typed("\r" + "House Prices\r" + ENTERS))
    assert answers["project_name"] == "House Prices" and answers["package_name"] == "house_prices"
    assert answers["description"] == ""


def test_an_empty_name_is_refused_and_asked_again(typed):
    assert answers_of(typed("\r\r" + "House Prices\r" + ENTERS))["project_name"] == "House Prices"


def test_an_answer_in_advance_is_not_asked(typed):
    answers = answers_of(typed(ENTERS, project_name="House Prices", description="Estimates prices."))
    assert (answers["project_name"], answers["description"]) == ("House Prices", "Estimates prices.")


def test_the_defaults_are_the_demo_and_its_description_comes_only_with_it(template, tmp_path):
    demo = answers_of(copy_project(template, tmp_path / "demo"))
    assert (demo["project_name"], demo["description"]) == ("German Credit", DEMO)
    other = copy_project(template, tmp_path / "other", project_name="House Prices")
    assert answers_of(other)["description"] == ""
    assert "# House Prices\n\nOne command" in (other / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("description", ["", DEMO, "Estimates prices."])
@pytest.mark.parametrize("is_asked", [True, False])
def test_answers_that_exist_stay(template, tmp_path, description, is_asked):
    path = copy_project(template, tmp_path / "project", project_name="House Prices", description=description)
    before = answers_of(path)
    if is_asked:
        answered(ENTERS, copier.run_recopy, dst_path=path, overwrite=True)
    else:
        copier.run_recopy(path, defaults=True, overwrite=True, **OPTIONS)
    assert answers_of(path) == before
