"""The predictor for files: what is read, in how much memory, and what is refused with which sentence."""

import contextlib
import csv
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from copier_mlops.contract import of_project
from copier_mlops.contract.frame import as_json
from copier_mlops.project import team
from copier_mlops.serving import batch, files, online
from copier_mlops.settings import load_settings
from tests.package.shared import SAMPLE, fitted


@pytest.fixture(scope="module")
def predictor(inside):
    return team("score").Predictor(fitted(), "7")


@pytest.fixture
def predict(predictor, capsys):
    """Score a file as `poe predict` does; returns the answers."""

    def score(path: Path) -> list[dict]:
        batch.main(["--data", str(path)], lambda _: predictor)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return score


@pytest.fixture
def refused(tmp_path, inside):
    """What is said of a file with this content, which is refused before a model is looked for."""

    def say(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)

        def find(_):
            raise AssertionError("a model was looked for")

        with pytest.raises(SystemExit) as error:
            batch.main(["--data", str(path)], find)
        text = str(error.value)
        assert text.startswith(f"predict: {path}")
        assert len(text) < 1_000 + len(str(path))
        return text.removeprefix(f"predict: {path}")

    return say


@pytest.fixture
def rows(table) -> list[dict]:
    """The records of the sample, as a client sends them."""
    return as_json(table, of_project())


def as_csv(records: list[dict]) -> str:
    # All are quoted: pandas would write a line end of old, "\r", without.
    return pd.DataFrame(records, dtype=object).to_csv(index=False, quoting=csv.QUOTE_ALL)


def test_a_file_in_many_parts_gets_the_answers_of_one(predict, rows, tmp_path, monkeypatch):
    whole = predict(SAMPLE)
    assert len(whole) == len(rows)
    monkeypatch.setattr(files, "CELLS", 7 * len(rows[0]))
    frame = pd.DataFrame(rows)
    frame.to_json(tmp_path / "a.json", orient="records")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "a.parquet")
    for path in (SAMPLE, *sorted(tmp_path.iterdir())):
        assert predict(path) == whole


def test_a_bad_record_of_a_later_part_is_named_by_its_place_in_the_file(
    refused, rows, monkeypatch, predictor, tmp_path
):
    monkeypatch.setattr(files, "CELLS", 7 * len(rows[0]))
    rows[30]["age_in_years"] = -1
    (tmp_path / "a.csv").write_text(as_csv(rows))
    out = tmp_path / "out.csv"
    with pytest.raises(SystemExit, match=r"record 30: age_in_years is -1, expected 18 to 120$"):
        batch.main(["--data", str(tmp_path / "a.csv"), "--out", str(out)], lambda _: predictor)
    assert not out.exists()


def test_records_keep_their_outcome(predict, rows, tmp_path):
    raw = [row | {"credit_risk": 1} for row in rows]
    (tmp_path / "a.json").write_text(json.dumps(raw))
    del raw[3]["credit_risk"]
    (tmp_path / "b.jsonl").write_text("\n\n".join(json.dumps(each) for each in raw))
    assert predict(tmp_path / "a.json") == predict(tmp_path / "b.jsonl") == predict(SAMPLE)


@pytest.mark.parametrize(
    ("content", "sentence", "fix"),
    [
        (b"", " is empty", "give it a header with names"),
        (b"\n \n", " is empty", "give it a header with names"),
        (b"\xef\xbb\xbf", " is empty", "give it a header with names"),
        ("a,b\n", " has no records", "give it one at least"),
        ("a,b\n1,2\n1,2,3\n", ": line 3 '1,2,3' has 3 cells and the header 2", "quote"),
        ("a,b\n1,2\n1\n", ": line 3 '1' has 1 cells and the header 2", "quote"),
        ("a,a\n1,2\n", ": 2 columns are named 'a'", "name them differently"),
    ],
)
def test_a_csv_file_that_is_not_what_it_should_be_gets_a_sentence_with_the_fix(refused, content, sentence, fix):
    said, mend = refused("a.csv", content).splitlines()
    assert said.startswith(sentence)
    assert mend.startswith("  fix: ")
    assert fix in mend


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", "", " is not JSON: Expecting value"),
        ("a.json", "[]", " has no records"),
        ("a.json", "[1]", ": record 0 is not an object"),
        ("a.json", "[" * 100_000, " is nested too deeply"),
        ("a.json", "[{}]".encode("utf-16"), " is UTF-16, expected UTF-8"),
        ("a.jsonl", "", " has no records"),
        ("a.jsonl", '{"a": 1}\n{"a"\n', ": line 2 is not JSON: Expecting ':' delimiter"),
        ("a.jsonl", '{"a": 1}\n{"b": 1}\n', ": record 1 lacks 'a', unlike record 0"),
        ("a.jsonl", '{"a": 1}\n{"a": 1, "b": 1}\n', ": record 1 has 'b', unlike record 0"),
        ("a.jsonl", "{}\n" + " " * 1_000_001, ": line 2 is longer than 1,000,000 bytes"),
        ("a.jsonl", "9" * 5_000, ": line 1 cannot be read: Exceeds the limit"),
        ("a.parquet", "PAR1", " is not a Parquet file: "),
        ("a.csv", '"' + "a" * 200_000 + "\n", ": its first line is not a header: field larger than field limit"),
    ],
)
def test_a_file_of_another_form_gets_a_sentence(refused, name, content, sentence):
    assert refused(name, content).startswith(sentence)


