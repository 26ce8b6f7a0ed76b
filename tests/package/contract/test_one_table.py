"""Records become the same table from a request, a text file and a typed file, so that a model gives one answer."""

import json
from datetime import UTC, date, datetime

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from copier_mlops.contract import parse
from copier_mlops.contract.cast import records
from copier_mlops.contract.files import open_source
from copier_mlops.contract.frame import as_json, typed
from copier_mlops.contract.http_model import record_model
from copier_mlops.contract.tables import read_table
from copier_mlops.contract.verdict import violations

CONTRACT = parse(
    """
missingValues: ["", "n/a"]
primaryKey: [id]
learning: {target: y, problem: regression}
fields:
- {name: id, type: string, constraints: {pattern: "[A-Z][0-9]{3}"}}
- {name: whole, type: integer}
- {name: rate, type: number}
- {name: class, type: string, categories: [a, b]}
- {name: is on, type: boolean}
- {name: day, type: date}
- {name: at, type: datetime}
- {name: y, type: number}
""",
    "contract.yaml",
)
MODEL = record_model(CONTRACT)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
rows = st.fixed_dictionaries(
    {
        "id": st.from_regex(r"[A-Z][0-9]{3}", fullmatch=True),
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "rate": st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
        "class": st.none() | st.sampled_from(["a", "b"]),
        "is on": st.none() | st.booleans(),
        "day": st.none() | st.dates(date(1900, 1, 1), date(2200, 1, 1)).map(date.isoformat),
        "at": st.none() | moments.map(datetime.isoformat),
    }
)


def as_cell(value: object) -> str:
    """A value as a text file has it."""
    if value is None:
        return "n/a"
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


@settings(max_examples=80)
@given(sent=st.lists(rows, min_size=1, max_size=6))
def test_every_door_gives_the_same_table(tmp_path_factory, sent):
    asked = [MODEL.model_validate_json(json.dumps(row)).model_dump(by_alias=True) for row in sent]
    expected = typed(pd.DataFrame(asked, dtype=object), CONTRACT)
    assert not list(violations(expected, CONTRACT))
    folder = tmp_path_factory.mktemp("doors")
    pd.DataFrame([{name: as_cell(value) for name, value in row.items()} for row in sent]).to_csv(
        folder / "a.csv", index=False
    )
    (text,) = (typed(part, CONTRACT) for part in records(open_source(folder / "a.csv"), CONTRACT))
    pd.testing.assert_frame_equal(text, expected)
    pd.testing.assert_frame_equal(typed(pd.DataFrame(sent, dtype=object), CONTRACT), expected)
    expected.to_parquet(folder / "a.parquet")
    again = typed(pd.read_parquet(folder / "a.parquet"), CONTRACT)
    pd.testing.assert_frame_equal(again, expected)
    # What is sent again is the same record, but for values that are missing.
    for row, back in zip(sent, as_json(expected, CONTRACT), strict=True):
        model = MODEL.model_validate_json(json.dumps(back))
        assert model == MODEL.model_validate_json(json.dumps(row))


def test_a_file_for_training_is_one_table_with_its_target(tmp_path):
    (tmp_path / "a.csv").write_text("id,whole,rate,class,is on,day,at,y\nA001,1,,a,true,2024-02-29,,1.5\n")
    table = read_table(tmp_path / "a.csv", CONTRACT)
    assert table["y"].tolist() == [1.5]
    assert [str(kind) for kind in table.dtypes[1:3]] == ["int64", "float64"]
