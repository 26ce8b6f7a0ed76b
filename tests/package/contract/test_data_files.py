"""Files as teams have them: read in any dialect, in bounded memory; one sentence for each that cannot be read."""

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copier_mlops.contract import parse
from copier_mlops.contract.cast import cast, records
from copier_mlops.contract.dialect import DataError
from copier_mlops.contract.fields import ContractField
from copier_mlops.contract.files import open_source
from copier_mlops.contract.verdict import violations

CASES = Path(__file__).with_name("cases")
DATA = sorted(CASES.glob("0*"))


def read(path: Path) -> dict[str, list]:
    """All texts of a file, by column."""
    source = open_source(path)
    table = pa.Table.from_batches(list(source.batches()), pa.schema([(name, pa.string()) for name in source.names]))
    return table.to_pydict()


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("file", "encoding", "delimiter"), [("01", "cp1252", ";"), ("02", "utf-8-sig", ","), ("03", "utf-8", "\t")]
)
def test_a_case_is_read_in_its_dialect(file, encoding, delimiter):
    path = next(CASES.glob(f"{file}*"))
    found = open_source(path).dialects[0]
    assert (found.encoding, found.delimiter, found.is_guess) == (encoding, delimiter, encoding == "cp1252")


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_each_cell_of_a_case_is_read(path):
    form = open_source(path).dialects[0]
    options = {"sep": form.delimiter, "encoding": form.encoding, "dtype": str, "keep_default_na": False}
    assert read(path) == pd.read_csv(path, **options).to_dict("list")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_dialect_is_found(tmp_path, encoding, delimiter, end):
    rows = [["Straße", 'Größe "m"'], ["1,5", "zwei\nZeilen"], ["", 'a "b", c; d'], ["Köln\t", "größer"]] * 20
    text = end.join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows[:4])
    found = read(write(tmp_path / "data.csv", (text + end).encode(encoding)))
    assert found == {"Straße": ["1,5", "", "Köln\t"], 'Größe "m"': ["zwei\nZeilen", 'a "b", c; d', "größer"]}


def test_an_umlaut_after_megabytes_decides_the_encoding(tmp_path):
    path = write(tmp_path / "late.csv", "a,b\n" + "plain,text\n" * 300_000)
    with path.open("ab") as file:
        file.write("Köln,größer\n".encode("cp1252"))
    assert open_source(path).dialects[0].encoding == "cp1252"
    assert read(path)["a"][-1] == "Köln"


def test_what_excel_writes_before_the_header_is_skipped(tmp_path):
    assert read(write(tmp_path / "data.csv", "sep=;\na;b\n1;2\n")) == {"a": ["1"], "b": ["2"]}


def test_one_column_has_no_delimiter(tmp_path):
    assert read(write(tmp_path / "data.csv", "name\nx\ny z\n")) == {"name": ["x", "y z"]}


