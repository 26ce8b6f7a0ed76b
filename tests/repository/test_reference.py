"""The reference is what its sources are made into, and each of its examples works."""

import shlex
from pathlib import Path

import pytest
import yaml

from copier_mlops.cli import TASKS
from copier_mlops.registry import questions
from tasks.reference import FOLDER, pages
from tasks.reference import __main__ as command
from tasks.reference.answers import NOTES, said
from tasks.reference.commands import example, parser_of
from tasks.reference.settings import GIVEN, READERS, ours
from tests.project import answers_of, copy_project, copy_template

NAMES = ("answers", "files", "proven", "settings", "tasks")


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """The pages as `uv run poe reference` would write them."""
    return pages()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_what_its_sources_are_made_into(written, name):
    assert (FOLDER / f"{name}.md").read_text(encoding="utf-8") == written[f"{name}.md"]
    assert written.keys() == {f"{each}.md" for each in NAMES}


@pytest.mark.parametrize("name", sorted(TASKS.keys() - {"service"}))
def test_the_example_of_a_task_has_arguments_that_it_takes(name):
    parser = parser_of(name)
    words = shlex.split(example(name, parser))
    # Engines and CI call these, not people.
    program = "mlops" if name in {"announce", "collect", "stage", "submit"} else "poe"
    assert words[:4] == ["uv", "run", program, "lint-template" if name == "lint" else name]
    parser.parse_known_args(words[4:])


@pytest.mark.parametrize("name", questions())
def test_the_example_of_an_answer_is_taken(name, tmp_path):
    opens = {"data_remote": "s3://bucket/path"} if name == "data_endpoint" else {}
    data = opens | {"maturity_level": 3, name: said(NOTES[name].example)}
    project = copy_project(copy_template(tmp_path / "template"), tmp_path / "project", **data)
    assert answers_of(project)[name] == NOTES[name].example


@pytest.mark.parametrize(("reader", "file"), [each[:2] for each in READERS], ids=str)
def test_the_examples_of_settings_are_taken(reader, file, tmp_path):
    cloud = reader.__module__.rpartition(".")[2]
    answers = {"maturity_level": 4} | ({"cloud": cloud} if file.endswith("identity.yaml") else {})
    answers |= {"engines": [Path(file).stem]} if "/engines/" in file else {}
    project = copy_project(copy_template(tmp_path / "template"), tmp_path / "project", **answers)
    document = yaml.safe_load((project / file).read_text(encoding="utf-8"))
    for name, value in ours(reader).items():
        group, _, key = name.rpartition(".")
        (document[group] if group else document)[key] = value
    assert reader(**document, **dict.fromkeys(GIVEN & reader.model_fields.keys(), "prod"))


def test_check_only_says_what_would_change(written, monkeypatch, capsys):
    before = (FOLDER / "tasks.md").read_text(encoding="utf-8")
    monkeypatch.setattr(command, "pages", lambda: written | {"tasks.md": f"{before}\nA task that is new.\n"})
    assert command.main(["--check"]) == 1
    assert "would write docs/reference/tasks.md" in capsys.readouterr().out
    assert (FOLDER / "tasks.md").read_text(encoding="utf-8") == before
