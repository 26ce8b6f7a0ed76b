"""Workbooks of Excel give the texts that a CSV file of the same records gives, in bounded memory."""

import datetime as dt
import json
import shutil
import struct
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest

from copier_mlops.cli import main
from copier_mlops.contract import excel, read
from copier_mlops.contract.dialect import DataError
from copier_mlops.contract.files import open_source
from copier_mlops.contract.infer import Wishes, infer

CASES = Path(__file__).with_name("cases")
HEADER = ["size", "sold", "seen", "new", "town", "y"]


def texts(path: Path, sheet: str = "") -> dict[str, list]:
    """All texts of a file, by column."""
    source = open_source(path, sheet)
    return pa.Table.from_batches(
        list(source.batches()), pa.schema([(n, pa.string()) for n in source.names])
    ).to_pydict()


def workbook(path: Path, rows: list[list], *, merged: str = "", **others: list[list]) -> Path:
    """Write a workbook: its first sheet, which is named Data, and others."""
    book = openpyxl.Workbook()
    book.active.title = "Data"
    for name, content in ({"Data": rows} | others).items():
        sheet = book[name] if name in book.sheetnames else book.create_sheet(name)
        for number, row in enumerate(content, 1):
            for place, value in enumerate(row, 1):
                sheet.cell(number, place, value)
    if merged:
        book["Data"].merge_cells(merged)
    book.save(path)
    return path


def typed(count: int) -> list[list]:
    """Records with a value of each type."""
    start = dt.datetime(2024, 1, 1)
    return [
        [
            50 + place / 4,
            (start + dt.timedelta(days=place)).date(),
            start + dt.timedelta(hours=6 * place),
            place % 3 == 0,
            ["Bonn", "Köln"][place % 2],
            place,
        ]
        for place in range(count)
    ]


def refused(path: Path, sheet: str = "") -> str:
    with pytest.raises(DataError) as error:
        texts(path, sheet)
    text = str(error.value)
    assert text.startswith(str(path)) and text.count("\n  fix: ") == 1 and text.count("\n") == 1
    assert len(text) < 400 + 2 * len(str(path))
    return text.removeprefix(str(path))


def test_cells_become_the_texts_of_the_other_formats(tmp_path):
    rows = [
        ["n", "x", "day", "at", "is", "time", "span", "text"],
        [1, 0.5, dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3, 4, 5), True, dt.time(3, 4), None, " ä\nö "],
        [-3e15, 1e20, dt.date(1999, 12, 31), dt.datetime(2024, 1, 3), False, None, dt.timedelta(hours=30), "007"],
    ]
    assert texts(workbook(tmp_path / "data.xlsx", rows)) == {
        "n": ["1", "-3000000000000000"],
        "x": ["0.5", "1e+20"],
        "day": ["2024-01-02", "1999-12-31"],
        "at": ["2024-01-02T03:04:05", "2024-01-03T00:00:00"],
        "is": ["true", "false"],
        "time": ["03:04:00", ""],
        "span": ["", "30:00:00"],
        "text": [" ä\nö ", "007"],
    }


def test_the_contract_has_the_types_of_the_cells(tmp_path):
    found = infer(open_source(workbook(tmp_path / "data.xlsx", [HEADER, *typed(200)])), Wishes("y"))
    assert {field.name: field.type for field in found.contract.fields} == {
        "size": "number",
        "sold": "date",
        "seen": "datetime",
        "new": "boolean",
        "town": "string",
        "y": "integer",
    }
    assert found.decisions[0] == "data.xlsx has its records in the sheet 'Data', from row 2"


def test_errors_of_formulas_are_missing_values(tmp_path):
    book = openpyxl.load_workbook(workbook(tmp_path / "data.xlsx", [["a", "b"], [1, 2], [3, 4]]))
    for place, error in (("A2", "#DIV/0!"), ("B3", "#N/A")):
        book.active[place].value = error
        assert book.active[place].data_type == "e"
    book.save(tmp_path / "data.xlsx")
    assert texts(tmp_path / "data.xlsx") == {"a": ["", "3"], "b": ["2", ""]}


def test_blank_rows_and_columns_around_the_records_are_left_out(tmp_path):
    rows = [
        [],
        [" "],
        [None, None, "a", " b ", None, " "],
        [],
        [None, "", 1, "x"],
        [],
        [None, None, None, "y", " "],
        [],
    ]
    assert texts(workbook(tmp_path / "data.xlsx", rows)) == {"a": ["1", ""], "b": ["x", "y"]}


def test_a_cell_with_only_a_format_costs_nothing(tmp_path):
    book = openpyxl.load_workbook(workbook(tmp_path / "data.xlsx", [["a"], [1]]))
    book.active["XFD1048576"].number_format = "0.00"
    book.save(tmp_path / "data.xlsx")
    assert texts(tmp_path / "data.xlsx") == {"a": ["1"]}


