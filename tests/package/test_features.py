"""An encoder makes numbers of any record that keeps the contract, and of values that are new or missing."""

import math
import subprocess
import sys
import warnings
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from copier_mlops import model_file
from copier_mlops.features import MOST_WORDS, encoder
from tests.package.problems.made import NUMBER, contract_of, names

FIELDS = (
    {"name": "count", "type": "integer"},
    {"name": "size", "type": "number"},
    {"name": "is_new", "type": "boolean"},
    {"name": "city", "type": "string", "categories": ["Bonn", "Ulm"]},
    {"name": "grade", "type": "integer", "categories": [1, 2, 3]},
    {"name": "level", "type": "string", "constraints": {"enum": ["low", "high"]}},
    {"name": "shop", "type": "string"},
    {"name": "day", "type": "date"},
    {"name": "at", "type": "datetime"},
    {"name": "note", "type": "string"},
    {"name": "hint", "type": "string"},
)
CONTRACT = contract_of(NUMBER, *FIELDS, text=["note", "hint"])
# Values as requests and files have them; None in each.
VALUES = {
    "count": st.sampled_from([0, 1, 5, -7, 2**53, None, pd.NA]),
    "size": st.sampled_from([0.5, 2.0, -1e6, 1e6, None, math.nan, pd.NA]),
    "is_new": st.sampled_from([True, False, None, pd.NA]),
    "city": st.sampled_from(["Bonn", "Ulm", "Köln", "", None, math.nan]),
    "grade": st.sampled_from([1, 2, 3.0, 9, None, pd.NA]),
    "level": st.sampled_from(["low", "high", "none", None]),
    "shop": st.sampled_from(["a", "b", "c", "1", "", None]),
    "day": st.sampled_from([date(2024, 2, 29), date(9999, 12, 31), date(1, 1, 1), "2024-05-01", None, pd.NaT]),
    "at": st.sampled_from([datetime(2024, 5, 1, 13, tzinfo=UTC), "2024-05-01T13:00:00+02:00", None, pd.NaT]),
    "note": st.sampled_from(["slow and loud", "Slow", "!", "", None, pd.NA, "日本 語"]),
    "hint": st.sampled_from(["", None]),
}


def table_of(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in VALUES})


TABLES = st.lists(st.fixed_dictionaries(VALUES), min_size=2, max_size=14).map(table_of)


# It has learned from years of moments.
AT = encoder(contract_of(NUMBER, FIELDS[8]), for_linear=False).fit(pd.DataFrame({"at": ["2020-01-01", "2024-01-01"]}))


def columns(contract, table: pd.DataFrame, **options) -> pd.DataFrame:
    """What an encoder that is fitted to a table makes of it, with the names."""
    made = encoder(contract, **options).fit(table)
    values = made.transform(table)
    values = values if isinstance(values, np.ndarray) else values.toarray()
    return pd.DataFrame(values, columns=made.get_feature_names_out())


@given(train=TABLES, test=TABLES, for_linear=st.booleans())
@settings(max_examples=25)
@pytest.mark.filterwarnings("error")
def test_any_records_become_numbers(train, test, for_linear):
    made = encoder(CONTRACT, for_linear=for_linear).fit(train)
    width = len(made.get_feature_names_out())
    for table in (train, test, test.head(1)):
        values = made.transform(table)
        assert values.shape == (len(table), width) and values.dtype == "float64"
        if for_linear:
            assert np.isfinite(values.data if not isinstance(values, np.ndarray) else values).all()
        else:
            assert isinstance(values, np.ndarray) and not np.isinf(values).any()


EMPTY = dict.fromkeys(VALUES)
FULL = {
    "count": 2**53,
    "size": -1e6,
    "is_new": True,
    "city": "Köln",
    "grade": 3.0,
    "level": "low",
    "shop": "a",
    "day": date(9999, 12, 31),
    "at": "2024-05-01T13:00:00+02:00",
    "note": "slow",
    "hint": "",
}


