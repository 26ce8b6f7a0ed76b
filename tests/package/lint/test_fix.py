"""--fix fixes, and never loses a line that a person wrote."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from copier_mlops.lint.fixes import without_outputs
from tests.package.lint.conftest import found

CELLS = [
    {"cell_type": "markdown", "metadata": {}, "source": ["# Größe\n", "100 %"]},
    {
        "cell_type": "code",
        "execution_count": 3,
        "metadata": {"tags": ["keep"]},
        "outputs": [{"output_type": "stream", "text": ["secret\n"]}],
        "source": ["x = '🚀'\n", "print(x)"],
    },
]
NOTEBOOK = {"cells": CELLS, "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}


def written(indent: object = 1, ascii_only: bool = False, end: str = "\n") -> str:
    return json.dumps(NOTEBOOK, indent=indent, ensure_ascii=ascii_only) + end


@pytest.mark.parametrize(
    "text",
    [written(), written(2), written(ascii_only=True), written(end=""), written().replace("\n", "\r\n"), written("\t")],
    ids=["as Jupyter", "two spaces", "ASCII", "no end", "Windows", "tabs"],
)
def test_only_the_outputs_of_a_notebook_go(project, lint, text):
    path = project / "notebooks" / "x.ipynb"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    mode = path.stat().st_mode  # Windows knows no other than 0o666
    code, said, _ = lint(project, "--fix")
    assert code == 0 and "1 fixed, 0 errors" in said
    expected = json.loads(json.dumps(NOTEBOOK))
    expected["cells"][1] |= {"outputs": [], "execution_count": None}
    now = path.read_bytes().decode()
    assert json.loads(now) == expected
    assert path.stat().st_mode == mode
    gone = [line for line in text.splitlines() if line.strip(" ,\t") not in now]
    assert all("output" in line or "secret" in line or "execution_count" in line or "text" in line for line in gone)
    assert found(project) == []
    assert not [each.name for each in path.parent.iterdir() if each.name.startswith(".x")]


@pytest.mark.parametrize(
    "text",
    [
        written().replace('"nbformat": 4', '"nbformat": 4, "nbformat": 3'),
        written().replace('"nbformat": 4', '"nbformat":4'),
        written().replace('"nbformat_minor": 5', '"nbformat_minor": 5.0e0'),
        "\ufeff" + written(),
    ],
    ids=["a key twice", "its own spaces", "a number in another form", "a byte order mark"],
)
def test_a_notebook_that_would_not_be_the_same_is_left_alone(project, lint, text):
    path = project / "notebooks" / "x.ipynb"
    path.write_text(text, encoding="utf-8", newline="")
    code, said, _ = lint(project, "--fix")
    assert code == 1 and "fixed" not in said
    assert path.read_bytes() == text.encode()


def test_a_rejected_change_that_is_merged_goes_and_all_others_stay(project, lint):
    readme, rejected = project / "README.md", project / "README.md.rej"
    readme.write_text("one\nours\ntwo\n", encoding="utf-8")
    hunk = "diff a/README.md b/README.md\n@@ -1,2 +1,3 @@\n one\n+ours\n-gone\n two\n"
    for text in (
        hunk.replace("+ours", "+lost"),
        hunk.replace("+ours", "+ours\n+ours"),
        "no diff\n",
        "+ours\n",
        hunk + "odd\n",
    ):
        rejected.write_text(text, encoding="utf-8")
        assert lint(project, "--fix")[0] == 1
        assert rejected.read_text(encoding="utf-8") == text
    rejected.write_text(hunk, encoding="utf-8")
    code, said, _ = lint(project)
    assert code == 1 and "[--fix]" in said and rejected.exists()
    assert lint(project, "--fix")[0] == 0
    assert not rejected.exists()
    assert readme.read_text(encoding="utf-8") == "one\nours\ntwo\n"


def test_a_rejected_change_to_a_file_that_is_gone_stays(project, lint):
    rejected = project / "gone.md.rej"
    rejected.write_text("@@ -1 +1 @@\n+ours\n", encoding="utf-8")
    assert lint(project, "--fix")[0] == 1
    assert rejected.exists()


def test_what_is_not_selected_is_not_mended(project, lint):
    path = project / "notebooks" / "x.ipynb"
    path.write_text(written(), encoding="utf-8")
    assert lint(project, "--fix", "--ignore", "notebook-output")[0] == 0
    assert lint(project, "--fix", str(project / "README.md"))[0] == 0
    assert path.read_text(encoding="utf-8") == written()


def test_a_file_that_cannot_be_written_is_a_finding(project, lint, monkeypatch):
    path = project / "notebooks" / "x.ipynb"
    path.write_text(written(), encoding="utf-8")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    code, said, _ = lint(project, "--fix")
    assert code == 1 and "notebooks/x.ipynb: MLO001 could not be fixed: Permission denied" in said
    assert path.read_text(encoding="utf-8") == written()


TEXT = some.text(max_size=20)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | TEXT,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CELL = some.fixed_dictionaries(
    {"cell_type": some.sampled_from(["code", "markdown", "raw"]), "source": some.lists(TEXT, max_size=4)},
    optional={"outputs": some.lists(VALUES, max_size=2), "metadata": VALUES, "execution_count": some.integers()},
)


@settings(max_examples=60)
@given(
    cells=some.lists(CELL, max_size=4),
    more=some.dictionaries(TEXT.filter(lambda key: key != "cells"), VALUES, max_size=3),
    indent=some.sampled_from([None, 1, 2, "\t"]),
    ascii_only=some.booleans(),
)
def test_whatever_a_notebook_holds_all_but_outputs_stays(cells, more, indent, ascii_only):
    text = json.dumps({"cells": cells} | more, indent=indent, ensure_ascii=ascii_only)
    try:
        content = text.encode()
    except UnicodeEncodeError:
        return
    after = without_outputs(content)
    if after is None:
        return
    expected = json.loads(text)
    for cell in expected["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    assert json.loads(after) == expected
