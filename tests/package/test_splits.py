"""A split is honest: groups stay together, a test is newer than its training, and classes keep their shares."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copier_mlops import splits
from tests.package.problems.made import BINARY, NUMBER, SEVERAL, contract_of

X, GROUP = {"name": "x", "type": "number"}, {"name": "who", "type": "string"}
MOMENT = {"name": "at", "type": "datetime"}
BY_GROUP, BY_TIME = contract_of(NUMBER, X, GROUP, group="who"), contract_of(NUMBER, X, MOMENT, time="at")
SHARES, SEEDS = st.floats(0.05, 0.95), st.integers(0, 2**32 - 1)


def table_of(target: list, index: bool = True, **columns: object) -> pd.DataFrame:
    """Records in an order that is not that of their index."""
    labels = np.random.default_rng(1).permutation(len(target)) if index else range(len(target))
    return pd.DataFrame({"x": np.arange(len(target), dtype=float), "y": target} | columns, index=labels)


def hours(values: list) -> pd.Series:
    return pd.Series(
        [pd.Timestamp(0, tz="UTC") + pd.Timedelta(hours=each) if each is not None else pd.NaT for each in values]
    )


def check(table: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Check that two parts are sorted, not empty, and together the records."""
    assert len(train) and len(test)
    assert train.index.is_monotonic_increasing and test.index.is_monotonic_increasing
    assert pd.concat([train, test]).sort_values("x").equals(table.sort_values("x"))


def test_a_group_counts_more_than_a_time_and_a_time_more_than_classes():
    assert splits.kind(contract_of(BINARY, X, GROUP, MOMENT, group="who", time="at")) == "group"
    assert splits.kind(contract_of(BINARY, X, MOMENT, time="at")) == "time"
    assert splits.kind(contract_of(BINARY)) == splits.kind(contract_of(SEVERAL)) == "stratified"
    assert splits.kind(contract_of(NUMBER)) == "random"


@given(counts=st.tuples(*[st.integers(2, 40)] * 3), share=SHARES, seed=SEEDS)
@settings(max_examples=50)
def test_each_class_is_on_both_sides_with_its_share(counts, share, seed):
    table = table_of(["low"] * counts[0] + ["middle"] * counts[1] + ["high"] * counts[2])
    train, test = splits.hold_out(table, contract_of(SEVERAL), share, seed)
    check(table, train, test)
    for name, count in zip(("low", "middle", "high"), counts, strict=True):
        found = (test["y"] == name).sum()
        assert 1 <= found < count and abs(found - count * share) <= 1
    again = splits.hold_out(table, contract_of(SEVERAL), share, seed)
    assert train.equals(again[0]) and test.equals(again[1])


@given(number=st.integers(2, 80), share=SHARES, seed=SEEDS)
@settings(max_examples=50)
def test_a_random_split_has_the_share(number, share, seed):
    table = table_of([float(place) for place in range(number)])
    train, test = splits.hold_out(table, contract_of(NUMBER), share, seed)
    check(table, train, test)
    assert abs(len(test) - number * share) <= 1


GROUPS = st.lists(st.sampled_from([*"abcdefgh", None]), min_size=12, max_size=40)


@given(groups=GROUPS, share=SHARES, number=st.integers(2, 4), seed=SEEDS)
@settings(max_examples=80)
def test_no_group_is_on_both_sides_and_a_record_without_one_is_for_training(groups, share, number, seed):
    table = table_of([1.0] * len(groups), who=pd.Series(groups, dtype=object).tolist())
    if len(set(groups) - {None}) < number:
        with pytest.raises(ValueError, match=r"^'who' has \d different values, and a split by group needs \d\n  fix: "):
            list(splits.folds(table, BY_GROUP, number, seed))
        return
    train, test = splits.hold_out(table, BY_GROUP, share, seed)
    check(table, train, test)
    parts = [(train["who"], test["who"])]
    seen = np.zeros(len(table))
    for first, second in splits.folds(table, BY_GROUP, number, seed):
        assert len(first) and len(second) and sorted([*first, *second]) == list(range(len(table)))
        parts.append((table["who"].iloc[first], table["who"].iloc[second]))
        seen[second] += 1
    for first, second in parts:
        assert second.notna().all() and not set(first) & set(second)
    assert (seen == table["who"].notna()).all()


def test_a_test_of_many_groups_has_the_share_of_records_and_classes():
    made = np.random.default_rng(0)
    who = made.integers(0, 60, 1_000)
    table = table_of(np.where(who % 5 == 0, 2, 1).tolist(), who=[f"h{each}" for each in who])
    contract = contract_of(BINARY, X, GROUP, group="who")
    test = splits.hold_out(table, contract, 0.25, 3)[1]
    assert len(test) == pytest.approx(250, abs=25)
    assert (test["y"] == 2).mean() == pytest.approx((table["y"] == 2).mean(), abs=0.08)
    sizes = [len(test) for _, test in splits.folds(table, contract, 5, 0)]
    assert max(sizes) - min(sizes) < 20


TIMES = st.lists(st.sampled_from([*range(9), None]), min_size=6, max_size=40)


