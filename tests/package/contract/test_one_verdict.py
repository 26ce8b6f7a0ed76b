"""A record gets one verdict: from the model of a request, and from the check of a table, whatever its column types."""

import json
import math
import time
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from copier_mlops.contract import parse
from copier_mlops.contract.http_model import record_model
from copier_mlops.contract.verdict import violations

CONTRACT = parse(
    """
missingValues: ["", "n/a"]
primaryKey: [id]
learning: {target: y, problem: binary, positive: 1, text: [note], newCategories: [place]}
fields:
- {name: id, type: string, constraints: {pattern: "[A-Z][0-9]{3}"}}
- {name: age, type: integer, constraints: {required: true, minimum: 0, maximum: 150}}
- {name: whole, type: integer}
- {name: rate, type: number, constraints: {minimum: -1.5, maximum: 100}}
- {name: free number, type: number, constraints: {required: true}}
- {name: class, type: string, categories: [a, b, {value: "1", label: one}]}
- {name: grade, type: integer, categories: [1, 2, 3]}
- {name: place, type: string, categories: [Bonn], constraints: {maxLength: 8}}
- {name: "note", type: string, missingValues: [], constraints: {maxLength: 12, minLength: 2}}
- {name: is on, type: boolean, constraints: {required: true}}
- {name: day, type: date, constraints: {minimum: 2020-01-01, maximum: 2026-12-31}}
- {name: at, type: datetime, constraints: {maximum: 2026-12-31T12:00:00+02:00}}
- {name: y, type: integer, categories: [0, 1]}
""",
    "contract.yaml",
)
MODEL = record_model(CONTRACT)
GOOD = {
    "id": "A001",
    "age": 30,
    "whole": None,
    "rate": 1.5,
    "free number": 0,
    "class": "a",
    "grade": 2,
    "place": "Köln",
    "note": "fine",
    "is on": True,
    "day": "2024-02-29",
    "at": "2024-02-29T10:00:00Z",
}
NUMBERS = [0, -0.0, -1, 1, 3, 42.0, 42.5, 150, 151, 1e19, 10**30, -(10**400), 2**63, 2**63 - 1, float(2**63), -(2**63)]
NUMBERS += [math.nan, math.inf, -math.inf, 1e308, 100, 100.0000001, -1.5, 2**53 + 1]
TEXTS = ["", "n/a", "a", "b", "1", "A001", "A00", "Bonn", "Köln", "\ud800", "a\ud800", "x" * 12, "x" * 13, "x" * 10_001]
TEXTS += ["2024-02-29", "2023-02-29", "2019-12-31", "2024-2-9", "20240229", "2024-W01-1", "29.02.2024", "٢٠٢٤-٠١-٠١"]
TEXTS += ["2024-02-29T10:00:00", "2024-02-29 10:00", "2024-02-29T25:00:00Z", "2026-12-31T10:00:01Z", "2024-02-29T10:00"]
TEXTS += [
    "2026-12-31T10:00:00Z",
    "2024-02-29T10:00:00.1234567Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31",
    "\x00",
    "𝔘𝔫𝔦",
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=15),
    st.sampled_from(NUMBERS),
    st.sampled_from(TEXTS),
    st.sampled_from([[], [1], {}, {"a": 1}, [None]]),
)
MOMENTS = [datetime(2020, 1, 1), datetime(2019, 12, 31, 23), datetime(2026, 12, 31), datetime(2026, 12, 31, 10)]
NAMES = st.sampled_from([*GOOD, "y", "age ", "other"])


def by_model(record: dict) -> set[str]:
    """The fields that the model of a request refuses."""
    try:
        MODEL.model_validate(record)
    except ValidationError as error:
        return {str(each["loc"][0]) for each in error.errors(include_input=False)}
    return set()


def by_table(records: pd.DataFrame) -> set[str]:
    return {each.field for each in violations(records, CONTRACT)}


@given(changes=st.dictionaries(NAMES, VALUES, max_size=4), absent=st.sets(st.sampled_from(list(GOOD)), max_size=2))
@settings(max_examples=300)
def test_a_request_and_a_table_agree(changes, absent):
    record = {name: value for name, value in (GOOD | changes).items() if name not in absent}
    assert by_model(record) == by_table(pd.DataFrame([record], dtype=object))


@pytest.mark.parametrize("name", GOOD)
def test_each_hard_value_gets_one_verdict_in_each_field(name):
    records = [GOOD | {name: value} for value in [*NUMBERS, *TEXTS, None, True, [1]]]
    found = {each.record for each in violations(pd.DataFrame(records, dtype=object), CONTRACT)}
    assert found == {place for place, record in enumerate(records) if by_model(record)}
    assert found


@given(numbers=st.lists(st.floats() | st.sampled_from([float(each) for each in NUMBERS if abs(each) < 10**300])))
@example([math.nan])
@settings(max_examples=60)
@pytest.mark.parametrize("name", ["age", "whole", "rate", "free number", "grade"])
def test_a_column_of_floats_gets_the_verdicts_of_its_values(name, numbers):
    table = pd.DataFrame([GOOD] * len(numbers), columns=list(GOOD)).assign(**{name: np.array(numbers, dtype=float)})
    found = {each.record for each in violations(table, CONTRACT)}
    assert found == {place for place, each in enumerate(numbers) if by_model(GOOD | {name: each})}