@pytest.mark.parametrize(
    ("mark", "encoding"), [(";", "utf-8"), ("\t", "utf-8"), (",", "utf-16"), (",", "utf-16-le"), (";", "cp1252")]
)
def test_a_file_in_another_dialect_gets_the_same_answers(predict, rows, tmp_path, mark, encoding):
    rows[0]["purpose"] = "Küche"
    text = pd.DataFrame(rows, dtype=object).to_csv(index=False, sep=mark)
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    (tmp_path / "b.csv").write_text(as_csv(rows), encoding="utf-8")
    assert predict(tmp_path / "a.csv") == predict(tmp_path / "b.csv")


def test_a_json_document_that_is_too_large_is_refused_before_it_is_read(refused, monkeypatch):
    monkeypatch.setattr(files, "MOST_DOCUMENT", 10)
    said = refused("a.json", json.dumps([{}] * 10))
    assert said.startswith(
        " has 40 bytes, and a JSON document is read as a whole: at most 10\n  fix: write one record a"
    )


WIDE = {
    "a.csv": lambda: ",".join(f"column{number}" for number in range(10**6)) + "\n" + "1," * 10**6 + "1\n",
    "b.csv": lambda: ",".join(f"c{number}" for number in range(10**5)) + "\n" + "1," * 10**5 + "1\n",
    "a.json": lambda: json.dumps([{f"column{number}": 1 for number in range(10**5)}]),
    "a.jsonl": lambda: json.dumps({f"c{number}": 1 for number in range(7 * 10**4)}),
}


@pytest.mark.parametrize("name", WIDE)
def test_a_file_with_too_many_columns_is_refused_at_once(refused, name, tmp_path):
    content = WIDE[name]()
    begin = time.perf_counter()
    said = refused(name, content)
    assert time.perf_counter() - begin < 2
    assert re.search("columns, more than 1[05],000|its header is longer than 1,000,000 characters|its first line", said)


