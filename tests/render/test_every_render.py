"""Whatever was answered, the files of a project are clean, can be read and name nobody who was not named."""

import ast
import functools
import json
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml

from tests.project import ANSWERS, TEMPLATE, answers_of, files
from tests.render.answers import ODD, pairs

# Templates that the project itself renders when it reports, or Renovate for a title; and data as it was delivered.
RUNTIME, DATA = (".j2", "renovate.json"), (".csv",)
# Addresses that every project may name; all others come from an answer.
PUBLIC = {"creativecommons.org", "datapackage.org", "docs.astral.sh", "doi.org", "www.apache.org"}
# The git hosts, the clouds and where both document what is asked of them.
PUBLIC |= {"api.github.com", "dev.azure.com", "vssps.dev.azure.com", "api.bitbucket.org", "bitbucket.org", "github.com"}
PUBLIC |= {"docs.github.com", "learn.microsoft.com", "docs.gitlab.com", "developer.atlassian.com"}
PUBLIC |= {"docs.renovatebot.com"}
PUBLIC |= {"iam.googleapis.com", "iamcredentials.googleapis.com", "sts.googleapis.com"}
# What each extra of the package brings.
EXTRAS = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
LOCAL = {"127.0.0.1", "localhost"}
# Modules that are not called as their distribution is.
PROVIDES = {
    "pyyaml": ["yaml"],
    "requests": ["requests", "urllib3"],
    "scikit-learn": ["sklearn"],
}


@functools.cache
def parse(path: str, content: bytes) -> object:
    """What a file says, by its kind; nothing for text."""
    if path.endswith(".py"):
        return ast.parse(content, path)
    if path.endswith((".yaml", ".yml", ".dvc")):
        documents = list(yaml.safe_load_all(content))
        return documents if len(documents) > 1 else next(iter(documents), None)
    if path.endswith(".toml"):
        return tomllib.loads(content.decode())
    if path.endswith("devcontainer.json"):  # comments are allowed in it
        content = re.sub(rb"(?m)^ *//.*$", b"", content)
    return json.loads(content) if path.endswith(".json") else None


@functools.cache
def blemishes(path: str, content: bytes) -> list[str]:
    """What a formatter would fix, or a reader stumble over, in a text."""
    text = content.decode()
    blank = "\n\n\n\n" if path.endswith(".py") else "\n\n\n"
    found = {
        "no newline at the end": not text.endswith("\n"),
        "more than one newline at the end": text.endswith("\n\n"),
        "a blank line at the start": text.startswith("\n") and path != "LICENSE",
        "two blank lines": blank in text,
        "a space at the end of a line": re.search(r"[ \t]$", text, re.MULTILINE),
        "a carriage return": "\r" in text,
    }
    return [name for name, is_there in found.items() if is_there]


def texts(project: Path) -> dict[str, str]:
    return {path: content.decode() for path, content in files(project).items() if content and not path.endswith(DATA)}


def without_names(text: str) -> str:
    """A text without expressions of a git host and without the odd name that some renders are given."""
    return re.sub(r"\$\{\{ .+? \}\}", "", text).replace(ODD, "")


def test_nothing_of_the_template_is_left(project):
    for path, text in texts(project).items():
        left = [mark for mark in ("{{", "{%", "{#") if mark in without_names(text)]
        assert path.endswith(RUNTIME) or not left, f"{path} holds {left}"
        assert not path.endswith(".jinja") and "{" not in path


def test_every_text_is_tidy(project):
    found = {path: blemishes(path, content) for path, content in files(project).items() if content}
    assert not {path: names for path, names in found.items() if names and not path.endswith(DATA)}


def test_every_file_can_be_read(project):
    for path, content in files(project).items():
        parse(path, content)


def test_every_import_is_there(project):
    contents = files(project)
    package = answers_of(project)["package_name"]
    sources = {package: project / "src", "operation": project}
    settings = parse("pyproject.toml", contents["pyproject.toml"])
    needed = chain(settings["project"]["dependencies"], *settings["dependency-groups"].values())
    declared = {name for each in needed for name in distributions(each)}
    allowed = {module for name in declared for module in PROVIDES.get(name, [name.replace("-", "_")])}
    for path, content in contents.items():
        for module, names in imports(path, content):
            first, *_ = parts = module.split(".")
            if first in sources:
                place = sources[first].joinpath(*parts)
                wanted = [place / name for name in names] if place.is_dir() else [place]
                assert all(each.is_dir() or each.with_suffix(".py").is_file() for each in wanted), f"{path}: {module}"
            else:
                is_known = first in allowed or first in sys.stdlib_module_names
                assert is_known, f"{path} imports {first}, which nothing declares"


def distributions(requirement: str) -> set[str]:
    """The distribution that a requirement names, and what the extras of this package bring."""
    name, _, rest = re.split(r"[><=]", requirement)[0].partition("[")
    extras = rest.rstrip("]").split(",") if rest and name == "copier-mlops" else []
    return {name}.union(*(distributions(each) for extra in extras for each in EXTRAS[extra]))


@functools.cache
def imports(path: str, content: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """Each module that a Python file imports, and the names that it takes from it."""
    nodes = list(ast.walk(ast.parse(content))) if path.endswith(".py") else []
    found = [(alias.name, ()) for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            folder = path.removeprefix("src/").split("/")[: -node.level] if node.level else []
            module = ".".join([*folder, *([node.module] if node.module else [])])
            found.append((module, tuple(alias.name for alias in node.names)))
    return found


def test_nobody_is_named_who_was_not_answered(project, template):
    answers = answers_of(project)
    given = json.dumps(answers, ensure_ascii=False)
    for path, text in texts(project).items():
        for address in re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text):
            is_example = address.lower().endswith("@example.org")
            assert is_example or address in given, f"{path} names {address}"
        for host in re.findall(r"https?://([\w.-]+)", text):
            known = host in PUBLIC | LOCAL or host in given
            assert known or path.endswith(("settings.yaml", "LICENSE")), f"{path} names {host}"
        if path != ANSWERS:
            # A template in a folder is known by its path: in the answers file, in the pin, and to the task `drift`.
            if path in ("poe_tasks.toml", "pyproject.toml"):
                text = text.replace(f"'{template}[lint]'", "").replace(f'path = "{template}"', "")
            machine = [str(template), str(Path.home()), "/home/", "/Users/", "/tmp/", "C:\\Users"]  # noqa: S108
            assert not [place for place in machine if place in text], path


@pytest.mark.parametrize("count", [66])
def test_a_few_rows_hold_every_pair(count):
    assert len(pairs()) <= count
