"""The pin of the package in pyproject.toml: what counts as one, and what is said of a project without it."""

import pytest

from tests.package.lint.conftest import found
from tests.project import ANSWERS, commit

HASH = "0123456789abcdef0123456789abcdef01234567"
ASKED = '[project]\nname = "x"\ndependencies = ["Copier_MLOps[online]"]\n'
BOUNDED = '[project]\nname = "x"\ndependencies = ["copier-mlops[online]>=1.2.0,<1.3"]\n'
OF_GROUP = '[dependency-groups]\ndev = [{ include-group = "x" }, "copier-mlops"]\n'
DIRECT = f'[project]\nname = "x"\ndependencies = ["copier-mlops @ git+https://example.org/t.git@{HASH}"]\n'
GIT = 'git = "https://example.org/t.git"'
NO_PIN, NO_COMMIT, NO_BOUND = "has no pin", "is not pinned to a commit", "has no bound"
ORIGIN = "_src_path: a\n"
INDEX = f"{ORIGIN}package_index: true\n"


def sourced(*tables: str) -> str:
    """Return the lines that say where uv takes the package from."""
    value = tables[0] if len(tables) == 1 else f"[{', '.join(tables)}]"
    return f"\n[tool.uv.sources]\ncopier-mlops = {value}\n"


@pytest.fixture
def said(tmp_path):
    """What is said of a pyproject.toml, with these answers."""

    def call(text: str, answers: str = "", tasks: str = "") -> list[str]:
        files = {"pyproject.toml": text, ANSWERS: f"{answers or ORIGIN}", "poe_tasks.toml": tasks}
        for name, content in files.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        commit(tmp_path)
        return [each.message for each in found(tmp_path, select=("MLO901",))]

    return call


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        (ASKED, "", NO_PIN),
        (OF_GROUP, "", NO_PIN),
        (BOUNDED, "", NO_PIN),
        (ASKED + sourced(f'{{ {GIT}, rev = "{HASH}" }}'), "", None),
        (ASKED + sourced(f'{{ {GIT}, tag = "1.2.0" }}'), "", None),
        (ASKED + sourced('{ path = "../template" }'), "", None),
        (ASKED + sourced(f"{{ {GIT} }}"), "", NO_COMMIT),
        (ASKED + sourced(f'{{ {GIT}, branch = "main" }}'), "", NO_COMMIT),
        (ASKED + sourced(f'{{ {GIT}, rev = "{HASH}", marker = "a" }}', f'{{ {GIT}, marker = "b" }}'), "", NO_COMMIT),
        (DIRECT, "", None),
        (BOUNDED, INDEX, None),
        (ASKED, INDEX, NO_BOUND),
        (ASKED + sourced(f'{{ {GIT}, rev = "{HASH}" }}'), INDEX, None),
        ('[project]\nname = "x"\ndependencies = ["copier-mlops-ours", "numpy"]\n', "", None),
        ("[tool.copier-mlops-lint]\n", "", None),
    ],
)
def test_what_is_a_pin(said, text, answers, expected):
    messages = said(text, answers)
    assert [expected in each for each in messages] == ([True] if expected else [])


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        ("_src_path: gh:owner/name\n_commit: 1.2.0\n", '{ git = "https://github.com/owner/name", rev = "1.2.0" }'),
        (
            "_src_path: git+https://example.org/t.git\n_commit: 1.2.0-5-g0a1b2c3\n",
            '{ git = "https://example.org/t.git", rev = "0a1b2c3" }',
        ),
        ("_src_path: /srv/template\n_commit: 1.2.0\n", '{ path = "/srv/template" }'),
    ],
)
def test_the_line_that_is_missing_is_said_and_mends_it(said, origin, line):
    (message,) = said(ASKED, origin)
    assert f"write `copier-mlops = {line}` below [tool.uv.sources], then: uv sync" in message
    assert said(ASKED + sourced(line), origin) == []


def test_tasks_of_a_package_that_nobody_asks_for(said):
    (message,) = said('[project]\nname = "x"\n', tasks='[tasks.doctor]\ncmd = "mlops doctor"\n')
    assert message.startswith("the tasks run `mlops`, but no dependency is copier-mlops")
    assert said('[project]\nname = "x"\n', tasks='[tasks.doctor]\ncmd = "python -m ours"\n') == []


def test_a_file_that_cannot_be_read_is_said_once_with_the_command_that_follows(project, lint):
    path = project / "pyproject.toml"
    marked = f"{'<' * 7} before updating\n{'=' * 7}\n{'>' * 7} after updating\n"
    path.write_text(path.read_text(encoding="utf-8") + marked, encoding="utf-8")
    code, said, _ = lint(project)
    assert code == 1
    assert "git add pyproject.toml && uv sync" in said
    assert "MLO9" not in said