@pytest.mark.parametrize("rows", [[EMPTY], [FULL], [EMPTY, FULL]], ids=["nothing", "one value", "gaps"])
def test_models_are_fitted_saved_and_loaded_whatever_is_missing(tmp_path, rows):
    table, path = table_of(rows * 6), tmp_path / "model.skops"
    target = np.arange(len(table), dtype=float)
    for for_linear, estimator in (
        (True, Ridge()),
        (False, HistGradientBoostingRegressor(max_iter=2)),
        (False, RandomForestRegressor(2)),
    ):
        with threadpool_limits(1):
            model = make_pipeline(encoder(CONTRACT, for_linear=for_linear), estimator).fit(table, target)
            model_file.save(model, path)
            for tried in (table, table_of([FULL, EMPTY])):
                assert model_file.load(path).predict(tried).tolist() == model.predict(tried).tolist()


def test_columns_have_names_that_a_reader_understands():
    fields = (*FIELDS[1:4], *FIELDS[7:10])
    contract = contract_of(NUMBER, *fields, text=["note"])
    table = pd.DataFrame(
        {
            "size": [1.0, None],
            "is_new": [True, False],
            "city": ["Bonn", None],
            "day": pd.to_datetime(["2024-02-29", None]),
            "at": pd.to_datetime(["2024-02-29T13:00Z", "2026-03-01T00:00Z"]),
            "note": ["Slow!", "so slow"],
        }
    )
    found = columns(contract, table, for_linear=False)
    assert found.columns.tolist() == [
        *("size", "is_new"),
        *(f"day ({part})" for part in ("year", "days since 1970")),
        *(f"at ({part})" for part in ("year", "month", "day", "weekday", "hour", "days since 1970")),
        *("city=Bonn", "city=Ulm", "note: slow", "note: so"),
    ]
    assert found.iloc[0, :12].tolist() == [1, 1, 2024, 19782, 2024, 2, 29, 3, 13, 19782 + 13 / 24, 1, 0]
    assert found.iloc[1, :4].isna().tolist() == [True, False, True, True]
    linear = columns(contract, table, for_linear=True)
    assert "missingindicator_size" in linear and linear["size"].tolist() == [0, 0]


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2024-05-01T13:00+02:00", None], utc=True),
        pd.to_datetime(["2024-05-01T11:00", None]),
        [datetime(2024, 5, 1, 11, tzinfo=UTC), None],
        [datetime(2024, 5, 1, 11), pd.NaT],
        [pd.Timestamp("2024-05-01T11:00Z"), None],
        ["2024-05-01T11:00:00Z", None],
        ["2024-05-01T13:00:00+02:00", pd.NA],
    ],
    ids=lambda values: f"{values[0]} {type(values[0]).__name__}",
)
def test_a_moment_is_the_same_from_a_file_and_from_a_request(values):
    found = AT.transform(pd.DataFrame({"at": values}))
    assert found[0].tolist() == [2024, 5, 1, 2, 11, 19844 + 11 / 24]
    assert np.isnan(found[1]).all()


@given(moments=st.lists(st.datetimes(), min_size=1, max_size=5))
@settings(max_examples=25)
def test_the_parts_of_a_moment_are_those_of_the_calendar(moments):
    table = pd.DataFrame({"at": pd.Series(moments, dtype=object)})
    expected = [[each.year, each.month, each.day, each.weekday(), each.hour] for each in moments]
    assert AT.transform(table)[:, :5].tolist() == expected