@given(times=TIMES, share=SHARES, number=st.integers(2, 4))
@settings(max_examples=80)
def test_a_test_is_newer_than_its_training_and_equal_times_stay_together(times, share, number):
    table = table_of([1.0] * len(times), index=False, at=hours(times)).sample(frac=1, random_state=0)
    if len(set(times)) < number + 1:
        with pytest.raises(ValueError, match=r"^'at' has \d different values, and a split by time needs \d\n  fix: "):
            list(splits.folds(table, BY_TIME, number, 0))
        return
    train, test = splits.hold_out(table, BY_TIME, share, 0)
    check(table, train, test)
    parts, tested = [(train["at"], test["at"])], 0
    for first, second in splits.folds(table, BY_TIME, number, 0):
        assert len(first) and len(second) and (np.diff(first) > 0).all() and (np.diff(second) > 0).all()
        parts.append((table["at"].iloc[first], table["at"].iloc[second]))
        tested += len(second)
    for first, second in parts:
        assert second.notna().all() and (first.isna() | (first < second.min())).all()
    assert len(list(splits.folds(table, BY_TIME, number, 0))) == number
    assert len(parts[1][0]) + tested == len(table)


def test_a_split_by_time_has_the_share_if_all_times_differ():
    table = table_of([1.0] * 100, index=False, at=hours(list(range(100)))).sample(frac=1, random_state=0)
    assert len(splits.hold_out(table, BY_TIME, 0.2, 0)[1]) == 20
    sizes = [(len(train), len(test)) for train, test in splits.folds(table, BY_TIME, 4, 0)]
    assert sizes == [(20, 20), (40, 20), (60, 20), (80, 20)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("date", [date(2024, 1, 3), None, date(2024, 1, 1), date(2024, 1, 2)]),
        ("integer", [3, None, 1, 2]),
        ("number", pd.array([3.5, None, 1.5, 2.5], dtype="Float64")),
        ("datetime", pd.to_datetime(["2024-01-03", None, "2024-01-01", "2024-01-02"], utc=True)),
    ],
)
def test_a_time_can_be_of_any_type_with_an_order(kind, values):
    contract = contract_of(NUMBER, X, {"name": "at", "type": kind}, time="at")
    table = pd.DataFrame({"x": range(4), "y": 1.0, "at": values}, index=list("dcba"))
    train, test = splits.hold_out(table, contract, 0.25, 0)
    assert (train.index.tolist(), test.index.tolist()) == (["a", "b", "c"], ["d"])


@given(number=st.integers(2, 5), seed=SEEDS)
@settings(max_examples=20)
@pytest.mark.parametrize("target", [BINARY, NUMBER])
def test_each_record_is_tested_once(target, number, seed):
    table = table_of([1, 2, 1, 2, 1] * 5)
    pairs = list(splits.folds(table, contract_of(target), number, seed))
    assert sorted(np.concatenate([test for _, test in pairs])) == list(range(25))
    assert all(sorted([*train, *test]) == list(range(25)) for train, test in pairs)
    if target == BINARY:
        assert all(set(table["y"].iloc[test]) == {1, 2} for _, test in pairs)


@pytest.mark.parametrize(
    ("target", "values", "said"),
    [
        (BINARY, [1, 1, 1, 2], "class 'bad' of 'y' has 1 record, and needs 2, one for each part\n  fix: add records"),
        (BINARY, [1, 1, 1, 1], "one class of 'y' occurs: 'good'\n  fix: add records of another class"),
        (NUMBER, [1.0], "1 records cannot be split\n  fix: add records"),
        (NUMBER, [], "0 records cannot be split\n  fix: add records"),
    ],
)
def test_records_that_cannot_be_split_are_refused_in_one_sentence(target, values, said):
    with pytest.raises(ValueError) as refused:
        splits.hold_out(table_of(values), contract_of(target), 0.25, 0)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("target", "values", "number", "said"),
    [
        (BINARY, [1] * 9 + [2] * 4, 5, "class 'bad' of 'y' has 4 records, and needs 5, one for each fold\n  fix: add"),
        (NUMBER, [1.0, 2.0], 3, "2 records are too few for 3 folds\n  fix: fewer folds"),
        (NUMBER, [1.0, 2.0], 1, "1 folds are no cross-validation\n  fix: 2 folds or more"),
    ],
)
def test_records_without_so_many_folds_are_refused_in_one_sentence(target, values, number, said):
    with pytest.raises(ValueError) as refused:
        list(splits.folds(table_of(values), contract_of(target), number, 0))
    assert str(refused.value).startswith(said)


def test_a_training_with_one_class_is_refused():
    contract = contract_of(BINARY, X, MOMENT, time="at")
    table = table_of([1] * 5 + [2] * 5, index=False, at=hours(list(range(10))))
    with pytest.raises(ValueError, match=r"^fold 1 of 3 has only the class 'good' for training\n  fix: fewer folds"):
        list(splits.folds(table, contract, 3, 0))


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(ValueError, match=r"^the share of the test is .*\n  fix: a number between 0 and 1"):
        splits.hold_out(table_of([1.0, 2.0]), contract_of(NUMBER), share, 0)


def test_a_class_that_never_occurs_stops_nothing():
    table = table_of(["low", "middle"] * 10)
    assert len(splits.hold_out(table, contract_of(SEVERAL), 0.2, 0)[1]) == 4
    assert len(list(splits.folds(table, contract_of(SEVERAL), 5, 0))) == 5
