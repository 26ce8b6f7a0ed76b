"""The `schema.py` of a project that is older than contracts is read as one, and its doors go on working."""

import importlib.util
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from copier_mlops.contract import of_project
from copier_mlops.contract.cast import records
from copier_mlops.contract.files import open_source
from copier_mlops.contract.frame import typed
from copier_mlops.contract.http_model import record_model
from copier_mlops.contract.legacy import from_module, has_schema, with_names_of_schema
from copier_mlops.contract.verdict import unseen, violations

SCHEMA = """
from dataclasses import dataclass, field

TARGET = "grade"
POSITIVE = "bad"
LABELS = {1: "good", 2: POSITIVE}


@dataclass(frozen=True)
class Number:
    name: str
    meaning: str
    low: int
    high: int


@dataclass(frozen=True)
class Category:
    name: str
    meaning: str
    codes: dict = field(default_factory=dict)


FEATURES = (
    Category("room_kind", "Kind of the room", {"A1": "kitchen", "A2": "bath"}),
    Number("age", "Age of the building", 0, 200),
    Number("rooms_all", "Rooms", 1, 20),
)
PROTECTED = {"room_kind": [], "age": [25, 60]}
"""


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A project whose package has only a schema."""
    folder = tmp_path / "src" / "houses_of_before"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "schema.py").write_text(SCHEMA)
    (tmp_path / ".copier-answers.yml").write_text("package_name: houses_of_before\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    yield folder
    for name in [name for name in sys.modules if name.startswith("houses_of_before")]:
        del sys.modules[name]


def test_it_becomes_a_contract_with_the_groups_and_codes(package):
    assert has_schema()
    found = of_project()
    assert [field.name for field in found.features] == ["room_kind", "age", "rooms_all"]
    assert (found.learning.problem, found.learning.positive) == ("binary", "bad")
    assert found.field("room_kind").labels == {"A1": "kitchen", "A2": "bath"}
    # Up to 25, 26 to 60, and above: a contract says the first value of each further group.
    assert [each.bounds for each in found.learning.sensitive] == [(), (26, 61)]


def test_a_contract_beside_it_counts(package):
    (package / "contract.yaml").write_text(
        "learning: {target: y, problem: regression}\nfields: [{name: x, type: number}, {name: y, type: number}]\n"
    )
    assert not has_schema()
    assert of_project().target.name == "y"


def test_its_records_get_the_verdict_of_before(package):
    found = of_project()
    good = {"room_kind": "A1", "age": 3, "rooms_all": 2}
    model = record_model(found)
    assert model.model_validate_json(json.dumps(good)).model_dump(by_alias=True) == good
    new = good | {"room_kind": "A9"}
    assert model.model_validate_json(json.dumps(new)), "an unknown code is accepted, as it was"
    assert unseen(pd.DataFrame([new]), found) == {"room_kind": [True]}
    for wrong in ({"age": 201}, {"age": None}, {"room_kind": "A" * 65}, {"unknown": 1}):
        with pytest.raises(ValidationError):
            model.model_validate_json(json.dumps(good | wrong))
        assert list(violations(pd.DataFrame([good | wrong], dtype=object), found))


def test_a_raw_file_with_slashes_in_its_header_is_read(package, tmp_path):
    found = of_project()
    (tmp_path / "raw.csv").write_text("room/kind,age,rooms/all\nA1,3,2\nA2,4,1\n")
    (part,) = records(open_source(tmp_path / "raw.csv"), found)
    table = typed(with_names_of_schema(part, found, are_texts=True), found)
    assert list(table) == ["room_kind", "age", "rooms_all"]
    assert table["rooms_all"].tolist() == [2, 1]
    assert not list(violations(table, found))


def test_a_schema_that_says_what_no_contract_can_is_named(tmp_path):
    (tmp_path / "odd.py").write_text(SCHEMA.replace('"room_kind": []', '"colour": []'))
    spec = importlib.util.spec_from_file_location("odd_schema", tmp_path / "odd.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["odd_schema"] = module
    spec.loader.exec_module(module)
    with pytest.raises(SystemExit, match=r"schema\.py cannot be read as a contract: .*'colour'"):
        from_module(module)
