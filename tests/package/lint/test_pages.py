"""The classes of the checks, their pages and the command say the same."""

import re

import pytest

from copier_mlops.lint.registry import checks
from copier_mlops.registry import registry
from tasks.lint_pages import FOLDER, OVERVIEW, TITLES, overview, pages
from tests.project import TEMPLATE
from tests.project import registry as template_registry


@pytest.mark.parametrize("id", checks())
def test_a_check_says_all_that_a_person_needs(id):
    check = checks()[id]
    assert re.fullmatch(r"MLO\d{3}", id)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.name)
    assert check.severity in ("error", "warning")
    assert all(text.endswith(".") for text in (check.finds, check.why, check.fix))
    assert check.example.wrong.endswith("\n") and check.example.instead != check.example.wrong
    assert type(check).__name__ == "".join(map(str.capitalize, check.name.split("-")))


def test_ids_and_names_are_in_order_and_differ():
    assert list(checks()) == sorted(checks())
    names = [name for check in checks().values() for name in (check.name, *check.old_names)]
    assert len(set(names)) == len(names)
    by_page = {check.page: id[3] for id, check in checks().items()}
    assert all(id[3] == by_page[check.page] or check.page in ("leftovers", "answers") for id, check in checks().items())


def test_each_page_is_as_its_checks_write_it():
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == pages()
    assert {check.page for check in checks().values()} == TITLES.keys()
    text = OVERVIEW.read_text(encoding="utf-8")
    assert overview(text) == text and all(f"{each.id} {each.name}" in text for each in checks().values())


def test_the_page_of_the_lint_leads_to_every_page_and_names_every_option(lint, capsys):
    page = (FOLDER.parent / "lint.md").read_text(encoding="utf-8")
    for name, title in TITLES.items():
        assert f"[{title}](lint/{name}.md)" in page
    with pytest.raises(SystemExit):
        lint(TEMPLATE, "--help")
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help", "--version", "--project"}
    assert [option for option in options if f"`{option}" not in page] == []


def test_the_lint_knows_the_template_that_it_came_with():
    for name in ("hosts", "levels"):
        assert registry(name) == template_registry(name)
