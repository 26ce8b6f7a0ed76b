"""A model file has only types that this package or the team trusts, and reads them as state: it never calls them."""

import importlib
import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from skops.io._protocol import PROTOCOL

from copier_mlops import model_file, model_types
from copier_mlops.model_file import ModelFileError
from copier_mlops.pipeline import smoke

PARTS = """
from pathlib import Path

from sklearn.base import BaseEstimator, TransformerMixin


class Rare(TransformerMixin, BaseEstimator):
    def __init__(self, least=2):
        self.least = least
        Path("made").touch()


class Handle:
    def __init__(self):
        self.stream = (number for number in "12")


def double(values):
    return values * 2
"""


@pytest.fixture
def parts(inside, team_project, tmp_path, monkeypatch):
    """A module of the team's, and no list of trusted types; the working directory is another folder of the project."""
    folder = team_project / "src" / "lending"
    (folder / "parts.py").write_text(PARTS)
    importlib.invalidate_caches()
    yield importlib.import_module("lending.parts")
    del sys.modules["lending.parts"]
    for name in ("src/lending/parts.py", f"src/lending/{model_types.FILE}", "made"):
        (team_project / name).unlink(missing_ok=True)


def trust(project, *names: str) -> None:
    (project / "src" / "lending" / model_types.FILE).write_text("".join(f"- {name}\n" for name in names))


def node(path: str, loader: str, **content: object) -> dict:
    """A node of a schema; a path such as `lending.parts.Rare`."""
    module, _, name = path.rpartition(".")
    return {"__class__": name, "__module__": module, "__loader__": loader, **content}


def text(value: object) -> dict:
    return node("builtins.str", "JsonNode", content=json.dumps(value), is_json=True)


def crafted(path, schema: dict):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema | {"protocol": PROTOCOL, "_skops_version": "0.16.0"}))
    return path


def test_a_type_of_the_team_is_named_with_the_lines_that_allow_it(parts, team_project, tmp_path):
    path, model = tmp_path / "model.skops", parts.Rare(least=7)
    path.write_bytes(b"before")
    with pytest.raises(SystemExit) as refused:
        model_file.save(model, path)
    reason, fix, *lines = str(refused.value).splitlines()
    assert reason == f"mlops: {path} is not written: nothing that reads it trusts lending.parts.Rare"
    assert fix == "  fix: if you know that code, add these lines to src/lending/trusted_types.yaml:"
    assert [each.name for each in tmp_path.iterdir()] == ["model.skops"] and path.read_bytes() == b"before"

    (team_project / fix.split()[-1].rstrip(":")).write_text("\n".join(["# Columns that are rare.", *lines, ""]))
    model_file.save(model, path)
    assert model_file.load(path).least == 7
    content = path.read_bytes()
    model_file.save(model_file.load(path), path)
    assert path.read_bytes() == content
    (team_project / "src" / "lending" / model_types.FILE).unlink()
    with pytest.raises(ModelFileError, match=r"model.skops has types that are not trusted: lending\.parts\.Rare$"):
        model_file.load(path)


def test_a_function_of_the_team_can_be_trusted_too(parts, team_project, tmp_path):
    from sklearn.preprocessing import FunctionTransformer

    trust(team_project, "lending.parts.double")
    model_file.save(FunctionTransformer(parts.double), tmp_path / "model.skops")
    assert model_file.load(tmp_path / "model.skops").transform(np.array([[2]])).tolist() == [[4]]


def test_a_class_of_the_file_that_runs_is_refused(inside, team_project, tmp_path):
    script = tmp_path / "train.py"
    lines = PARTS.replace('Path("made").touch()', "pass")
    script.write_text(
        f"{lines}\nfrom copier_mlops import model_file\nmodel_file.save(Rare(), Path({str(tmp_path / 'm.skops')!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=team_project, capture_output=True, text=True, encoding="utf-8", check=False
    )
    reason, fix = done.stderr.splitlines()
    assert done.returncode == 1
    assert "m.skops is not written: __main__.Rare is defined in the file that runs as a program" in reason
    assert fix == "  fix: put Rare, or a function of yours that calls it, into a module of src, and import it there"
    assert [each.name for each in tmp_path.iterdir()] == ["train.py"]


def test_a_function_of_a_library_is_refused_before_somebody_trusts_it(inside, tmp_path):
    import pandas as pd
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(SystemExit, match=r"read_pickle is code of a library, which no file may choose\n  fix: put "):
        model_file.save(FunctionTransformer(pd.read_pickle), tmp_path / "model.skops")  # noqa: S301


