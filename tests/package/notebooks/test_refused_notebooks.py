"""What cannot become a stage is refused in a sentence that names the cell."""

import json

import pytest

from copier_mlops.notebooks import cells, names, stage, statements
from copier_mlops.notebooks.cells import NotebookError
from copier_mlops.notebooks.code import build, spoken
from tests.package.notebooks import made

STAGE = "stage:x"


def built(tmp_path, document: str):
    """The module of the stage x."""
    file = tmp_path / "notebooks" / "a.ipynb"
    file.parent.mkdir(exist_ok=True)
    file.write_text(document, encoding="utf-8")
    found = cells.read(file)
    return build("x", found, cells.by_stage(found, "", "")["x"], "notebooks/a.ipynb", tmp_path)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = 1\n%matplotlib inline", "cell 1, line 2: '%matplotlib inline' is a command of IPython"),
        ("!pip install pandas", "cell 1, line 1: '!pip install pandas' is a command"),
        ("%%bash\nls", "cell 1, line 1: '%%bash'"),
        ("files = !ls", "cell 1, line 1: 'files = !ls'"),
        ("import os\nos.path?", "cell 1, line 2: 'os.path?'"),
        ("x = (1,\n", "cell 1, line 1: '(' was never closed"),
        ("def f(:\n  pass", "cell 1, line 1: "),
        ("x = 1\nreturn x", "cell 1, line 2"),
        ("await f()", "cell 1, line 1"),
        ("from math import *", "cell 1, line 1 imports *"),
        ("def f():\n    global n\n    n = 1\nf()", "cell 1, line 1: a function declares a name global"),
        ('password = "hunter2"', "cell 1, line 1 has what looks like a secret"),
        ("url = 'https://bob:pw@example.org/x.csv'", "cell 1, line 1 has what looks like a secret"),
        ("print(table)", "cell 1, line 1 needs table, which no cell gives a value"),
        ("print(y)\ny = 1", "cell 1, line 1 needs y, which has no value there yet"),
        ("list = list((1, 2))", "cell 1, line 1 reads list before the stage gives this name another meaning"),
        ("Path = 3", "cell 1, line 1 gives Path another meaning"),
        ("open('/etc/passwd')", "cell 1, line 1 reads '/etc/passwd', which is not in the project"),
        ("open('../../x.csv')", "which is not in the project"),
        ("open('C:\\\\x.csv')", "which is not in the project"),
        ("open('a$b.csv')", "a command line would misread '$'"),
        ("import pandas as pd\npd.read_csv('a.csv').to_csv('a.csv')", "cell 1, line 2 writes notebooks/a.csv, which"),
        ("t = open('a.csv').read()\nopen('a.csv', 'w').write(t)", "cell 1, line 2 writes notebooks/a.csv, which"),
    ],
)
def test_code_that_cannot_be_a_stage_is_named(tmp_path, code, reason):
    with pytest.raises(NotebookError) as refusal:
        built(tmp_path, made.notebook((code, STAGE)))
    assert reason in str(refusal.value)
    assert "\n  fix: " in str(refusal.value)
    assert "hunter2" not in str(refusal.value) and "pw@" not in str(refusal.value)


@pytest.mark.parametrize("code", ["x = y", "x: int", "x, y = 1, 2", "print(1)", "x = f()"])
def test_parameters_are_values(tmp_path, code):
    text = made.notebook((code, "parameters"), ("print(1)", STAGE))
    if code == "x: int":
        assert built(tmp_path, text).parameters == {}
        return
    with pytest.raises(NotebookError, match="cell 1, line 1 has the tag parameters, and is not an assignment"):
        built(tmp_path, text)


def test_what_a_command_line_cannot_carry_stays_in_the_module(tmp_path):
    code = "a = None\nb = [1]\nc = 'say \"x\"'\nd = float\nhelp = 1\nö = 1\ne = 1e999\nf = -2"
    code = code.replace("d = float\n", "")
    found = built(tmp_path, made.notebook((code, "parameters"), ("print(a, b, c, help, ö, f)", STAGE)))
    assert found.parameters == {"f": -2}
    assert "c = 'say \"x\"'" in found.text and "ö = 1" in found.text
    assert sum("stays in the module" in each for each in found.doubts) == 6


