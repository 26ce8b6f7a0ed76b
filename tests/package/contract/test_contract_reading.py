"""What a contract.yaml can say, and the sentence for each thing that it cannot."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

import copier_mlops.contract
from copier_mlops.contract import ContractError, parse, read
from copier_mlops.contract.contract import clash, identifier
from tasks.contract_schema import text as schema_of_models
from tests.package.shared import loaded

SCHEMA = Path(copier_mlops.contract.__file__).with_name("schema.json")
GOOD = """\
# yaml-language-server: $schema=schema.json
$schema: https://datapackage.org/profiles/2.0/tableschema.json
title: Flats
missingValues: ["", {value: k. A., label: not said}]
primaryKey: No.
learning:
  target: sold
  problem: binary
  positive: "yes"
  time: when
  text: [note]
  newCategories: [place]
  unlogged: [note]
  sensitive: [{field: place, groups: {west: [Bonn]}}, {field: area, bounds: [50, 80.5]}]
fields:
  - {name: No., type: string, constraints: {pattern: "W[0-9]+"}}
  - {name: area, type: number, unit: m², decimalChar: ",", constraints: {required: true, minimum: 0}}
  - {name: place, type: string, categories: [{value: Bonn, label: On the Rhine}, Köln]}
  - {name: when, type: date, format: "%d.%m.%Y", constraints: {minimum: 2020-01-01, maximum: "2030-01-01"}}
  - {name: note, type: string, missingValues: [], constraints: {maxLength: 500}}
  - {name: sold, type: string, categories: ["no", "yes"]}
"""


def test_a_contract_says_what_its_file_says():
    contract = parse(GOOD, "contract.yaml")
    assert [field.name for field in contract.inputs] == ["No.", "area", "place", "when", "note"]
    assert [field.name for field in contract.features] == ["area", "place", "when", "note"]
    assert contract.target.values == ("no", "yes")
    assert contract.field("place").labels == {"Bonn": "On the Rhine"}
    assert contract.missing(contract.field("area")) == ("", "k. A.")
    assert contract.missing(contract.field("note")) == ()
    assert [contract.is_required(field) for field in contract.inputs] == [True, True, False, False, False]


def test_an_editor_accepts_what_the_package_accepts():
    plain = json.loads(json.dumps(yaml.safe_load(GOOD), default=str))
    jsonschema.validate(plain, json.loads(SCHEMA.read_text(encoding="utf-8")))
    plain["fields"][1]["constraints"]["minimun"] = 0
    with pytest.raises(jsonschema.ValidationError, match="minimun"):
        jsonschema.validate(plain, json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_schema_of_editors_is_that_of_the_models():
    assert SCHEMA.read_text(encoding="utf-8") == schema_of_models(), "run: uv run poe contract-schema"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("type: number", "type: float", ", field 'area', type: 'float' is not allowed\n  fix: one of 'integer'"),
        (
            "minimum: 0",
            "minimun: 0",
            ", field 'area', constraints.minimun: is not a key of a contract; did you mean 'mi",
        ),
        ("minimum: 0", "minimum: few", ", field 'area', constraints.minimum: 'few' is not allowed"),
        ("minimum: 0", "minimum: .nan", ", field 'area': minimum is nan, which is not a number"),
        ("minimum: 0", "minimum: 9, maximum: 3", ", field 'area': minimum is 9, which is more than maximum 3"),
        ("minimum: 0", "maxLength: 3", ", field 'area': maxLength is for string, and the type is number"),
        ("W[0-9]+", "W[0-9+", ", field 'No.', constraints.pattern: is not a regular expression"),
        ('format: "%d.%m.%Y"', "format: german", ", field 'when': format is 'german', and a date has default or"),
        (
            "label: On",
            "lable: On",
            ", field 'place', categories[0].lable: is not a key of a contract; did you mean 'label'",
        ),
        ("Köln]", "Köln, 5]", ", field 'place': categories has 5, which is not a string: quote it"),
        ("Köln]", "Köln, Köln]", ", field 'place': categories has a value twice"),
        ('["no", "yes"]', "[no, yes]", ", field 'sold', categories[0]: False is not allowed"),
        ("name: area, ", "", ", 2. field, name: is missing"),
        ("name: note,", "name: AREA,", ": fields 'area' and 'AREA' are one name to a program: area"),
        ("target: sold", "target: sodl", ": target names 'sodl', which is not a field; did you mean 'sold'?"),
        ("primaryKey: No.", "primaryKey: sold", ": primaryKey names the target 'sold'"),
        ('positive: "yes"', "positive: maybe", ": positive is 'maybe', and the classes are 'no' and 'yes'"),
        ("problem: binary", "problem: ternary", ", learning.problem: 'ternary' is not allowed\n  fix: one of 'binary'"),
        (
            "problem: binary",
            "problem: regression",
            ": the target 'sold' is of type string, and regression needs numbers",
        ),
        (
            "problem: binary",
            "problem: multiclass",
            ": multiclass has three classes or more and no positive; 'sold' has 2",
        ),
        ("time: when", "time: place", ": time names 'place', whose type string has no order"),
        ("text: [note]", "text: [area]", ": text names 'area', which is not a string without categories"),
        ("newCategories: [place]", "newCategories: [note]", ": newCategories names 'note', which has no categories"),
        ("  text: [note]\n", "  ignore: [area, place, when, note]\n", ": no field is left for a model"),
        ("learning:", "laerning:", ", laerning: is not a key of a contract; did you mean 'learning'?"),
        ("fields:", "fields: 3\nmore:", ", more: is not a key of a contract"),
        ("title: Flats", "title: [Flats", " is not YAML"),
        ("title: Flats", "title: 2020-13-45", " is not YAML: month must be"),
    ],
)
def test_what_is_wrong_is_said_with_file_field_key_and_fix(old, new, said):
    assert old in GOOD
    changed = GOOD.replace(old, new, 1)
    with pytest.raises(ContractError) as refused:
        parse(changed, "contract.yaml")
    text = str(refused.value)
    assert text.startswith(f"contract.yaml{said}")
    assert "\n  fix: " in text
    assert len(text) < 600


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "fields: {}", "? [a, b]\n: c", "&a [*a]", "fields: [3]\nlearning: 4"]
)
def test_what_is_not_a_contract_is_refused(content):
    with pytest.raises(ContractError, match="\n  fix: "):
        parse(content, "contract.yaml")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "contract.yaml"
    with pytest.raises(ContractError, match=r"contract\.yaml is missing\n  fix: uv run poe adopt-data"):
        read(path)
    path.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(ContractError, match=r"contract\.yaml cannot be read"):
        read(path)
    path.write_text("#" * 4_000_001)
    with pytest.raises(ContractError, match="4,000,001 bytes, which is not a contract"):
        read(path)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ('device "os"', "device_os"),
        ("Kaufpreis €", "kaufpreis"),
        ("état", "état"),
        ("1st", "field_1st"),
        ("信用", "信用"),
    ],
)
def test_a_name_becomes_an_identifier(name, plain):
    assert identifier(name) == plain
    assert plain.isidentifier()


def test_the_first_names_that_clash_are_found():
    assert clash(["a", "Fault Code", "b", "fault_code"]) == ("Fault Code", "fault_code")
    assert clash(["a", "b"]) is None


def test_reading_a_contract_loads_nothing_slow():
    assert loaded("import copier_mlops.contract") == set()
