"""`mlops adopt-data` writes the contract, keeps all that a team wrote, and writes nothing if something is wrong."""

import json
from pathlib import Path

import pandas as pd
import pytest

from copier_mlops.cli import main
from copier_mlops.contract import parse, read

CASES = Path(__file__).with_name("cases")
FLATS = str(CASES / "01_flats_cp1252.csv")


@pytest.fixture
def contract(tmp_path, monkeypatch) -> Path:
    """The path of the contract in a project that has none yet."""
    (tmp_path / ".copier-answers.yml").write_text("package_name: flats\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "src" / "flats" / "contract.yaml"


@pytest.fixture
def adopt(contract, capsys):
    """Run the task, and return what it printed."""

    def run(*arguments: str) -> str:
        assert main(["adopt-data", *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def small(tmp_path) -> Path:
    """A small file; its columns are a number, a text and two classes."""
    path = tmp_path / "data" / "raw" / "small.csv"
    path.parent.mkdir(parents=True)
    pd.DataFrame({"size": range(120), "place": ["Bonn", "Köln"] * 60, "y": ["no", "no", "yes", "no"] * 30}).to_csv(
        path, index=False
    )
    return path


def refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as error:
        main(["adopt-data", *map(str, arguments)])
    assert str(error.value).startswith("adopt-data: ")
    assert "\n  fix: " in str(error.value)
    return str(error.value)


def test_a_contract_is_written_with_its_reasons_and_doubts(adopt, contract):
    said = adopt(FLATS, "--target", "Kaufpreis €")
    assert said.startswith(f"{FLATS}: 400 records, 7 columns\ndecided:\n")
    assert "\nin doubt:\n  the encoding cp1252 is a guess" in said
    assert said.endswith("tests/sample.csv\nNext: read the contract, then: uv run poe check-data\n")
    found = read(contract)
    assert found.target.name == "Kaufpreis €"
    assert contract.read_text(encoding="utf-8").startswith("# The contract of the records")


def test_a_dry_run_writes_nothing(adopt, contract):
    said = adopt(FLATS, "--target", "Kaufpreis €", "--dry-run")
    assert "- name: Kaufpreis €" in said and "not written, because of --dry-run" in said
    assert not contract.exists()


def test_words_that_yaml_takes_for_something_else_stay_words(adopt, contract, tmp_path):
    table = pd.DataFrame({"on": ["null", "yes", "1e3", "~"] * 10, "1": range(40), "y": ["no", "n"] * 20})
    table.rename(columns={"1": "null "}).to_csv(tmp_path / "words.csv", index=False)
    adopt(tmp_path / "words.csv", "--target", "y")
    found = read(contract)
    assert found.field("on").values == ("1e3", "yes", "~")
    assert found.target.values == ("n", "no")


def test_a_second_run_changes_nothing(adopt, contract, small):
    adopt(small, "--target", "y")
    before = contract.read_bytes()
    assert adopt(small, "--target", "y").endswith("src/flats/contract.yaml is as it was\n")
    assert contract.read_bytes() == before


def test_what_a_team_wrote_survives_new_columns(adopt, contract, small):
    adopt(small, "--target", "y")
    text = contract.read_text(encoding="utf-8")
    text = text.replace("- name: size\n", "- name: size # in m²\n    unit: m²\n    title: Size\n").replace(
        "minimum: 0", "minimum: -5"
    )
    text = text.replace("[Bonn, Köln]", "[{value: Bonn, label: On the Rhine}, Köln]")
    contract.write_text(text, encoding="utf-8")
    table = pd.read_csv(small).assign(note=["first line\nsecond line"] * 60 + ["other\nnote"] * 60)
    table.to_csv(small, index=False)
    said = adopt(small, "--target", "y")
    after = contract.read_text(encoding="utf-8")
    assert "- name: size # in m²\n    unit: m²\n    title: Size\n" in after
    assert "minimum: -5" in after and "label: On the Rhine" in after
    assert "  text: [note]\n" in after
    assert parse(after, "x").field("note").type == "string"
    assert "'note' is new" in said and "+  - name: note" in said
    assert "'size', minimum: the contract keeps -5, and the data suggests 0" in said


def test_data_that_break_the_contract_are_named_and_force_takes_what_they_suggest(adopt, contract, small):
    adopt(small, "--target", "y")
    before = contract.read_text(encoding="utf-8")
    pd.read_csv(small).replace("Bonn", "Aachen").to_csv(small, index=False)
    said = adopt(small, "--target", "y")
    assert "record 0: place is 'Aachen', expected one of 'Bonn', 'Köln'" in said and "… and more" in said
    assert contract.read_text(encoding="utf-8") == before
    contract.write_text(before.replace("- name: place", "- name: place # a town"), encoding="utf-8")
    said = adopt(small, "--target", "y", "--force")
    assert "'place', categories: ['Aachen', 'Köln'] in place of ['Bonn', 'Köln']" in said
    assert "broken" not in said
    assert "- name: place # a town" in contract.read_text(encoding="utf-8")
    assert read(contract).field("place").values == ("Aachen", "Köln")


def test_a_column_that_the_data_lost_stays_in_the_contract(adopt, contract, small):
    adopt(small, "--target", "y")
    pd.read_csv(small).drop(columns="place").to_csv(small, index=False)
    said = adopt(small, "--target", "y")
    assert "'place' is not in the data; the contract keeps it" in said
    assert "place is missing, and is required" in said


def test_another_form_of_the_same_list_is_no_difference(adopt, contract, small):
    table = pd.read_csv(small, dtype=str).assign(id=[f"k{place}" for place in range(120)])
    table.loc[3, "size"] = "n/a"
    table.to_csv(small, index=False)
    adopt(small, "--target", "y", "--key", "id")
    text = contract.read_text(encoding="utf-8")
    for old, new in [
        ("primaryKey: [id]", "primaryKey: id"),
        ('["", n/a]', '[{value: n/a, label: not said}, {value: ""}]'),
        ("[Bonn, Köln]", "[Köln, Bonn]"),
    ]:
        assert old in text
        text = text.replace(old, new)
    contract.write_text(text, encoding="utf-8")
    said = adopt(small, "--target", "y", "--key", "id")
    assert "the contract keeps" not in said and said.endswith("is as it was\n")


def test_json_has_all_that_is_printed(adopt, small):
    found = json.loads(adopt(small, "--target", "y", "--json"))
    assert (found["records"], found["file"], found["is_written"]) == (120, "src/flats/contract.yaml", True)
    assert found["broken"] == [] and found["decided"]


def test_what_is_wrong_is_said_in_a_sentence_and_nothing_is_written(contract, small, tmp_path):
    (tmp_path / "one.csv").write_text("a,y\n1,1\n2,1\n")
    for arguments, said in [
        ((small, "--target", "z"), "has no column 'z'"),
        ((tmp_path / "one.csv", "--target", "y"), "the target 'y' has one value"),
        (("https://example.com/a.csv", "--target", "y"), "is an address, not a file"),
        ((tmp_path / "moon.csv", "--target", "y"), "is missing"),
    ]:
        assert said in refused(*arguments)
    assert not contract.exists()
    contract.parent.mkdir(parents=True)
    for text in ("fields: [", "title: x\ntitle: y\n"):
        contract.write_text(text)
        refused(small, "--target", "y")
        assert contract.read_text() == text


def test_a_contract_with_a_key_twice_is_refused_before_it_is_changed(adopt, contract, small):
    adopt(small, "--target", "y")
    contract.write_text(contract.read_text(encoding="utf-8") + "title: a\ntitle: b\n", encoding="utf-8")
    assert "the contract cannot be changed" in refused(small, "--target", "y")