def test_two_imports_of_a_name_are_refused_and_parts_of_a_package_are_not(tmp_path):
    twice = made.notebook("import numpy as np", "import math as np", ("print(np)", STAGE))
    with pytest.raises(NotebookError, match=r"cell 2, line 1 imports np in another way than cell 1, line 1"):
        built(tmp_path, twice)
    parts = built(tmp_path, made.notebook("import os.path\nimport os", ("print(os.path)\nprint(os.sep)", STAGE)))
    assert "import os\nimport os.path\n" in parts.text or "import os.path\nimport os\n" in parts.text


def test_functions_and_imports_of_tagged_cells_come_along_if_they_are_needed(tmp_path):
    functions = "def a():\n    return b()\ndef b():\n    return 1\ndef unused():\n    return 2"
    found = built(tmp_path, made.notebook((functions, "functions"), ("print(a())", STAGE)))
    assert "def a():" in found.text and "def b():" in found.text and "unused" not in found.text


@pytest.mark.parametrize(
    ("code", "doubt"),
    [
        (
            "import pandas as pd\nprint(pd.read_csv('https://x.org/a.csv'))",
            "reads an address, which DVC does not follow",
        ),
        ("print('../data/raw')", "names '../data/raw', which is still a path from the notebook's folder"),
        ("import helpers\nprint(helpers)", "helpers is not installed here"),
        ("n = 1\nopen(f'{n}.txt', 'w')", "the path of open is not a text"),
    ],
)
def test_doubts_are_said(tmp_path, code, doubt):
    assert [each for each in built(tmp_path, made.notebook((code, STAGE))).doubts if doubt in each]


def test_what_shows_something_is_left_out_but_for_what_it_does(tmp_path):
    code = "a = [1]\na\na[0]\na.head()\ndisplay(a.tail())\na.pop().head()\nopen('x.csv').read().describe().head()"
    found = built(tmp_path, made.notebook((code.replace("a.head()", "a.show()"), STAGE)))
    body = found.text.partition("parse_args(arguments)\n")[2].partition("\n\n\nif")[0].split()
    assert body == ["a", "=", "[1]", "a.pop().head()", "open(options.x).read().describe().head()"]


def test_a_file_of_a_function_that_is_not_needed_is_no_input(tmp_path):
    functions = "def one():\n    return open('1.csv')\ndef two():\n    return open('2.csv')"
    found = built(tmp_path, made.notebook((functions, "functions"), ("print(two())", STAGE)))
    assert found.reads == {"notebooks/2.csv": "file-2"}
    assert "1.csv" not in found.text and "options.file_1" not in found.text


def test_a_module_beside_the_notebook_is_named(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "helpers.py").touch()
    found = built(tmp_path, made.notebook(("import helpers\nprint(helpers)", STAGE)))
    assert "helpers is a module beside the notebook: move it into the package" in found.doubts


def test_paths_that_are_put_together_from_texts_are_found(tmp_path):
    code = (
        "import os\nfrom pathlib import Path\nDATA = Path('..') / 'data'\n"
        "a = (DATA / 'ä' / 'in.txt').read_text()\n"
        "with open(os.path.join('..', 'data', 'in.txt')) as file:\n    a += file.read()\n"
        "(DATA / 'out.txt').write_text(a)"
    )
    found = built(tmp_path, made.notebook((code, STAGE)))
    assert found.reads == {"data/ä/in.txt": "file-in", "data/in.txt": "file-in-2"}
    assert found.writes == {"data/out.txt": "out"}
    assert "a = (options.file_in).read_text()" in found.text
    assert "open(options.file_in_2)" in found.text


def test_inputs_decide_from_which_folder_paths_begin(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.txt").touch()
    found = built(tmp_path, made.notebook(("open('out.txt', 'w').write(open('data/in.txt').read())", STAGE)))
    assert (list(found.reads), list(found.writes)) == (["data/in.txt"], ["out.txt"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "is damaged: "),
        (b"\xff\xfe{", "is damaged: "),
        (b"[" * 100_000, "is damaged: "),
        (b"[]", "is not a notebook: it has no `nbformat`"),
        (b'{"nbformat": 3, "worksheets": []}', "has the format 3, not 4\n  fix: uvx --from nbconvert"),
        (b'{"nbformat": 4}', "has the format 4, not 4"),
    ],
)
def test_a_file_that_is_not_a_notebook_is_named(tmp_path, content, reason):
    file = tmp_path / "a.ipynb"
    file.write_bytes(content)
    with pytest.raises(NotebookError) as refusal:
        cells.read(file)
    assert reason in str(refusal.value)


