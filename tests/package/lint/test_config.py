"""What a project can set, and what is refused with a sentence that names it."""

import json

import pytest

from tests.package.lint.conftest import ids

MARKER = "<" * 7 + " a\n"


@pytest.fixture
def project(project):
    """A project with an error and a warning-to-be."""
    (project / "docs" / "x.md").write_text(MARKER, encoding="utf-8")
    (project / "notebooks" / "README.md").unlink()
    return project


def configure(project, text: str) -> None:
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[tool.copier-mlops-lint]\n{text}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["MLO101", "MLO301"]),
        ('select = ["MLO3"]', ["MLO301"]),
        ('select = ["conflict-marker"]', ["MLO101"]),
        ('ignore = ["MLO101"]', ["MLO301"]),
        ('select = ["MLO1"]\nignore = ["MLO101"]', []),
        ('per-file-ignores = { "docs/*.md" = ["MLO1"] }', ["MLO301"]),
        ('per-file-ignores = { "docs/*.md" = ["MLO4"], "src" = ["MLO1"] }', ["MLO101", "MLO301"]),
        ("max-file-kb = 1", ["MLO101", "MLO301", "MLO503"]),
    ],
)
def test_what_can_be_set(project, lint, text, expected):
    configure(project, text)
    code, said, _ = lint(project)
    named = sorted({word for word in said.replace(":", " ").split() if word.startswith("MLO")})
    assert (code, named) == (int(bool(expected)), expected)


def test_an_error_can_be_a_warning(project, lint):
    configure(project, 'warn = ["MLO1", "folder-missing"]')
    code, said, _ = lint(project)
    assert code == 0
    assert "docs/x.md:1: MLO101 warning: conflict marker" in said
    assert "0 errors, 2 warnings" in said


def test_the_command_line_wins(project, lint):
    configure(project, 'select = ["MLO4"]\nignore = ["MLO1"]')
    assert lint(project)[0] == 0
    assert "MLO301" in lint(project, "--select", "MLO1,MLO3")[1]
    code, said, _ = lint(project, "--select", "MLO1", "--select=MLO3", "--ignore", "folder-missing")
    assert code == 1 and "MLO101" in said and "MLO301" not in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ignore = ["room-missing"]', ["MLO101 error"]),
        ('warn = ["room-missing"]', ["MLO101 error", "MLO301 warning"]),
        ('select = ["room-missing"]', ["MLO301 error"]),
        ('per-file-ignores = { "docs/*.md" = ["room-missing", "MLO1"] }', ["MLO301 error"]),
    ],
)
def test_settings_may_use_the_old_name_of_a_check(project, lint, text, expected):
    configure(project, text)
    findings = json.loads(lint(project, "--format", "json")[1])["findings"]
    assert sorted(f"{each['check']} {each['severity']}" for each in findings) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("selct = []\nmore = 1", "unknown keys: more, selct; allowed are select, ignore"),
        ('select = "MLO1"', "select is a list of ids"),
        ("ignore = [1]", "ignore is a list of ids"),
        ('select = ["MLX9"]', "select names no check: 'MLX9'"),
        ('ignore = [""]', "ignore names no check: ''"),
        ("max-file-kb = true", "max-file-kb is a whole number"),
        ("max-file-kb = 0", "max-file-kb is a whole number from 1 on"),
        ('per-file-ignores = ["MLO1"]', "per-file-ignores is a table"),
        ("per-file-ignores = { a = 1 }", "per-file-ignores is a list of ids"),
        ('per-file-ignores = { a = ["X"] }', "per-file-ignores names no check: 'X'"),
    ],
)
def test_what_is_refused(project, lint, text, said):
    configure(project, text)
    code, printed, error = lint(project)
    assert (code, printed) == (2, "")
    assert said in error


@pytest.mark.parametrize("arguments", [["--select", "MLX9"], ["--ignore", ","], ["--explain", "nothing"]])
def test_an_option_that_is_refused(project, lint, arguments):
    code, _, error = lint(project, *arguments)
    assert code == 2
    assert "names no check" in error


def test_a_table_that_is_none(project, lint):
    (project / "pyproject.toml").write_text("[tool]\ncopier-mlops-lint = 1\n", encoding="utf-8")
    assert lint(project)[0] == 2


def test_settings_that_cannot_be_read_are_a_finding(project):
    (project / "pyproject.toml").write_text("[tool", encoding="utf-8")
    assert ids(project) == ["MLO001", "MLO101", "MLO301"]


def test_all_checks_can_be_listed_and_explained(project, lint):
    code, said, _ = lint(project, "--list")
    assert code == 0 and "MLO801  template-drift         (warning, --drift)" in said
    code, said, _ = lint(project, "--explain", "notebook-output")
    assert code == 0 and said.startswith("MLO504 notebook-output (error)\n\nFinds: ")
    assert "Example: notebooks/explore.ipynb\n    {" in said and "\nInstead:\n    {" in said
    assert lint(project, "--explain", "MLO6")[1].count("Fix:") == 5
