"""Images are fields like others: inferred from a folder, read from tables, judged alike, and learned from."""

import base64
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from copier_mlops import images
from copier_mlops.cli import main
from copier_mlops.contract import ContractError, parse, read
from copier_mlops.contract.http_model import record_model
from copier_mlops.contract.tables import read_table
from copier_mlops.contract.verdict import violations
from copier_mlops.reporting import fields
from copier_mlops.serving import files
from tests import drawn
from tests.drawn import CONTRACT


def png(width: int, height: int) -> bytes:
    """A PNG that is black, and small however many pixels it has."""
    line = zlib.compress(b"\0" * (1 + (width + 7) // 8) * height, 9)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", line) + chunk(b"IEND", b"")


GOOD = drawn.text("bar")
CUT = base64.b64encode(drawn.encoded(drawn.pixels("bar", 1, 64))[:-4000]).decode()
BAD = {
    "no base64": "*" + GOOD[1:],
    "a path": "bar/1.png",
    "a text": base64.b64encode(b"no image").decode(),
    "a data URL": f"data:image/png;base64,{GOOD}",
    "a GIF": base64.b64encode(drawn.encoded(drawn.pixels("bar", 1), "GIF")).decode(),
    "too many pixels": base64.b64encode(png(10_000, 10_000)).decode(),
    "a bomb": base64.b64encode(png(20_000, 20_000)).decode(),
    "too long": "A" * (images.MOST_TEXT + 4),
    "empty": "A" * 4,
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_refused_alike_and_not_repeated(name):
    text = BAD[name]
    (found,) = violations(pd.DataFrame({"file": [GOOD, text]}), CONTRACT)
    assert (found.record, found.field) == (1, "file")
    assert text[:20] not in str(found)
    with pytest.raises(ValidationError) as error:
        record_model(CONTRACT).model_validate({"file": text})
    assert [each["loc"] for each in error.value.errors()] == [("file",)]
    assert text[:20] not in str(error.value)


def test_an_image_whose_pixels_are_damaged_is_refused():
    (found,) = violations(pd.DataFrame({"file": [CUT]}), CONTRACT)
    assert found.expected == "a PNG or JPEG file that is whole"


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_an_image_is_accepted_in_both_formats(form):
    text = base64.b64encode(drawn.encoded(drawn.pixels("bar", 1), form)).decode()
    assert list(violations(pd.DataFrame({"file": [text]}), CONTRACT)) == []
    assert record_model(CONTRACT).model_validate({"file": text}).model_dump(by_alias=True)["file"] == text


@settings(max_examples=60)
@given(form=st.sampled_from(["PNG", "JPEG"]), place=st.integers(0, 2_000), byte=st.integers(0, 255), cut=st.booleans())
def test_any_damage_is_a_sentence_or_an_image(form, place, byte, cut):
    found = bytearray(drawn.encoded(drawn.pixels("bar", 1), form))
    place %= len(found)
    found[place] = byte
    text = base64.b64encode(bytes(found[:place] if cut else found)).decode()
    said = images.fault(text)
    assert said or images.pixels(text, 16).shape == (768,)


def test_the_service_documents_what_it_takes():
    assert record_model(CONTRACT).model_json_schema()["properties"]["file"] == {
        "title": "File",
        "type": "string",
        "contentEncoding": "base64",
        "description": "A PNG or JPEG file, in base64",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("learning: {target: file, problem: multiclass}", "needs categories"),
        ("learning: {target: label, problem: multiclass, group: file}", "group names 'file', which is an image"),
        ("learning: {target: label, problem: multiclass, text: [file]}", "text names 'file', which is an image"),
        ("primaryKey: [file]\nlearning: {target: label, problem: multiclass}", "primaryKey names 'file'"),
    ],
)
def test_an_image_has_no_part_but_that_of_a_feature(change, said):
    text = "fields:\n- {name: file, type: string, format: binary}\n"
    text += "- {name: size, type: number}\n- {name: label, type: string, categories: [a, b, c]}\n"
    with pytest.raises(ContractError, match=said):
        parse(f"{change}\n{text}", "contract.yaml")


def test_other_formats_and_words_of_an_image_are_refused():
    text = "learning: {target: y, problem: regression}\nfields:\n- {name: y, type: number}\n- {name: file, type: "
    with pytest.raises(ContractError, match="format is 'uri', and a string has default or binary"):
        parse(text + "string, format: uri}", "contract.yaml")
    with pytest.raises(ContractError, match="pattern is for words"):
        parse(text + 'string, format: binary, constraints: {pattern: "a"}}', "contract.yaml")


def test_a_card_has_sizes_and_no_content():
    row = fields.describe(CONTRACT, drawn.records())[0]
    assert (row["kind"], row["role"]) == ("image", "feature, image")
    assert "bytes, 45 different" in row["seen"]
    assert GOOD[:20] not in json.dumps(row)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project without a contract."""
    (tmp_path / ".copier-answers.yml").write_text("package_name: shapes\n")
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def adopt(capsys, *arguments: object) -> str:
    assert main(["adopt-data", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(*arguments: object) -> str:
    with pytest.raises(SystemExit) as error:
        main(["adopt-data", *map(str, arguments)])
    assert str(error.value).startswith("adopt-data: ")
    assert str(error.value).count("\n") == 1
    assert "\n  fix: " in str(error.value)
    assert not Path("src", "shapes").exists()
    assert not Path("data").exists()
    return str(error.value)


@pytest.mark.parametrize(("layout", "name"), [(drawn.labelled, "file"), (drawn.by_class, "image")])
def test_a_folder_of_images_is_adopted(project, capsys, layout, name):
    folder = layout(project / "photos")
    assert "not written" in adopt(capsys, folder, "--target", "label", "--dry-run")
    assert not (project / "data").exists()
    said = adopt(capsys, folder, "--target", "label")
    assert f"{folder}: 60 records, 2 columns" in said
    assert f"'{name}' is an image: its values are images, or their names" in said
    contract = read(project / "src" / "shapes" / "contract.yaml")
    assert (contract.field(name).is_image, contract.is_required(contract.field(name))) == (True, True)
    assert contract.target.values == drawn.CLASSES
    for raw in (folder, project / "data" / "raw" / "photos", project / "operation" / "tests" / "sample.csv"):
        found = read_table(raw, contract)
        assert len(found) == 60
        assert list(violations(found, contract, labelled=True)) == []
    assert "contract.yaml is as it was" in adopt(capsys, folder, "--target", "label")


def test_the_sample_is_small(project, capsys):
    folder = drawn.labelled(project / "photos")
    large = drawn.encoded(np.random.default_rng(1).integers(0, 255, (300, 500, 3)).astype("uint8"))
    (folder / "0.png").write_bytes(large)
    adopt(capsys, folder, "--target", "label")
    cells = (project / "operation" / "tests" / "sample.csv").read_text().splitlines()
    assert max(map(len, cells)) < 2_000
    assert images.rgb(images.content(cells[1].partition(",")[0])).size == (16, 10)


def test_a_service_without_pillow_is_a_doubt(project, capsys):
    folder = drawn.labelled(project / "photos")
    doubt = 'before you add a library: uv add "pillow'
    (project / "pyproject.toml").write_text('[project]\ndependencies = ["pillow-simd", "numpy"]\n')
    assert doubt in adopt(capsys, folder, "--target", "label", "--dry-run")
    (project / "pyproject.toml").write_text('[project]\ndependencies = ["pillow>=11"]\n')
    assert doubt not in adopt(capsys, folder, "--target", "label", "--dry-run")


def write_cell(folder: Path, cell: str) -> None:
    lines = (folder / "labels.csv").read_text().splitlines()
    lines[4] = f"{cell},{lines[4].partition(',')[2]}"
    (folder / "labels.csv").write_text("\n".join([*lines, ""]))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("away.png", "record 3, 'file': 'away.png' is missing"),
        ("../photos/3.png", "is not a path below this folder"),
        ("/etc/passwd.png", "is not a path below this folder"),
        ("C:3.png", "is not a path below this folder"),
        ("a\\3.png", "is not a path below this folder"),
        ("text.png", "'text.png' is not a PNG or JPEG file\n"),
        ("cut.png", "'cut.png' is not a PNG or JPEG file that is whole"),
        ("bomb.png", "'bomb.png' is not an image of at most 16,000,000 pixels"),
        ("folder.png", "'folder.png' is missing"),
        (f"{'a' * 300}.png", "cannot be read: File name too long"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(project, cell, said):
    folder = drawn.labelled(project / "photos")
    (folder / "text.png").write_text("no image")
    (folder / "cut.png").write_bytes(base64.b64decode(CUT))
    (folder / "bomb.png").write_bytes(png(10_000, 10_000))
    (folder / "folder.png").mkdir()
    write_cell(folder, cell)
    found = refused(folder, "--target", "label")
    assert said in found
    assert found.endswith("; or leave the column out: --drop 'file'")


def test_a_file_that_is_too_large_is_refused(project, monkeypatch):
    monkeypatch.setattr(images, "MOST_BYTES", 300)
    assert "has more than 300 bytes" in refused(drawn.labelled(project / "photos"), "--target", "label")


def test_a_table_by_itself_would_leave_its_images_behind(project):
    folder = drawn.labelled(project / "photos")
    said = refused(folder / "labels.csv", "--target", "label")
    assert f"adopt the folder, {folder}; or leave the column out: --drop 'file'" in said


def test_an_image_beside_the_folders_of_classes_is_refused(project):
    folder = drawn.by_class(project / "photos")
    (folder / "more.png").write_bytes(drawn.image("bar"))
    assert "more.png is in no folder of a class" in refused(folder, "--target", "label")


def test_a_column_of_names_that_is_dropped_is_no_image(project, capsys):
    folder = drawn.labelled(project / "photos")
    lines = (folder / "labels.csv").read_text().splitlines()
    rows = [f"{line},{number % 7}" for number, line in enumerate(lines[1:])]
    table = project / "table.csv"
    table.write_text("\n".join([f"{lines[0]},n", *rows, ""]))
    adopt(capsys, table, "--target", "label", "--drop", "file")
    assert not read(project / "src" / "shapes" / "contract.yaml").field("file").is_image


def test_addresses_of_images_are_texts(project, capsys):
    rows = [f"https://example.com/{number}.png,{number % 7},{drawn.CLASSES[number % 3]}" for number in range(60)]
    (project / "table.csv").write_text("\n".join(["picture,n,label", *rows, ""]))
    adopt(capsys, project / "table.csv", "--target", "label")
    assert not read(project / "src" / "shapes" / "contract.yaml").field("picture").is_image


def test_an_image_that_is_there_twice_is_a_doubt(project, capsys):
    folder = drawn.labelled(project / "photos")
    (folder / "3.png").write_bytes((folder / "0.png").read_bytes())
    said = adopt(capsys, folder, "--target", "label", "--dry-run")
    assert "'file': 1 images are there more than once" in said


def test_missing_images_and_images_in_base64_are_adopted(project, capsys):
    rows = [
        {"photo": drawn.text(label, seed) if seed % 9 else None, "label": label}
        for seed, label in enumerate(drawn.CLASSES * 20)
    ]
    (project / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    adopt(capsys, project / "records.jsonl", "--target", "label")
    contract = read(project / "src" / "shapes" / "contract.yaml")
    assert contract.field("photo").is_image
    assert not contract.is_required(contract.field("photo"))
    rows[5]["photo"] = rows[5]["photo"][:-400]
    (project / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SystemExit, match="record 5, 'photo' is not a PNG or JPEG file that is whole"):
        main(["adopt-data", str(project / "records.jsonl"), "--target", "label"])


@pytest.mark.parametrize("end", [".csv", ".tsv", ".json", ".jsonl", ".parquet"])
def test_a_batch_names_files_in_each_format(tmp_path, monkeypatch, end):
    monkeypatch.setattr(files, "has_schema", lambda: False)
    folder = drawn.labelled(tmp_path / "photos", 70)
    table = pd.DataFrame({"file": [f"photos/{number}.png" for number in range(70)], "size": 1.0})
    path = tmp_path / f"ask{end}"
    {
        ".csv": lambda: table.to_csv(path, index=False),
        ".tsv": lambda: table.to_csv(path, index=False, sep="\t"),
        ".json": lambda: table.to_json(path, orient="records"),
        ".jsonl": lambda: table.to_json(path, orient="records", lines=True),
        ".parquet": lambda: table.to_parquet(path, index=False),
    }[end]()
    parts = list(files.read(path, CONTRACT))
    assert [len(part) for part in parts] == [64, 6]
    assert base64.b64decode(parts[1]["file"].iloc[-1]) == (folder / "69.png").read_bytes()
    assert all(list(violations(part, CONTRACT)) == [] for part in parts)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1.png", r"'1.png' is missing\n  fix: put the file there"),
        ("http://example.com/1.png", r"1.png' is not a path below this folder\n  fix: "),
        ("../photos/1.png", r"1.png' is not a path below this folder\n  fix: "),
        ("/dev/zero.png", r"zero.png' is not a path below this folder\n  fix: "),
    ],
)
def test_a_batch_whose_file_cannot_be_used_says_which(tmp_path, monkeypatch, cell, said):
    drawn.labelled(tmp_path / "photos", 3)
    (tmp_path / "asked").mkdir()
    monkeypatch.setattr(files, "has_schema", lambda: False)
    path = tmp_path / "asked" / "ask.json"
    path.write_text(json.dumps([{"file": cell}]))
    with pytest.raises(ValueError, match=f"record 0, 'file': .*{said}"):
        list(files.read(path, CONTRACT))


def test_images_that_do_not_fit_into_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("copier_mlops.contract.tables.MOST_OF_IMAGES", 10_000)
    folder = drawn.labelled(tmp_path / "photos")
    contract = parse(
        "learning: {target: label, problem: multiclass}\nfields:\n- {name: file, type: string, format: binary}\n"
        "- {name: label, type: string, categories: [bar, cross, square]}\n",
        "contract.yaml",
    )
    with pytest.raises(ValueError, match="has more than 10,000 bytes of images"):
        read_table(folder, contract)


def test_without_pillow_the_sentence_has_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(SystemExit, match=r'Pillow is not installed\n  fix: uv add "pillow.*" "python-multipart'):
        record_model(CONTRACT)