@pytest.mark.parametrize(
    ("days", "parts"),
    [
        (0, []),
        (1.5, []),
        (2, ["hour"]),
        (14, ["weekday", "hour"]),
        (62, ["day", "weekday", "hour"]),
        (731, ["month", "day", "weekday", "hour"]),
    ],
)
def test_a_part_is_learned_from_two_of_its_cycles_on(days, parts):
    start = pd.Timestamp("2024-02-01T00:00Z")
    table = pd.DataFrame({"at": [start, None, start + pd.Timedelta(days=days)]})
    found = columns(contract_of(NUMBER, FIELDS[8]), table, for_linear=False)
    assert found.columns.tolist() == [f"at ({part})" for part in ("year", *parts, "days since 1970")]
    assert found["at (days since 1970)"].iloc[2] == 19754 + days


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [1.0, None, 3.0], [1, None, 3], pd.array([1, None, 3], "Int64"), np.array([1, 2, 3], "int8")]
)
def test_a_whole_number_is_one_category_in_any_column(values):
    found = columns(contract_of(NUMBER, FIELDS[4]), pd.DataFrame({"grade": values}), for_linear=True)
    assert found.columns.tolist() == ["grade=1", "grade=2", "grade=3"]
    assert found.loc[0].tolist() == [1, 0, 0] and found.loc[2].tolist() == [0, 0, 1]
    assert found.loc[1].tolist() in ([0, 1, 0], [0, 0, 0])


def test_rare_strings_are_one_category_to_which_new_ones_belong():
    contract = contract_of(NUMBER, FIELDS[6])
    table = pd.DataFrame({"shop": ["a"] * 20 + ["b"] * 9 + ["c"] * 2 + [None] * 12})
    made = encoder(contract, for_linear=False).fit(table)
    assert made.get_feature_names_out().tolist() == ["shop=a", "shop is missing", "shop is rare"]
    new = pd.DataFrame({"shop": ["new", "b", "a", None]})
    assert made.transform(new).tolist() == [[0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0]]
    many = pd.DataFrame({"shop": [f"shop {place % 90}" for place in range(1_800)]})
    assert encoder(contract, for_linear=True).fit_transform(many).shape == (1_800, 50)


def test_words_are_bounded():
    contract = contract_of(NUMBER, FIELDS[9], text=["note"])
    table = pd.DataFrame({"note": [f"always word{place}" for place in range(MOST_WORDS * 2)]})
    made = encoder(contract, for_linear=False).fit(table)
    assert len(made.get_feature_names_out()) == MOST_WORDS and "note: always" in made.get_feature_names_out()
    assert encoder(contract, for_linear=True).fit_transform(table).shape[1] == MOST_WORDS * 2 + 1


def test_a_key_a_group_and_the_target_are_no_features():
    contract = contract_of(NUMBER, *FIELDS[:3], group="size", ignore=["is_new"])
    table = pd.DataFrame({"count": [1, 2], "size": [1.0, 2.0], "is_new": [True, False], "y": [1.0, 2.0]})
    assert columns(contract, table, for_linear=False).columns.tolist() == names(contract) == ["count"]


def test_an_encoder_is_a_transformer_of_scikit_learn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = encoder(CONTRACT, for_linear=True)
        assert repr(clone(made)) == repr(made)
        assert made.set_params(texts__words__most_words=3).get_params()["texts__words__most_words"] == 3


def save_fitted(file: Path | str) -> None:
    """Fit gradient boosting to strings and texts, and save it."""
    contract = contract_of(NUMBER, FIELDS[6], FIELDS[9], text=["note"])
    table = pd.DataFrame({"shop": list("abcde") * 20, "note": ["slow and loud", "fast", None, "x y", "so so"] * 20})
    boosting = HistGradientBoostingRegressor(max_iter=2, random_state=0)
    with threadpool_limits(1):
        model_file.save(make_pipeline(encoder(contract, for_linear=False), boosting).fit(table, range(100)), Path(file))


def test_the_same_fit_gives_the_same_file_in_another_process(tmp_path):
    here, there = tmp_path / "here.skops", tmp_path / "there.skops"
    save_fitted(here)
    code = "import sys\nfrom tests.package.test_features import save_fitted\nsave_fitted(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(there)], cwd=Path(__file__).parents[2], check=True)
    assert here.read_bytes() == there.read_bytes()
