"""The contract that is inferred from a file: all records of the file keep it, and each doubt is said."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copier_mlops.contract.cast import records
from copier_mlops.contract.dialect import DataError
from copier_mlops.contract.files import open_source
from copier_mlops.contract.http_model import record_model
from copier_mlops.contract.infer import Inference, Wishes, infer
from copier_mlops.contract.verdict import violations
from tests.package.contract.eight import CASES, TARGETS


def of(path: Path, target: str, **wishes) -> Inference:
    """The inference of a file, after a check that its records keep the contract."""
    source = open_source(path)
    found = infer(source, Wishes(target, **wishes))
    for table in records(source, found.contract):
        assert [str(each) for each in violations(table, found.contract, labelled=True)] == []
    return found


def of_text(folder: Path, text: str, target: str = "y", **wishes) -> Inference:
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return of(path, target, **wishes)


def of_table(folder: Path, table: pd.DataFrame, target: str = "y", **wishes) -> Inference:
    path = folder / "data.csv"
    table.to_csv(path, index=False)
    return of(path, target, **wishes)


def types(found: Inference) -> dict[str, str]:
    return {field.name: field.type for field in found.contract.fields}


@pytest.mark.parametrize("name", TARGETS)
def test_the_records_of_a_case_keep_its_contract_in_a_request_too(name):
    source = open_source(CASES / name)
    contract = of(CASES / name, TARGETS[name]).contract
    model = record_model(contract)
    table = next(records(source, contract))[[field.name for field in contract.inputs]]
    for record in table.head(50).astype(object).to_dict("records"):
        model.model_validate(record)


def test_flats_have_german_numbers_dates_and_missing_values():
    found = of(CASES / "01_flats_cp1252.csv", "Kaufpreis €")
    contract = found.contract
    assert contract.primary_key == ("Objekt-Nr.",)
    assert contract.missing_values == ("", "k. A.")
    assert contract.learning.problem == "regression"
    assert contract.field("Verkauft am").format == "%d.%m.%Y"
    assert contract.field("Lage").values == ("Bonn", "Düren", "Köln-Süd")
    price = pd.concat(records(open_source(CASES / "01_flats_cp1252.csv"), contract))["Kaufpreis €"]
    assert price.min() > 50_000
    assert any("cp1252 is a guess" in doubt for doubt in found.doubts)
    assert any("--time 'Verkauft am'" in doubt for doubt in found.doubts)


def test_churn_is_rare_and_has_notes_of_free_text():
    found = of(CASES / "02_churn_bom.csv", "churned")
    learning = found.contract.learning
    assert (learning.problem, learning.positive, learning.text) == ("binary", "yes", ("last_note",))
    assert found.contract.primary_key == ("customer_id",)
    assert types(found)["is_premium"] == "boolean" and types(found)["signed_up_at"] == "datetime"
    assert any(doubt.startswith("'yes' is rare, one record to 24 others") for doubt in found.doubts)


def test_faults_have_codes_for_labels_and_columns_that_say_nothing():
    found = of(CASES / "03_faults.tsv", "fault code")
    assert found.contract.learning.problem == "multiclass"
    assert found.contract.target.values == (0, 1, 2, 3, 4)
    assert found.contract.learning.ignore == ("firmware", "comment")
    assert "'comment' is empty, and is ignored" in found.doubts
    assert any(doubt.startswith("'firmware' is constant") for doubt in found.doubts)


def test_money_is_read_and_postal_codes_stay_texts():
    found = of(CASES / "04_spend_money.csv", "Spend")
    assert types(found) == {
        "zip": "string",
        "Income": "integer",
        "Growth": "number",
        "Balance": "number",
        "Spend": "number",
    }
    table = next(records(open_source(CASES / "04_spend_money.csv"), found.contract))
    assert table.loc[4].tolist() == ["04853", 22036, -1.5, -777.59, 544.01]
    assert found.contract.field("Growth").unit == "%"


def test_fraud_has_mixed_types_duplicates_and_many_merchants():
    found = of(CASES / "05_fraud.csv", "fraud")
    assert found.contract.learning.positive == 2
    said = "\n".join(found.doubts)
    assert "'device \"os\"' has mixed types, for example '9' and" in said
    assert "'grid': 'n/a' counts as missing" in said
    assert "25 of 425 records are there more than once" in said
    assert "--group 'merchant'" in said
    assert of(CASES / "05_fraud.csv", "fraud", positive="1").contract.learning.positive == 1


def test_genes_demand_and_households_have_the_parts_that_a_split_needs():
    genes = of(CASES / "06_genes.csv", "état").contract
    assert (genes.primary_key, genes.target.values, len(genes.features)) == (
        ("patient",),
        ("bénin", "indéterminé", "malin"),
        120,
    )
    assert of(CASES / "07_demand.csv", "demand").contract.learning.time == "time"
    leak = of(CASES / "08_leak_groups.csv", "defaulted")
    assert (leak.contract.learning.group, leak.contract.learning.ignore) == ("household", ("outcome_code",))
    assert any(doubt.startswith("'outcome_code' gives the target away") for doubt in leak.doubts)
    assert [field.name for field in leak.contract.features] == ["x1"]


def test_what_you_wish_is_kept(tmp_path):
    found = of(CASES / "08_leak_groups.csv", "defaulted", problem="regression", drop=("outcome_code",))
    assert found.contract.learning.problem == "regression"
    assert found.contract.learning.ignore == ("outcome_code",)
    table = pd.DataFrame({"a": range(30), "b": range(30), "when": pd.date_range("2024-01-01", periods=30)[::-1]})
    found = of_table(tmp_path, table.assign(y=[0, 1] * 15), key=("a", "b"), time="when", group="b", drop=())
    assert found.contract.primary_key == ("a", "b")
    assert (found.contract.learning.time, found.contract.learning.group) == ("when", "b")


@pytest.mark.parametrize(
    ("texts", "keys"),
    [
        (["1.5", "2", "-3e5"], {"type": "number"}),
        (["1,5", "2", "1.000,25"], {"type": "number", "decimal_char": ",", "group_char": "."}),
        (["1 234", "5 678 901"], {"type": "integer", "group_char": " "}),
        (["1'234.5", "12"], {"type": "number", "group_char": "'"}),
        (["€ 1.234,50", "€ 5"], {"type": "number", "decimal_char": ",", "group_char": ".", "bare_number": False}),
        (["5 EUR", "-7 EUR"], {"type": "number", "bare_number": False, "unit": "EUR"}),
        (["007", "123"], {"type": "string"}),
        (["12345678901234567890", "1"], {"type": "string"}),
        (["Ja", "nein", "JA"], {"type": "boolean", "true_values": ("JA", "Ja")}),
        (["2024-01-31", "2024-02-01"], {"type": "date", "format": "default"}),
        (["31/01/2024", "01/02/2024"], {"type": "date", "format": "%d/%m/%Y"}),
        (["01/31/2024", "01/02/2024"], {"type": "date", "format": "%m/%d/%Y"}),
        (["1 Feb 2024", "28 Mar 2023"], {"type": "date", "format": "%d %b %Y"}),
        (["31.01.2024 12:30", "01.02.2024 00:00"], {"type": "datetime", "format": "%d.%m.%Y %H:%M"}),
        (["2024-01-31T12:30:00+02:00", "2024-01-31T12:30:00.5Z"], {"type": "datetime", "format": "default"}),
        (["1.2.3", "1.2.4"], {"type": "string"}),
        (["192.168.0.1", "10.0.0.1"], {"type": "string"}),
    ],
)
def test_values_are_read_as_people_write_them(tmp_path, texts, keys):
    table = pd.DataFrame({"x": texts * 20, "y": [0, 1] * (10 * len(texts)), "z": range(20 * len(texts))})
    field = of_table(tmp_path, table).contract.field("x")
    assert {key: getattr(field, key) for key in keys} == keys


@pytest.mark.parametrize("token", ["-", "?", "unknown", "n/a", "NULL"])
def test_a_word_between_numbers_is_a_missing_value(tmp_path, token):
    found = of_table(tmp_path, pd.DataFrame({"x": [*map(str, range(95)), *[token] * 5], "y": [0, 1] * 50}))
    assert types(found)["x"] == "integer"


def test_what_comes_late_in_the_file_widens_the_type(tmp_path):
    table = pd.DataFrame({"a": ["1"] * 30_000, "b": ["2"] * 30_000, "c": np.arange(30_000) % 7, "y": [0, 1] * 15_000})
    table.loc[29_000, ["a", "b"]] = ["1.5", "two"]
    found = of_table(tmp_path, table)
    assert types(found) == {"a": "number", "b": "string", "c": "integer", "y": "integer"}
    assert any("'b' has mixed types" in doubt and "'two' in record 29000" in doubt for doubt in found.doubts)


def test_a_value_that_is_seen_once_lets_others_be_expected(tmp_path):
    found = of_table(tmp_path, pd.DataFrame({"x": ["a"] * 60 + ["b"] * 39 + ["c"], "y": [0, 1] * 50}))
    assert found.contract.learning.new_categories == ("x",)
    assert record_model(found.contract).model_validate({"x": "d"})


def test_a_number_that_gives_the_target_away_is_found_and_an_honest_one_is_not(tmp_path):
    made = np.random.default_rng(0)
    honest = made.normal(size=500)
    target = (honest + made.normal(size=500) > 0).astype(int)
    table = pd.DataFrame({"honest": honest, "paid": np.where(target, made.uniform(1, 9, 500), 0), "y": target})
    assert of_table(tmp_path, table).contract.learning.ignore == ("paid",)
    table = pd.DataFrame({"honest": honest, "euro": honest * 3 + 7, "y": honest * 6 + made.normal(size=500)})
    assert of_table(tmp_path, table).contract.learning.ignore == ()
    same = table.assign(y=table["euro"] ** 3, other=made.normal(size=500))
    assert of_table(tmp_path, same).contract.learning.ignore == ("honest", "euro")


def test_typed_files_get_the_same_contract_as_text(tmp_path):
    rows = [
        {"id": f"k{i}", "n": i % 7, "x": i / 2 if i % 5 else None, "c": "ab"[i % 2], "y": i % 2 == 0} for i in range(60)
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    pd.DataFrame(rows).to_parquet(tmp_path / "data.parquet")
    found = [of(tmp_path / name, "y", drop=("c",)) for name in ("data.jsonl", "data.parquet")]
    assert found[0].document == found[1].document
    assert types(found[0]) == {"id": "string", "n": "integer", "x": "number", "c": "string", "y": "string"}


CELLS = st.one_of(
    st.sampled_from(
        ["", "n/a", "1", "2,5", "1.234", "-3.7", "$5", "(2)", "4%", "007", "2024-01-01", "31.12.2024", "yes"]
    ),
    st.sampled_from(
        [
            "no",
            "TRUE",
            "a b c d e",
            "x\ny",
            "1e400",
            "nan",
            "inf",
            "-",
            "?",
            "١",
            "1_000",
            " 5 ",
            "+7",
            ".",
            " n/a ",
            " - ",
        ]
    ),
    st.sampled_from(
        [" n/a ", " - ", "12345678901234567890", "0.0", "1.", "1e5", "31.02.2024", "12:30", "$", "%", "()"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6),
)


# Most columns are of one kind, with a cell or two that are not.
KINDS = [
    ["1", "-5", "+7", "42.0", "0", " 12", "999999999999999999", "", "n/a", "1.5", "1e3"],
    ["1,5", "1.234,5", "-3", "297.200", "0,001", "", "k. A.", "1.23,4"],
    ["1.5", ".5", "5.", "-1e-3", "1,234.5", "12", "NaN", "", "?", "inf", "1e308", "1e309"],
    ["$1", "(2.50)", "-$3", "4 €", "5%", "€ 1,000", "", "-", "USD 5", "6 USD", "$"],
    ["2024-01-31", "1999-12-31", "9999-12-31", "", "NULL", "2023-02-29", "2024-1-1"],
    ["31.01.2024", "01.02.1999", "", "k.A.", "31.02.2024", "1.2.2024", "01.02.99"],
    ["2024-01-31T10:00:00Z", "2024-01-31 10:00", "2024-01-31T10:00:00.123456+02:00", "", "2024-01-31T25:00"],
    ["yes", "no", "Yes", "NO", "", "n/a", "maybe"],
    ["true", "false", "1", "0"],
    ["007", "123", "0", "", "12a"],
]


@st.composite
def columns_of_a_kind(draw: st.DrawFn) -> list[str]:
    cells = draw(st.lists(st.sampled_from(draw(st.sampled_from(KINDS))), min_size=24, max_size=24))
    main = cells[0]
    return [cell if draw(st.booleans()) else main for cell in cells[:-1]] + [draw(CELLS)]


@given(columns=st.lists(columns_of_a_kind() | st.lists(CELLS, min_size=24, max_size=24), min_size=1, max_size=4))
@settings(max_examples=150)
def test_any_records_keep_the_contract_that_is_inferred_from_them(tmp_path, columns):
    table = pd.DataFrame({f"column {place}": cells for place, cells in enumerate(columns)}).assign(y=list("ab") * 12)
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False, quoting=1)
    try:
        of(path, "y")
    except DataError as error:
        assert "no column is left" in str(error) or "another header" in str(error)


@pytest.mark.parametrize(
    ("text", "wishes", "said"),
    [
        ("a,y\n", {}, "has a header and no records\n"),
        ("a,y\n1,2\n", {"target": "yy"}, "has no column 'yy'\n  fix: --target 'y'"),
        ("a,y\n1,2\n", {"target": "moon"}, "has no column 'moon'\n  fix: one of 'a', 'y'"),
        ("a,y\n1,2\n", {"key": ("b",)}, "has no column 'b'"),
        ("a,y\n1,5\n2,5\n", {}, ": the target 'y' has one value: '5' (2)\n"),
        ("a,y\n1,\n2,\n", {}, ": the target 'y' has no values\n"),
        ("Fault Code,fault_code,y\n1,2,0\n3,4,1\n", {}, "are one name to a program, fault_code\n  fix: rename one"),
        ("a,y\na,y\n1,0\n2,1\n", {}, ": its second line looks like another header\n"),
        ("a,b,y\nkg,m,%\n" + "1,2,3\n4,5,6\n" * 20, {}, ": its second line looks like another header\n"),
        ("a,y\n1,0\n1,1\n", {"key": ("a",)}, ": 'a' is not a key, it has values twice\n"),
        ("a,b,y\n1,3,0\n,4,1\n", {"key": ("a",)}, ": the key 'a' is missing in 1 records\n"),
        ("a,y\nx,0\nz,1\n", {"time": "a"}, ": 'a' has no dates or numbers\n"),
        ("a,y\n1,0\n2,1\n", {"positive": "5"}, "has no value '5'\n  fix: --positive 0 or 1"),
        ("a,y\n1,0\n2,1\n", {"problem": "multiclass"}, "has 2 classes, and the problem is multiclass\n"),
        ("a,y\n1,x\n2,z\n", {"problem": "regression"}, "is of type string, neither classes nor numbers\n"),
        ("a,y\n1,0\n2,1\n", {"drop": ("a",)}, ": no column is left for a model to learn from\n"),
        ("a,y\n1,2024-01-01\n2,2024-01-02\n", {}, "is of type date, neither classes nor numbers\n"),
    ],
)
def test_a_file_from_which_nothing_can_be_learned_gets_one_sentence(tmp_path, text, wishes, said):
    with pytest.raises(DataError) as refused:
        of_text(tmp_path, text, **({"target": "y"} | wishes))
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path))
    assert str(refused.value).count("\n  fix: ") == 1


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    path = tmp_path / "cut.csv.gz"
    content = "a,y\n" + "".join(f"{number},{number % 2}\n" for number in range(400_000))
    path.write_bytes(gzip.compress(content.encode())[:-1000])
    with pytest.raises(DataError, match="is damaged"):
        of(path, "y")


@pytest.mark.slow
def test_a_million_records_take_bounded_memory(tmp_path):
    made = np.random.default_rng(0)
    table = pd.DataFrame({f"x{place}": made.normal(size=100_000).round(4) for place in range(17)})
    table = table.assign(place=made.choice(["a", "b"], 100_000), id=range(100_000), y=made.integers(0, 2, 100_000))
    table.to_csv(tmp_path / "data.csv", index=False)
    lines = (tmp_path / "data.csv").read_text(encoding="utf-8").partition("\n")
    with (tmp_path / "large.csv").open("w", encoding="utf-8") as file:
        file.write(lines[0] + "\n")
        for _ in range(10):
            file.write(lines[2])
    code = (
        "import resource, sys\n"
        "from copier_mlops.contract.files import open_source\n"
        "from copier_mlops.contract.infer import Wishes, infer\n"
        "print(infer(open_source(sys.argv[1]), Wishes('y')).count)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "large.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, most = map(int, done.stdout.split())
    assert (count, most < 1_000) == (1_000_000, True)