@given(
    rows=st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=9),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=8,
    ),
    delimiter=st.sampled_from(",;\t|"),
)
@settings(max_examples=60)
def test_any_quoted_texts_come_back(tmp_path, rows, delimiter):
    lines = [["one", "two", "three"], *rows]
    text = "\n".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in lines)
    found = read(write(tmp_path / "data.csv", text))
    assert [list(row) for row in zip(*found.values(), strict=True)] == rows
    with pytest.raises(DataError, match="a quote opens in the last record, and nothing closes it"):
        read(write(tmp_path / "data.csv", text[:-1]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize(("end", "name"), [("", "data.csv"), ("\r\n3,4\r\n", "data.csv"), ("\n", "data.csv.gz")])
def test_a_quote_that_nothing_closes_takes_no_records_with_it(tmp_path, encoding, end, name):
    content = f'a,b\r\n1,x\r\n2,"Köln{end}'.encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(DataError, match="a quote opens in the last record, and nothing closes it"):
        read(tmp_path / name)


def test_compressed_files_and_folders_are_read(tmp_path):
    folder = tmp_path / "year=2024 (final)"
    folder.mkdir()
    (folder / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    write(folder / "b.csv", "b;a\n4;3\n")
    write(folder / ".hidden.csv", "c\n")
    assert read(folder) == {"a": ["1", "3"], "b": ["2", "4"]}


def test_json_lines_and_parquet_are_read_as_texts(tmp_path):
    rows = [{"n": 1, "x": 0.5, "t": "ä", "is": True}, {"n": None, "x": 1e20, "t": "", "is": False}]
    path = write(tmp_path / "data.jsonl", "\n".join(map(json.dumps, rows)))
    texts = {"n": ["1", None], "x": ["0.5", "1e+20"], "t": ["ä", ""], "is": ["true", "false"]}
    assert read(path) == texts
    pd.DataFrame(rows).assign(at=pd.to_datetime(["2024-01-01T01:02:03Z", None])).to_parquet(tmp_path / "data.parquet")
    assert read(tmp_path / "data.parquet") == texts | {"at": ["2024-01-01T01:02:03.000000Z", None]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "is empty\n"),
        ("space.csv", " \n\n", "is empty\n"),
        ("ragged.csv", "a,b\n1,2\n1,2,3\n", ": line 3 '1,2,3' has 3 cells and the header 2\n"),
        ("open.csv", 'a,b\n1,x\n"2,y\n3,z\n', " cells and the header 2\n  fix: close the quote that nothing closes"),
        ("zero.csv", b"a,b\n1,\0\n" + b"1,2\n" * 9, "has zero bytes, so it is not a text\n"),
        ("unnamed.csv", ",b\n0,2\n", ": column 1 has no name\n"),
        ("twice.csv", "a,b,a\n0,2,3\n", ": 2 columns are named 'a'\n"),
        ("numbers.csv", "1.5,2\n3,4\n", ": column 1 is named 1.5, a number\n"),
        ("cut.csv.gz", gzip.compress(b"a,b\n" + bytes(range(32, 120)) * 999)[:-300], "is damaged"),
        ("plain.csv.gz", "a,b\n1,2\n", "is damaged: not a gzipped file"),
        ("data.docx", b"PK", "ends with .docx\n"),
        ("data", "a,b\n", "ends with nothing\n"),
        ("data.parquet", b"PAR1", "is not a Parquet file"),
        ("data.parquet.gz", b"PAR1", "is Parquet in gzip"),
        ("list.jsonl", '{"a": 1}\n[1]', ": line 2 is not an object\n"),
        ("cut.jsonl", '{"a": 1}\n{"a": ', ": line 2 is not JSON"),
        ("nested.jsonl", '{"a": [1]}', ": record 1, 'a' is a list or an object\n"),
        ("deep.jsonl", '{"a": ' + "[" * 100_000, ": line 1 is not JSON"),
        ("surrogate.jsonl", '{"a": "\\ud800"}', "half a character"),
        ("none.jsonl", "\n", "has no records\n"),
    ],
)
def test_a_file_that_cannot_be_read_gets_one_sentence_and_a_fix(tmp_path, name, content, said):
    path = write(tmp_path / name, content)
    with pytest.raises(DataError) as refused:
        read(path)
    text = str(refused.value)
    assert text.startswith(str(path)) and said in text
    assert text.count("\n  fix: ") == 1
    assert len(text) < 400 + 2 * len(str(path))


def test_what_is_not_a_file_gets_a_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mixed").mkdir()
    write(tmp_path / "mixed" / "a.csv", "a\n1\n")
    write(tmp_path / "mixed" / "b.jsonl", '{"a": 1}')
    (tmp_path / "unlike").mkdir()
    write(tmp_path / "unlike" / "a.csv", "a,b\n1,2\n")
    write(tmp_path / "unlike" / "b.csv", "a,c\n1,2\n")
    for path, said in [
        ("https://example.com/data.csv", "is an address, not a file"),
        (tmp_path / "moon.csv", "is missing"),
        (tmp_path / "empty", "has no files of records"),
        (tmp_path / "mixed", "has files of 2 formats: csv, json"),
        (tmp_path / "unlike", r"b\.csv lacks the column 'b', unlike a\.csv"),
    ]:
        with pytest.raises(DataError, match=said):
            open_source(path)


def test_a_million_columns_are_refused_by_the_header(tmp_path):
    path = write(tmp_path / "wide.csv", ",".join(f"c{i}" for i in range(10**6)) + "\n" + "1," * (10**6 - 1) + "1\n")
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"its header is longer than 1,000,000 characters\n  fix: "):
        open_source(path)
    assert time.perf_counter() - start < 5