def test_what_skops_cannot_write_is_a_sentence(parts, tmp_path):
    with pytest.raises(SystemExit, match=r"skops cannot write the model: .*\n  fix: give its class a __getstate__"):
        model_file.save(parts.Handle(), tmp_path / "model.skops")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "operator.methodcaller",
        "subprocess.Popen",
        "functools.partial",
        "__main__.Rare",
        "lending",
        "lending.*",
        "lending.parts.",
    ],
)
def test_a_list_with_what_nobody_can_trust_is_refused(parts, team_project, tmp_path, name):
    model_file.save(np.zeros(2), tmp_path / "model.skops")
    trust(team_project, "lending.parts.Rare", f'"{name}"')
    with pytest.raises(ModelFileError, match=rf"trusted_types.yaml: '{re.escape(name)}' is .*; delete this line$"):
        model_file.load(tmp_path / "model.skops")
    with pytest.raises(SystemExit, match=r"^mlops: .*delete this line$"):
        model_file.save(np.zeros(2), tmp_path / "other.skops")


@pytest.mark.parametrize("content", ["lending.parts.Rare", "- 1", "- [", "a: b"])
def test_a_list_that_is_none_is_refused_with_its_place(parts, team_project, tmp_path, content):
    model_file.save(np.zeros(2), tmp_path / "model.skops")
    (team_project / "src" / "lending" / model_types.FILE).write_text(content)
    with pytest.raises(ModelFileError, match=r"trusted_types.yaml (is not a list of types|cannot be read)"):
        model_file.load(tmp_path / "model.skops")


EMPTY = {"key_types": node("builtins.list", "ListNode", content=[]), "content": {}}
HOSTILE = {
    "a constructor": node("lending.parts.Rare", "ConstructorFromReduceNode", content=text([])),
    "a dict": node("lending.parts.Rare", "DictNode", **EMPTY),
    "a list": node("lending.parts.Rare", "ListNode", content=[]),
    "a function as a constructor": node("lending.parts.double", "ConstructorFromReduceNode", content=text(["a"])),
    "a booster from a file": node(
        "lightgbm.basic.Booster", "ConstructorFromReduceNode", content=text([None, None, "/etc/passwd"])
    ),
    "a function of a library": node("pandas.io.pickle.read_pickle", "FunctionNode"),
    "a library's function as a type": node("pandas.io.pickle.read_pickle", "TypeNode"),
    "a call of a library": node("pandas.io.pickle.read_pickle", "ConstructorFromReduceNode", content=text(["a"])),
    "a command": node("os.system", "FunctionNode"),
    "an evaluation": node("builtins.eval", "TypeNode"),
    "a method": node("operator.methodcaller", "OperatorFuncNode", attrs=text(["system"])),
}


@pytest.mark.parametrize("schema", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_calls_nothing(parts, team_project, tmp_path, schema):
    trust(team_project, "lending.parts.Rare", "lending.parts.double", "pandas.io.pickle.read_pickle")
    path = crafted(tmp_path / "model.skops", schema)
    with pytest.raises(ModelFileError, match=r"(the file would call|has types that are not trusted)"):
        model_file.load(path)
    assert not (team_project / "made").exists()


def test_a_crafted_file_of_state_is_read(parts, team_project, tmp_path):
    """The counterpart: what the hostile files lack is a way to be called, not the form of a file."""
    trust(team_project, "lending.parts.Rare")
    state = node("builtins.dict", "DictNode", **EMPTY)
    found = model_file.load(crafted(tmp_path / "model.skops", node("lending.parts.Rare", "ObjectNode", content=state)))
    assert isinstance(found, parts.Rare)
    assert not (team_project / "made").exists()


def test_the_copy_in_which_the_sample_is_learned_trusts_the_same(parts, team_project, tmp_path, monkeypatch):
    trust(team_project, "lending.parts.Rare")
    monkeypatch.setattr(smoke, "repro", lambda _: None)
    copy = smoke.run_on_sample(team_project, team_project / "operation" / "tests" / "sample.csv", tmp_path / "copy")
    monkeypatch.chdir(copy)
    assert "lending.parts.Rare" in model_types.trusted()
    model_file.save(parts.Rare(), tmp_path / "model.skops")


def test_outside_of_a_project_only_the_package_is_trusted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model_types.package() == ""
    assert set(model_types.TRUSTED) < set(model_types.trusted())
    assert not [name for name in model_types.trusted() if name.startswith("lending")]
