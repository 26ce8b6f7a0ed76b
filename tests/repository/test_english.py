"""The docs speak as their readers do: to you, with `if` for a condition, and with examples.

In the docs of five other projects, 10,000 words have `where` 4 to 11 times, `if` 58 to 81 times, `you` 105 to 254
times and `for example` 9 to 30 times. The bounds leave some room above.
"""

import re
from pathlib import Path

import pytest

from tests.project import TEMPLATE

PAGES = [
    *sorted((TEMPLATE / "docs").rglob("*.md")),
    *(TEMPLATE / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
]
# In 10,000 words: at least, at most.
RATIOS = {
    r"where": (0, 11),
    r"if|when": (58, 150),
    r"you|your|yours": (105, 400),
    r"for example": (9, 60),
}
# What a clause says better in another way, with a sentence that has it.
AVOIDED = {
    r"\balone(?=[.,;:)]|$)": "The job keeps uv's cache alone.",
    r"\bis no (?!longer|more)\w": "It is no file of yours.",
    r"\b[Mm]end(s|ed|ing)?\b": "The lint mends it.",
    r"\b(hold|holds|held) ([^.]* )?against\b": "It is held against the contract.",
    r"\bstands? in\b": "What stands in the file counts.",
    r"\bwhere (there|nothing|none|nobody)\b": "It makes a repository where there is none.",
}
NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|<!--.*?-->|^ *\|[-| ]*\|$", re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    """The text of a page without code and addresses."""
    return NOT_PROSE.sub(" ", page.read_text(encoding="utf-8"))


def in_10_000_words(words: str, text: str) -> float:
    """Return how often some words are used in 10,000 words of a text."""
    return len(re.findall(rf"\b({words})\b", text, re.IGNORECASE)) / len(re.findall(r"\w[\w'-]*", text)) * 10_000


@pytest.mark.parametrize("words", RATIOS)
def test_the_docs_use_words_as_often_as_good_docs_do(words):
    text = " ".join(map(prose, PAGES))
    least, most = RATIOS[words]
    assert least <= in_10_000_words(words, text) <= most


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TEMPLATE).as_posix())
def test_a_page_avoids_what_nobody_says(page):
    text = prose(page)
    found = [found[0] for pattern in AVOIDED for found in re.finditer(pattern, text, re.MULTILINE)]
    assert not found


@pytest.mark.parametrize(("pattern", "sentence"), AVOIDED.items())
def test_each_rule_finds_what_it_is_for(pattern, sentence):
    assert re.search(pattern, sentence, re.MULTILINE)