def test_memory_is_bounded_by_a_part_of_the_file(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("a,b,c\n")
        for _ in range(300):
            file.write("some text of forty characters or nearly,1.25,x\n" * 20_000)
    assert path.stat().st_size > 250_000_000
    code = (
        "import sys, tracemalloc\n"
        "import pyarrow\n"
        "from copier_mlops.contract.files import open_source\n"
        "tracemalloc.start()\n"
        "print(sum(batch.num_rows for batch in open_source(sys.argv[1]).batches()))\n"
        "print(pyarrow.default_memory_pool().max_memory(), tracemalloc.get_traced_memory()[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    count, of_arrow, of_python = map(int, done.stdout.split())
    assert count == 6_000_000
    # pyarrow reads up to 32 blocks ahead, of 4 MB each. What the allocator keeps for itself depends on the machine.
    assert of_arrow + of_python < 200_000_000


CONTRACT = parse(
    """
missingValues: ["", "k. A."]
learning: {target: y, problem: regression}
fields:
- {name: n, type: integer, groupChar: "."}
- {name: x, type: number, decimalChar: ",", groupChar: "."}
- {name: money, type: number, groupChar: ",", bareNumber: false}
- {name: is, type: boolean, trueValues: [ja], falseValues: [nein]}
- {name: day, type: date, format: "%d.%m.%Y"}
- {name: at, type: datetime}
- {name: y, type: number}
""",
    "contract.yaml",
)


def test_texts_become_the_values_that_the_contract_describes(tmp_path):
    path = write(
        tmp_path / "data.csv",
        "n|x|money|is|day|at|y\n1.234|1.234,5|$1,234|ja|18.04.2023|2023-04-18T10:00:00Z|1\n"
        "k. A.|-,5|(12.00)|nein||2023-04-18 10:00|2.5\n|3|-4.4%|k. A.|01.01.9999||1e3\n",
    )
    (table,) = records(open_source(path), CONTRACT)
    assert list(violations(table, CONTRACT, labelled=True)) == []
    assert table["n"][0] == 1234 and table["x"].tolist() == [1234.5, -0.5, 3]
    assert table["money"].tolist() == [1234, -12, -4.4]
    assert table["is"].tolist() == [True, False, None]
    assert table["day"][0] == pd.Timestamp("2023-04-18")
    assert table["at"].tolist()[:2] == [pd.Timestamp("2023-04-18T10:00:00Z")] * 2


def test_a_text_that_is_not_a_value_stays_and_is_named(tmp_path):
    path = write(tmp_path / "data.csv", "n|x|money|is|day|at|y\n1.23|1.5|x|yes|31.02.2023|10:00|1e400\n")
    (table,) = records(open_source(path), CONTRACT)
    assert [(each.field, each.value) for each in violations(table, CONTRACT, labelled=True)] == [
        ("n", "1.23"),
        ("x", "1.5"),
        ("money", "x"),
        ("is", "yes"),
        ("day", "31.02.2023"),
        ("at", "10:00"),
        ("y", "1e400"),
    ]


def test_large_whole_numbers_beside_a_missing_one_stay_exact(tmp_path):
    path = write(tmp_path / "data.jsonl", f'{{"n": {2**53 + 1}, "y": 1}}\n{{"y": 2}}')
    (table,) = records(open_source(path), CONTRACT)
    assert table["n"][0] == 2**53 + 1


@pytest.mark.parametrize("kind", ["integer", "number", "string", "boolean", "date", "datetime"])
@pytest.mark.parametrize("texts", [[], [None], ["", None], ["x"]])
def test_columns_without_values_are_cast(kind, texts):
    field = ContractField(name="x", type=kind)
    found = cast(pa.array(texts, pa.string()), field, ("",))
    assert found.is_unfit.to_pylist() == [text == "x" and kind != "string" for text in texts]
