"""The code speaks the same English as the docs: in docstrings, comments, messages, help texts and registries."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.project import TEMPLATE
from tests.repository.test_english import AVOIDED, in_10_000_words

FOLDERS = ("src", "extensions", "template", "tasks", ".github")
OLD: set[str] = set()
LONGEST = 30
# In 10,000 words: at least, at most. Code says more often than docs where a thing is.
RATIOS = {r"where": (0, 20), r"if|when": (50, 150), r"for example": (20, 60)}
# The keys of registries and of copier.yml whose values a person reads.
READ = {"credentials", "description", "heading", "help", "hint", "means", "name", "next", "why"}
# Errors say that there is no such file, and that a fix leaves a file alone.
IDIOMS = {r"\bis no ": r"(?<![Tt]here )", r"\balone": r"^(?!.*\b(?:leaves?|left)\b).*"}
AVOIDED_HERE = {
    next((allowed for start, allowed in IDIOMS.items() if pattern.startswith(start)), "") + pattern: sentence
    for pattern, sentence in AVOIDED.items()
} | {
    # Questions may begin so, for example in an issue template.
    r"^(What|Who)\b[^?]*$": "Who has ended and waits for a parent is gone.",
    r"\b(doors?|carry_out|rooms?)\b": "The registry's door: a version goes through it.",
}
CODE = re.compile(r"`[^`]*`|\{[^{}]*\}|\S+://[^\s,?]+|\b\w+(?:[./_]\w+)+\b|<[^>]*>")
JINJA = re.compile(r"\{[%#].*?[%#]\}|\{\{.*?\}\}", re.DOTALL)


def files() -> list[Path]:
    """Return the files with code or comments."""
    found = [path for folder in FOLDERS for path in (TEMPLATE / folder).rglob("*") if path.is_file()]
    kinds, old = {".py", ".toml", ".yaml", ".yml"}, [TEMPLATE / name for name in OLD]
    found = [path for path in found if not any(path == each or each in path.parents for each in old)]
    return [TEMPLATE / "copier.yml", *(path for path in found if kinds & set(path.suffixes))]


def source_of(path: Path) -> str:
    """Return the text of a file, without Jinja if it is a template."""
    text = path.read_text(encoding="utf-8")
    return JINJA.sub("x", text) if path.suffix == ".jinja" else text


def texts(path: Path) -> list[str]:
    """Return all texts of a file that a person reads."""
    source = source_of(path)
    if ".py" in path.suffixes:
        return [*strings(source), *comments("".join(comment_lines(source)))]
    is_registry = path.suffix == ".yml" and "template" not in path.parts
    return comments(source) + (list(values(list(documents(source)))) if is_registry else [])


def strings(source: str) -> Iterator[str]:
    """Yield docstrings and messages; a string of one or two words is a name."""
    tree = ast.parse(source)
    parts = {id(part) for each in ast.walk(tree) if isinstance(each, ast.JoinedStr) for part in each.values}
    for node in ast.walk(tree):
        pieces = node.values if isinstance(node, ast.JoinedStr) else [] if id(node) in parts else [node]
        text = "".join(
            str(piece.value) if isinstance(piece, ast.Constant) else "x"
            for piece in pieces
            if isinstance(piece, ast.Constant | ast.FormattedValue)
        )
        if len(re.findall(r"[a-z]+", text)) > 2:
            yield text


def comment_lines(source: str) -> Iterator[str]:
    """Yield the comments of Python code, and an empty line before each that does not continue another."""
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield ("" if token.start[0] == last + 1 else "\n") + token.string + "\n"
            last = token.start[0]


def comments(source: str) -> list[str]:
    """Return the comments of YAML, TOML or Python; lines that follow each other are one text."""
    blocks = re.findall(r"(?:^[ \t]*#(?: .*)?\n)+", source, re.MULTILINE)
    return [re.sub(r"^[ \t]*# ?", "", block, flags=re.MULTILINE) for block in blocks]


def documents(source: str) -> Iterator[object]:
    """Yield the documents of a YAML file; copier.yml includes another file, which is read by itself."""
    return yaml.safe_load_all(source.replace("!include ", ""))


def values(node: object) -> Iterator[str]:
    """Yield the values of a registry that a person reads."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else []:
        if key in READ and isinstance(value, str):
            yield value
        yield from values(value)


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text; an empty line, an item of a list or a name with its meaning begins another."""
    plain = CODE.sub("x", text)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*] |\w+:|[\w-]+  ))", plain):
        yield from (each.strip() for each in re.split(r"(?<=[.?!])\s+", " ".join(block.split())))


ALL = {path.relative_to(TEMPLATE).as_posix(): texts(path) for path in files()}


@pytest.mark.parametrize("words", RATIOS)
def test_the_code_uses_words_as_often_as_good_code_does(words):
    text = " ".join(text for found in ALL.values() for text in found)
    least, most = RATIOS[words]
    assert least <= in_10_000_words(words, text) <= most


@pytest.mark.parametrize("path", ALL)
def test_a_file_says_it_as_its_readers_would(path):
    said = [sentence for text in ALL[path] for sentence in sentences(text)]
    assert not [sentence for sentence in said if len(sentence.split()) > LONGEST]
    assert not [sentence for sentence in said for pattern in AVOIDED_HERE if re.search(pattern, sentence)]


@pytest.mark.parametrize(
    "path", [path for path in ALL if path.startswith("template/") and ".py" in Path(path).suffixes]
)
def test_the_docstrings_of_the_template_begin_with_a_verb(path):
    """The repository's own docstrings are checked by `poe lint`."""
    command = ["ruff", "check", "--isolated", "--select=D401", "--stdin-filename=x.py", "-"]
    done = subprocess.run(command, input=source_of(TEMPLATE / path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_each_kind_of_text_is_read():
    code = '"""A docstring with words."""\n# A comment\n# of two lines.\nprint(f"fix: run {x} again")\n'
    assert list(strings(code)) == ["A docstring with words.", "fix: run x again"]
    assert comments("".join(comment_lines(code))) == ["A comment\nof two lines.\n"]
    assert list(values({"a": [{"means": "Words.", "id": "Not words."}]})) == ["Words."]


@pytest.mark.parametrize(("pattern", "sentence"), AVOIDED_HERE.items())
def test_each_rule_finds_what_it_is_for(pattern, sentence):
    assert re.search(pattern, sentence, re.MULTILINE)