def test_a_missing_a_huge_and_a_foreign_notebook_are_named(tmp_path):
    file = tmp_path / "a.ipynb"
    with pytest.raises(NotebookError, match="is not here"):
        cells.read(file)
    with file.open("wb") as opened:
        opened.truncate(cells.MOST + 1)
    with pytest.raises(NotebookError, match=r"has 50 MB, nearly all of it outputs"):
        cells.read(file)
    file.write_text(made.notebook("1", metadata={"kernelspec": {"language": "R", "name": "ir"}}))
    with pytest.raises(NotebookError, match="is written in r, and a stage in Python"):
        cells.read(file)


def test_cells_of_odd_forms_are_read(tmp_path):
    file = tmp_path / "a.ipynb"
    odd = [{"cell_type": "markdown"}, 7, {"cell_type": "code", "source": "x = 1", "metadata": {"tags": "stage:x"}}]
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"nbformat": 4, "cells": odd, "metadata": None}).encode())
    assert cells.read(file) == [cells.Cell(3, "x = 1", frozenset())]


@pytest.mark.parametrize("name", ["Clean", "1a", "class", "a-b", "../x", ""])
def test_a_name_that_no_module_can_have_is_refused(name):
    with pytest.raises(NotebookError, match="cannot be the name of a stage"):
        cells.by_stage([cells.Cell(4, "1", frozenset({f"stage:{name}"}))], "", "")


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,,2", "1-", "-1", "1-2-3", "999999"])
def test_numbers_of_another_form_are_refused(text):
    with pytest.raises(NotebookError, match=r"is not a list of cells\n  fix: for example"):
        cells.numbers(text)


def test_chosen_cells_need_a_stage_and_are_code():
    found = [cells.Cell(2, "1", frozenset())]
    with pytest.raises(NotebookError, match="add --stage NAME"):
        cells.by_stage(found, "2", "")
    with pytest.raises(NotebookError, match=r"cell 3 is not a code cell\n  fix: one of 2"):
        cells.by_stage(found, "2-3", "x")


def test_numbers_are_spoken():
    assert [spoken(each) for each in ([3], [1, 2, 3], [1, 3, 4, 9])] == [
        "cell 3",
        "cells 1 to 3",
        "cells 1, 3 to 4 and 9",
    ]


ENTRY = ["new:", "  cmd: x"]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("stages:\n", "stages:\n  new:\n    cmd: x\n"),
        ("stages:\n  a: {cmd: y}", "stages:\n  a: {cmd: y}\n\n  new:\n    cmd: x\n"),
        (
            "stages:\n    a:\n        cmd: y # z\n# end\n",
            "stages:\n    a:\n        cmd: y # z\n\n    new:\n      cmd: x\n\n# end\n",
        ),
        (
            "stages:\n  a:\n    cmd: >-\n      y\n\n\nplots: []\n",
            "stages:\n  a:\n    cmd: >-\n      y\n\n  new:\n    cmd: x\n\n\nplots: []\n",
        ),
    ],
)
def test_an_entry_goes_to_the_end_of_its_mapping(text, after):
    assert stage.put(text, "dvc.yaml", ("stages",), "new", ENTRY, False) == after


def test_an_entry_takes_the_place_of_the_one_with_its_name():
    text = "stages:\n  a: {cmd: 1}\n  new:\n    cmd: y\n  # of b\n  b: {cmd: 2}\n"
    after = "stages:\n  a: {cmd: 1}\n  new:\n    cmd: x\n  # of b\n  b: {cmd: 2}\n"
    assert stage.put(text, "dvc.yaml", ("stages",), "new", ENTRY, True) == after
    with pytest.raises(NotebookError, match=r"dvc\.yaml has new already"):
        stage.put(text, "dvc.yaml", ("stages",), "new", ENTRY, False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("stages: {a: {cmd: x}}\n", "is written in braces"),
        ("plots: []\n", "has no stages"),
        ("a: [\n", "is damaged"),
        ("- a\n", "is not a mapping"),
    ],
)
def test_a_pipeline_of_another_form_is_named(text, reason):
    with pytest.raises(NotebookError, match=reason):
        stage.put(text, "dvc.yaml", ("stages",), "new", ENTRY, False)


def test_a_statement_says_what_it_reads_and_gives():
    (first, second) = statements.statements(cells.Cell(1, "a = [b for c in d]\ne += f(lambda: g)", frozenset()))
    assert (first.uses, first.later, first.binds) == ({"b", "d"}, set(), {"a"})
    assert (second.uses, second.later, second.binds) == ({"e", "f"}, {"g"}, {"e"})
    assert "print" in names.KNOWN