def test_the_only_sheet_with_cells_needs_no_name(tmp_path):
    path = workbook(tmp_path / "data.xlsx", [["a"], [1]], Sheet2=[], Sheet3=[[" "]])
    assert texts(path) == texts(path, "Data") == {"a": ["1"]}
    assert refused(path, "Sheet3") == ": its sheet 'Sheet3' is empty\n  fix: " + (
        "give it a header with names, and a row for each record"
    )


def test_of_several_sheets_one_is_named(tmp_path):
    path = workbook(tmp_path / "data.xlsx", [["a"], [1]], More=[["b"], [2]])
    assert texts(path, "More") == {"b": ["2"]}
    assert refused(path) == " has 2 sheets: 'Data', 'More'\n  fix: --sheet 'Data'"
    assert refused(path, "data") == " has no sheet 'data'\n  fix: --sheet with one of 'Data', 'More'"


def test_a_hidden_sheet_is_read_only_by_its_name(tmp_path):
    book = openpyxl.load_workbook(workbook(tmp_path / "data.xlsx", [["a"], [1]], More=[["b"], [2]]))
    book["More"].sheet_state = "hidden"
    book.save(tmp_path / "data.xlsx")
    assert texts(tmp_path / "data.xlsx") == {"a": ["1"]}
    assert texts(tmp_path / "data.xlsx", "More") == {"b": ["2"]}


def test_a_folder_of_workbooks_is_one_source(tmp_path):
    workbook(tmp_path / "a.xlsx", [["a", "at"], [1, dt.datetime(2024, 1, 2)]])
    workbook(tmp_path / "b.xlsx", [[], ["at", "a"], [dt.datetime(2024, 1, 2, 12), 2]], Other=[])
    (tmp_path / "~$a.xlsx").write_bytes(b"of Excel, while a.xlsx is open")
    # A date of one file has a time of day, because one of the other has.
    assert texts(tmp_path) == {"a": ["1", "2"], "at": ["2024-01-02T00:00:00", "2024-01-02T12:00:00"]}
    workbook(tmp_path / "c.xlsx", [["a"], [3]])
    with pytest.raises(DataError, match=r"c\.xlsx lacks the column 'at', unlike a\.xlsx"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", ["flats.xls", "renamed.xlsx"])
def test_the_older_format_is_read_whatever_its_name(tmp_path, name):
    path = shutil.copy(CASES / "flats.xls", tmp_path / name)
    assert texts(path) == {
        "size": ["50.5", "60"],
        "sold": ["2024-01-02", "2024-03-04"],
        "is new": ["true", "false"],
        "town": ["Köln", "Bonn"],
    }


TWO_HEADERS = ": its second line looks like another header\n  fix: delete one of the two lines"


@pytest.mark.parametrize(
    ("rows", "merged", "said"),
    [
        ([["id", "size", None], [None, "width", "height"], [1, 2, 3]], "B1:C1", TWO_HEADERS),
        ([["id", "size", None], [None, "width", "height"], [1, 2, 3]], "", TWO_HEADERS),
        ([["Report of 2024"], ["id", "size"], [1, 2]], "A1:B1", TWO_HEADERS),
        ([["a", "b"], [1, 2], [None, 3]], "A2:A3", ": cell A2 is merged with others\n  fix: unmerge it and fill"),
        ([[None, "a"], [0, 1]], "", ": cell A2 has a value, and its column has no name\n  fix: name the column"),
        ([["a"], [1], [2, 3]], "", ": cell B3 has a value, and its column has no name\n"),
        ([["a", None, "b"], [1, 2, 3]], "", ": column 2 has no name\n"),
        ([["a", "a"], [1, 2]], "", ": 2 columns are named 'a'\n"),
        ([["a", 2024], [1, 2]], "", ": column 2 is named 2024, a number\n"),
        ([], "", ": its sheet 'Data' is empty\n"),
    ],
)
def test_a_sheet_that_is_not_a_table_gets_one_sentence_and_a_fix(tmp_path, rows, merged, said):
    assert refused(workbook(tmp_path / "data.xlsx", rows, merged=merged)).startswith(said)


def test_units_below_the_header_are_another_header(tmp_path):
    rows = [HEADER, ["m²", "day", "UTC", "yes", "name", "EUR"], *typed(200)]
    with pytest.raises(DataError, match=r"its second line looks like another header\n  fix: "):
        infer(open_source(workbook(tmp_path / "data.xlsx", rows)), Wishes("y"))


def test_a_header_without_records_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"has a header and no records\n  fix: add records"):
        infer(open_source(workbook(tmp_path / "data.xlsx", [["a", "y"]])), Wishes("y"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("data.xlsx", b"a,b\n1,2\n", " is not a workbook of Excel\n  fix: name it by its format, for example data.csv"),
        ("page.xls", b"<html><table>", " is not a workbook of Excel\n"),
        ("empty.xlsx", b"", " is not a workbook of Excel\n"),
        ("cut.xls", excel.OLE + b"\0" * 500, " is damaged: "),
        ("locked.xlsx", excel.OLE + b"\0" * 600 + excel.LOCKED, " is protected by a password\n  fix: save it without"),
        ("cut.xlsx", b"PK\x03\x04\x14", " is damaged: "),
        ("data.xlsx.gz", b"", " is Excel in gzip, which cannot be read\n"),
        ("data.ods", b"PK", " is a spreadsheet of a format that is not read\n  fix: save it as .xlsx or CSV"),
    ],
)
def test_what_is_not_a_whole_workbook_gets_one_sentence_and_a_fix(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name).startswith(said)


