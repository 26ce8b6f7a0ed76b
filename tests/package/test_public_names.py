"""What docs/reference/api.md allows a project to import is there, and is documented."""

import importlib
import re

import pytest

from tests.project import TEMPLATE

PAGE = (TEMPLATE / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
NAMES = re.findall(r"^\| `(copier_mlops\.[\w.]+)` \|", PAGE, re.MULTILINE)
ENTRIES = sorted((TEMPLATE / "template").rglob("operation/**/*.py"))


def names(text: str) -> set[str]:
    """The names that a module takes from the package."""
    found = re.findall(r"^from (copier_mlops[\w.]*) import (.+)$", text, re.MULTILINE)
    return {f"{module}.{name.strip()}" for module, some in found for name in some.split(",")}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_page_can_be_imported_and_says_what_it_is(name):
    module, _, attribute = name.rpartition(".")
    assert getattr(importlib.import_module(module), attribute).__doc__


def test_the_template_imports_only_what_the_page_allows():
    sources = [
        *ENTRIES,
        *(TEMPLATE / "template").rglob("src/**/*.py"),
        *(TEMPLATE / "template").rglob("tests/**/*.jinja"),
    ]
    used = set().union(*(names(path.read_text(encoding="utf-8")) for path in sources))
    modules = {name.rpartition(".")[0] for name in NAMES}
    assert "copier_mlops.serving.online" in used
    assert {name for name in used if name not in NAMES and name not in modules} == set()


def test_an_entry_point_has_at_most_40_lines():
    assert len(ENTRIES) >= 2
    assert all(len(path.read_text(encoding="utf-8").splitlines()) <= 40 for path in ENTRIES)
