"""A feature is worth as much as the metric loses if it is shuffled, whatever its type and the problem."""

import numpy as np
import pandas as pd
import pytest

from copier_mlops import problems
from tests.package.problems.made import BINARY, NUMBER, SEVERAL, contract_of, models, names

FIELDS = (
    {"name": "nothing", "type": "number"},
    {"name": "when", "type": "datetime"},
    {"name": "x", "type": "number"},
    {"name": "note", "type": "string"},
    {"name": "city", "type": "string"},
)


def records(target: dict, number: int = 120) -> pd.DataFrame:
    made = np.random.default_rng(0)
    x = made.normal(size=number)
    if target == NUMBER:
        y = x * 10
    elif target == BINARY:
        y = np.where(x > 0, 2, 1)
    else:
        y = np.array(["low", "middle", "high"], dtype=object)[np.digitize(x, [-0.4, 0.4])]
    when = pd.Series(pd.date_range("2024-01-01", periods=number, tz="UTC"))
    return pd.DataFrame(
        {
            "nothing": 1.0,
            "when": when.where(when.dt.day != 5),
            "x": x,
            "note": [None if place % 7 == 0 else f"word number {place % 3}" for place in range(number)],
            "city": pd.Series([None if place % 5 == 0 else "ab"[place % 2] for place in range(number)], dtype=object),
            "y": y,
        },
        index=np.arange(number)[::-1],
    )


@pytest.mark.parametrize("target", [BINARY, SEVERAL, NUMBER])
def test_the_feature_that_matters_is_first(target):
    contract, table = contract_of(target, *FIELDS, text=["note"]), records(target)
    model = models(contract)["linear"].fit(table[names(contract)], problems.targets(table, contract))
    before = table.copy(deep=True)
    found = problems.importance(model, table, contract, "", repeats=2, seed=1)
    assert found.columns.tolist() == ["feature", "importance"]
    assert sorted(found["feature"]) == sorted(names(contract))
    assert found["importance"].is_monotonic_decreasing
    assert found.loc[0, "feature"] == "x" and found.loc[0, "importance"] > 0
    assert found.set_index("feature").loc["nothing", "importance"] == pytest.approx(0, abs=1e-9)
    assert table.equals(before)
    gate = problems.of(contract).metric()
    assert problems.importance(model, table, contract, gate, repeats=2, seed=1).equals(found)


def test_features_of_equal_importance_keep_the_order_of_the_contract():
    contract, table = contract_of(NUMBER, *FIELDS, text=["note"]), records(NUMBER)
    model = problems.baseline(contract).fit(table[names(contract)], table["y"])
    found = problems.importance(model, table, contract, "rmse", repeats=1, seed=0)
    assert found["feature"].tolist() == names(contract)
    assert found["importance"].tolist() == [0.0] * 5


def test_a_metric_that_cannot_be_computed_gives_no_importance():
    contract, table = contract_of(BINARY, *FIELDS, text=["note"]), records(BINARY)
    model = problems.baseline(contract).fit(table[names(contract)], problems.targets(table, contract))
    for some in (table[table["y"] == 1], table.head(0)):
        assert len(problems.importance(model, some, contract, "roc_auc", repeats=1, seed=0)) == 0


def test_a_baseline_knows_only_the_target():
    table = records(BINARY)
    contract = contract_of(BINARY, *FIELDS)
    model = problems.baseline(contract).fit(table[names(contract)], problems.targets(table, contract))
    assert problems.predict(model, table, contract)["probability"].unique() == pytest.approx([(table["y"] == 2).mean()])
    contract = contract_of(NUMBER, *FIELDS)
    model = problems.baseline(contract).fit(table[names(contract)], [1.0] * 60 + [3.0] * 60)
    assert problems.predict(model, table, contract)["prediction"].unique().tolist() == [2.0]