MEMORY = """
import resource, sys
from copier_mlops.serving import batch
from copier_mlops.project import team
import pandas
team("ingest"), team("score")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    batch.main(["--data", sys.argv[1]], None)
except SystemExit as error:
    print(str(error)[:500], file=sys.stderr)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say how much memory a process took")
def test_a_wide_file_of_ten_megabytes_takes_little_memory(team_project, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(WIDE["a.csv"]())
    assert path.stat().st_size > 10_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)],
        cwd=team_project,
        env={"PYTHONPATH": str(team_project / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "its header is longer than" in done.stderr
    assert float(done.stdout) < 100


def test_what_the_package_says_of_a_file_is_cut(refused, rows):
    rows[0]["purpose"] = "A" * 100_000
    assert "purpose is 'AAA" in refused("a.csv", as_csv(rows))
    rows[0]["purpose"], rows[0]["age_in_years"] = "A43", "x" * 100_000
    assert "age_in_years is 'xxx" in refused("a.csv", as_csv(rows))
    wide = [row | {f"an_unknown_column_{number}": 1 for number in range(1000)} for row in rows[:1]]
    assert "an_unknown_column_0 is not a field of the contract" in refused("a.csv", as_csv(wide))
    many = refused("a.json", json.dumps([row | {"age_in_years": -1} for row in rows]))
    assert many.splitlines()[-2:] == ["  record 4: age_in_years is -1, expected 18 to 120", "  … and more"]


@pytest.mark.parametrize("value", ["1e19", "1" + "0" * 30, "18446744073709551606", "-1", "inf", "nan", "", "1.5"])
@pytest.mark.parametrize("column", ["age_in_years", "duration_in_month"])
def test_a_number_that_no_column_can_hold_is_refused(refused, rows, column, value):
    rows[2][column] = value
    assert f"record 2: {column} is " in refused("a.csv", as_csv(rows))


@pytest.fixture(scope="module")
def client(predictor) -> TestClient:
    return TestClient(online.create_app(predictor, load_settings("dev")))


numbers = st.one_of(
    st.integers(-5, 130), st.integers(), st.sampled_from([10**19, 10**30, -(10**30), 2**63, 2**64 - 10, 10**400])
)
texts = st.one_of(
    st.sampled_from(["A43", "A999", "", "4" * 64, "4" * 65, "\ud800", "é", "\0", "NaN"]), st.text(max_size=70)
)
values = st.one_of(
    numbers, texts, st.booleans(), st.none(), st.floats(), st.just([]), st.just({}), st.just({"a": [1]}), st.just(1.5)
)


@settings(max_examples=100)
@given(field=st.sampled_from(["age_in_years", "purpose", "shoe_size"]), value=values, several=st.booleans())
@example(field="purpose", value="\0", several=True)
def test_files_and_http_refuse_the_same_records(
    predictor, client, rows, tmp_path_factory, capsys, field, value, several
):
    given_records = [rows[0]] * several + [rows[0] | {field: value}]
    if not several and field == "shoe_size" and value is None:
        del given_records[0]["shoe_size"], given_records[0]["purpose"]
    content = json.dumps(given_records)
    answer = client.post("/predict", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 422)
    folder = tmp_path_factory.mktemp("record")
    (folder / "a.json").write_text(content)
    (folder / "a.jsonl").write_text("\n".join(json.dumps(each) for each in given_records))
    if (field, type(value)) in (("age_in_years", int), ("purpose", str)) and "\0" not in str(value):
        # A CSV file has no types: a number and its digits are the same. Half a character cannot be written,
        # and a file with zero bytes is no text.
        with contextlib.suppress(UnicodeEncodeError):
            (folder / "a.csv").write_bytes(as_csv(given_records).encode())
    for path in folder.iterdir():
        if answer.status_code == 200:
            batch.main(["--data", str(path)], lambda _: predictor)
            scored = [json.loads(line)["probability"] for line in capsys.readouterr().out.splitlines()]
            assert scored == pytest.approx([each["probability"] for each in answer.json()])
        else:
            with pytest.raises(SystemExit, match=r"^predict: "):
                batch.main(["--data", str(path)], lambda _: predictor)


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("age_in_years", True, "record 2: age_in_years is True, expected a whole number of at most 64 bits"),
        ("age_in_years", "40", "record 2: age_in_years is '40', expected a whole number of at most 64 bits"),
        ("age_in_years", 1e19, "record 2: age_in_years is 1e+19, expected a whole number of at most 64 bits"),
        ("age_in_years", None, "record 2: age_in_years is nan, expected a value, because the field is required"),
        ("age_in_years", 40.5, "record 2: age_in_years is "),
        ("purpose", 7, "record 2: purpose is 7, expected a text"),
        ("purpose", None, "record 2: purpose is None, expected a value, because the field is required"),
    ],
)
def test_a_parquet_file_is_held_to_its_types(refused, rows, tmp_path, column, value, sentence):
    frame = pd.DataFrame(rows[:3])
    cells = [*frame[column].tolist()[:2], value]
    same = isinstance(value, (float, type(None))) and column == "age_in_years"
    frame[column] = pd.Series(cells) if same else pd.Series([value] * 3, dtype=object)
    frame.to_parquet(tmp_path / "written.parquet")
    said = refused("a.parquet", (tmp_path / "written.parquet").read_bytes())
    assert sentence in said


def test_whole_numbers_that_parquet_holds_as_floats_are_scored(predict, rows, tmp_path):
    frame = pd.DataFrame(rows).astype({"age_in_years": "float64"})
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    assert predict(tmp_path / "a.parquet") == predict(SAMPLE)