def test_a_workbook_that_was_cut_or_changed_is_damaged(tmp_path):
    whole = workbook(tmp_path / "data.xlsx", [HEADER, *typed(100)]).read_bytes()
    for size in (30, len(whole) // 2, len(whole) - 10):
        (tmp_path / "data.xlsx").write_bytes(whole[:size])
        assert refused(tmp_path / "data.xlsx").startswith(" is damaged: ")
    with zipfile.ZipFile(tmp_path / "data.xlsx", "w") as archive:
        archive.writestr("word/document.xml", "")
    assert refused(tmp_path / "data.xlsx").startswith(" is an archive, and not a workbook of Excel\n")
    with zipfile.ZipFile(tmp_path / "data.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook><sheets>")
    assert refused(tmp_path / "data.xlsx").startswith(" is damaged: ")


def bomb(path: Path, count: int) -> Path:
    """Write a workbook with a part of many zeros."""
    workbook(path, [["a"], [1]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/comments.xml", b"0" * count)
    return path


def test_a_large_workbook_is_refused_by_the_sizes_in_its_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(excel, "MOST_UNPACKED", 10_000_000)
    path = bomb(tmp_path / "bomb.xlsx", 20_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    assert path.stat().st_size < 100_000
    assert " bytes when it is unpacked, and at most 10,000,000 are read\n  fix: save the sheet as CSV" in refused(path)


def test_a_size_that_the_archive_states_wrongly_helps_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(excel, "MOST_UNPACKED", 10_000_000)
    path = bomb(tmp_path / "bomb.xlsx", 20_000_000)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", 20_000_000), struct.pack("<L", 20)))
    assert path.read_bytes() != content
    assert refused(path).startswith(" has more than 10,000,000 bytes when it is unpacked")


def test_two_cells_far_apart_are_refused_before_a_rectangle_is_made(tmp_path):
    book = openpyxl.load_workbook(workbook(tmp_path / "data.xlsx", [["a"], [1]]))
    book.active["XFD1048576"] = 1
    book.save(tmp_path / "data.xlsx")
    assert refused(tmp_path / "data.xlsx").startswith(
        " has a sheet of 1,048,576 x 16,384 cells, and at most 20,000,000"
    )


def shared(path: Path, text: str, count: int) -> Path:
    """Write a workbook as Excel does: cells with the same text share it."""
    workbook(path, [])
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rows = "".join(f'<row r="{k}"><c r="A{k}" t="s"><v>{int(k > 1)}</v></c></row>' for k in range(1, count + 2))
    parts = {
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}"><si><t>note</t></si><si><t>{text}</t></si></sst>',
    }
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()} | parts
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_a_text_that_cells_share_is_read_for_each(tmp_path):
    assert texts(shared(tmp_path / "data.xlsx", "größer", 3)) == {"note": ["größer"] * 3}


def test_a_long_text_that_too_many_cells_share_is_refused(tmp_path):
    path = shared(tmp_path / "data.xlsx", "a" * 32_000, 40_000)
    assert path.stat().st_size < 1_000_000
    assert " has a sheet with 1,28" in refused(path)


def test_letters_of_columns():
    assert [excel.column(place) for place in (0, 25, 26, 701, 702, 16_383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]


def test_the_task_reads_a_sheet_and_writes_nothing_if_it_cannot(tmp_path, monkeypatch, capsys):
    (tmp_path / ".copier-answers.yml").write_text("package_name: flats\n")
    monkeypatch.chdir(tmp_path)
    path = str(workbook(tmp_path / "data.xlsx", [["a"], [1]], Flats=[HEADER, *typed(100)]))
    contract = tmp_path / "src" / "flats" / "contract.yaml"
    with pytest.raises(SystemExit, match=r"^adopt-data: .*data\.xlsx has 2 sheets: 'Data', 'Flats'\n  fix: "):
        main(["adopt-data", path, "--target", "y"])
    with pytest.raises(SystemExit, match=r"is not a workbook, so it has no sheet 'Flats'\n  fix: leave --sheet out"):
        main(["adopt-data", str(CASES / "05_fraud.csv"), "--target", "y", "--sheet", "Flats"])
    assert not contract.exists()
    assert main(["adopt-data", path, "--target", "y", "--sheet", "Flats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == 100
    assert read(contract).field("seen").type == "datetime"