@given(numbers=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 200)))
@settings(max_examples=60)
@pytest.mark.parametrize("name", ["age", "whole", "rate", "grade"])
def test_a_column_of_whole_numbers_gets_the_verdicts_of_its_values(name, numbers):
    table = pd.DataFrame([GOOD] * len(numbers), columns=list(GOOD)).assign(**{name: np.array(numbers, dtype="int64")})
    found = {each.record for each in violations(table, CONTRACT)}
    assert found == {place for place, each in enumerate(numbers) if by_model(GOOD | {name: each})}


@given(texts=st.lists(st.none() | st.sampled_from(TEXTS) | st.text(max_size=14), min_size=1))
@settings(max_examples=60)
@pytest.mark.parametrize("name", ["id", "class", "place", "note"])
def test_a_column_of_texts_gets_the_verdicts_of_its_values(name, texts):
    table = pd.DataFrame([GOOD] * len(texts), columns=list(GOOD)).assign(**{name: pd.Series(texts, dtype=object)})
    found = {each.record for each in violations(table, CONTRACT)}
    assert found == {place for place, each in enumerate(texts) if by_model(GOOD | {name: each})}


@given(
    moments=st.lists(st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)) | st.sampled_from(MOMENTS))
)
@settings(max_examples=100)
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("name", ["day", "at"])
def test_a_column_of_moments_gets_the_verdicts_of_its_values(name, zone, moments):
    column = pd.Series(pd.to_datetime(moments, utc=True)).dt.tz_localize(None)
    column = column.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else column
    table = pd.DataFrame([GOOD] * len(moments), columns=list(GOOD)).assign(**{name: column})
    found = {each.record for each in violations(table, CONTRACT)}
    assert found == {place for place, each in enumerate(column.astype(object)) if by_model(GOOD | {name: each})}


def test_types_of_pandas_are_those_of_the_contract():
    table = pd.DataFrame([GOOD, GOOD]).assign(
        age=pd.array([1, 2], dtype="Int64"),
        rate=pd.array([1.5, None], dtype="Float64"),
        whole=[1.0, None],
        **{"class": pd.Categorical(["a", None]), "is on": np.array([True, False])},
        day=[date(2024, 1, 1), None],
        at=pd.to_datetime(["2024-01-01T10:00:00Z", None]),
        note=pd.array(["ab", None], dtype="string"),
    )
    assert list(violations(table, CONTRACT)) == []
    assert by_table(table.assign(day=[pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01T01:00:00")])) == {"day"}
    assert by_table(table.assign(at=[datetime(2024, 1, 1), date(2024, 1, 1)])) == {"at"}
    assert by_table(table.assign(age=[True, False], rate=["1", "2"])) == {"age", "rate"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"age": NaN}', "age"),
        ('{"age": Infinity}', "age"),
        ('{"age": 1e400}', "age"),
        ('{"rate": 1e400}', "rate"),
        ('{"note": "\\ud800"}', "note"),
        ('{"age": 1000000000000000000000000000000}', "age"),
        ('{"age": -1}', "age"),
        ('{"class": "c"}', "class"),
    ],
)
def test_what_json_can_say_and_a_contract_cannot_is_refused_with_the_field(body, field):
    assert by_model(GOOD | json.loads(body)) == {field}


def test_a_violation_says_record_field_value_and_what_is_expected():
    table = pd.DataFrame([GOOD, GOOD | {"age": -1, "class": "c" * 500}])
    assert [str(each) for each in violations(table, CONTRACT)] == [
        "record 1: age is -1, expected 0 to 150",
        f"record 1: class is '{'c' * 58}…, expected one of 'a', 'b', '1'",
    ]
    assert [str(each) for each in violations(table[["id"]].assign(x=1), CONTRACT)][:2] == [
        "x is not a field of the contract",
        "age is missing, and is required",
    ]


def test_records_for_training_have_a_target_and_keys_that_differ():
    table = pd.DataFrame([GOOD, GOOD | {"id": "A002"}, GOOD]).assign(y=[0, 1, 2])
    found = [str(each) for each in violations(table, CONTRACT, labelled=True)]
    assert found == [
        "record 2: y is 2, expected one of 0, 1",
        "record 2: id is 'A001', expected a key that no other record has",
    ]
    assert by_table(table) == {"y"}


def test_the_documentation_of_a_request_shows_the_contract():
    shown = MODEL.model_json_schema()
    assert shown["required"] == ["id", "age", "free number", "is on"]
    assert shown["additionalProperties"] is False
    age = shown["properties"]["age"]
    assert (age["type"], age["minimum"], age["maximum"]) == ("integer", 0, 150)
    assert shown["properties"]["class"]["anyOf"][0]["enum"] == ["a", "b", "1"]
    assert shown["properties"]["class"]["description"] == "1: one"
    assert shown["properties"]["day"]["anyOf"][0] == {"type": "string", "format": "date"}


def test_a_million_records_of_good_columns_are_checked_in_seconds():
    many = pd.DataFrame([GOOD] * 1_000).drop(columns=["day", "at", "is on"])
    table = pd.concat([many] * 100, ignore_index=True)
    start = time.perf_counter()
    assert {each.field for each in violations(table, CONTRACT)} == {"is on"}
    assert time.perf_counter() - start < 2
