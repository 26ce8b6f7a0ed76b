"""The parts of the report: groups, errors, intervals, and the comparison of `poe evaluate`."""

import numpy as np
import pandas as pd
import pytest

from copier_mlops import problems
from copier_mlops.contract import parse
from copier_mlops.reporting import evaluate, fields, figures, intervals, records
from tests.package.reporting import runs
from tests.package.reporting.runs import PROBLEMS


def contract(problem: str, before: str = "", after: str = ""):
    """The contract of a small project, with a change."""
    text = runs.contract_text(problem)
    assert before in text
    return parse(text.replace(before, after) if before else text, "contract.yaml")


@pytest.fixture
def judged() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Four records of four ages, and their predictions."""
    table = pd.DataFrame({"age": [20, 25, 26, 70], "region": ["N", "S", None, "X"], "visit": list("abcd")})
    actual, label = ["stayed", "left", "stayed", "left"], ["left", "stayed", "stayed", "left"]
    return table, pd.DataFrame({"actual": actual, "label": label, "probability": [0.9, 0.1, 0.1, 0.9]})


def test_groups_count_what_each_was_called_and_is(judged):
    rows = {row["name"]: row for row in records.groups(*judged, contract("binary")) if row["column"] == "age"}
    assert [row["records"] for row in rows.values()] == [2, 1, 1]
    assert (rows["up to 25"]["false_positive_rate"], rows["up to 25"]["false_negative_rate"]) == (1.0, 1.0)
    assert rows["26 to 60"]["false_negative_rate"] is None
    assert rows["over 60"]["positive_rate"] == 1.0


def test_a_record_outside_of_the_groups_is_in_one_of_its_own(judged):
    rows = [row for row in records.groups(*judged, contract("binary")) if row["column"] == "region"]
    assert [(row["name"], row["records"]) for row in rows] == [
        ("North", 1),
        ("South", 1),
        ("other", 1),
        ("no value", 1),
    ]


@pytest.mark.parametrize(
    ("bounds", "names"),
    [
        ("bounds: [23]", ["up to 22", "over 22"]),
        ("bounds: [21, 26, 51]", ["up to 20", "21 to 25", "26 to 50", "over 50"]),
        ("groups: {young: [20, 25], old: [26]}", ["young", "old", "other"]),
    ],
)
def test_groups_are_those_of_the_contract(judged, bounds, names):
    rows = records.groups(*judged, contract("binary", "bounds: [26, 61]", bounds))
    assert [row["name"] for row in rows if row["column"] == "age"] == names


def test_groups_of_a_number_have_ends_that_belong_to_one_of_them(judged):
    table = judged[0].assign(spent=[1.0, 2.5, 2.49, 9.0])
    found = contract("binary", "{field: age, bounds: [26, 61]}", "{field: spent, bounds: [2.5, 9]}")
    rows = [row for row in records.groups(table, judged[1], found) if row["column"] == "spent"]
    assert [(row["name"], row["records"]) for row in rows] == [
        ("below 2.5", 2),
        ("2.5 to below 9", 1),
        ("9 or more", 1),
    ]


def test_a_number_without_bounds_is_no_group(judged):
    found = contract("binary", "{field: age, bounds: [26, 61]}", "{field: age}")
    with pytest.raises(ValueError, match="sensitive of the contract names age, which has neither"):
        records.groups(*judged, found)


def test_groups_of_a_regression_have_errors_in_the_unit_of_the_target(judged):
    outcomes = pd.DataFrame({"actual": [1.0, 2.0, 3.0, 4.0], "prediction": [2.0, 1.0, 3.0, 8.0]})
    rows = {row["name"]: row for row in records.groups(judged[0], outcomes, contract("regression"))}
    assert (rows["up to 25"]["mean_error"], rows["up to 25"]["mean_absolute_error"]) == (0.0, 1.0)
    assert rows["over 60"]["mean_error"] == 4.0


def test_the_worst_errors_are_those_of_which_the_model_was_sure():
    table, outcomes = runs.records(), runs.outcomes("binary")
    rows = records.worst(table, outcomes, contract("binary"))
    assert len(rows) == records.MOST_ERRORS
    assert rows[0] == {"key": "V000", "actual": "left", "predicted": "stayed", "sure": "98.0%"}
    assert records.worst(table, outcomes.assign(label=outcomes["actual"]), contract("binary")) == []
    regression = records.worst(table, runs.outcomes("regression"), contract("regression"))
    assert regression[0]["key"] in {f"V{place:03}" for place in range(76, 80)}
    assert regression[0]["sure"].startswith("+10") and regression[0]["sure"].endswith(" EUR")
    assert records.worst(table, runs.outcomes("multiclass"), contract("multiclass"))[0]["predicted"] in ("green", "NA")


def test_a_key_that_no_log_may_hold_is_not_shown():
    hidden = contract("binary", "unlogged: [clerk]", "unlogged: [clerk, visit]")
    assert records.worst(runs.records(), runs.outcomes("binary"), hidden)[0]["key"] == "0"
    rows = {row["name"]: row for row in fields.describe(hidden, runs.records())}
    assert (rows["visit"]["seen"], rows["clerk"]["seen"]) == ("not shown", "not shown")


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("seed", range(3))
def test_each_metric_of_the_registry_has_the_interval_of_its_own_value(problem, seed):
    random, found = np.random.default_rng(seed), contract(problem)
    outcomes = runs.outcomes(problem).sample(60, replace=True, random_state=seed).reset_index(drop=True)
    if problem == "binary":
        outcomes["probability"] = random.random(60).round(1)
    metrics = problems.of(found).measure(outcomes, found)
    rows = {row.name: row for row in figures.of_run(metrics, {}, outcomes, found, {})}
    assert set(rows) == set(metrics)
    for name, row in rows.items():
        assert row.low is not None and row.low <= row.value <= row.high, name


def test_an_interval_is_that_of_a_loop_over_draws():
    found, outcomes = contract("binary"), runs.outcomes("binary")
    random = np.random.default_rng(5)
    area = problems.of(found).metric("roc_auc")
    values = [area.measure(outcomes.iloc[random.integers(0, 80, 80)], found) for _ in range(300)]
    metrics = {"roc_auc": area.measure(outcomes, found)}
    row = figures.of_run(metrics, {}, outcomes, found, {})[0]
    assert (row.low, row.high) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.03)


def test_a_metric_of_the_team_has_no_interval_and_no_meaning():
    found, outcomes = contract("binary"), runs.outcomes("binary")
    rows = figures.of_run({"accuracy": 0.99, "own": 3.0}, {"own": 2.0}, outcomes, found, {})
    assert [row.low for row in rows] == [None, None]
    assert (rows[1].title, rows[1].meaning, rows[1].baseline) == ("own", "", 2.0)


def test_few_records_have_no_interval():
    found, outcomes = contract("binary"), runs.outcomes("binary").head(9)
    assert intervals.intervals(outcomes, {"accuracy": 1.0}, intervals.of_binary(outcomes, "left", {})) == {}
    assert figures.of_run({"accuracy": 1.0}, {}, None, found, {})[0].low is None


def test_many_records_take_fewer_draws():
    assert sum(len(part) for part in intervals._draws(100_000, 20, 1)) == 20
    assert all((part.sum(axis=1) == 7).all() for part in intervals._draws(7, 1000, 1))


def test_the_comparison_has_a_baseline_if_one_was_measured():
    rows = evaluate.compare({"rmse": 2.0, "own": 1.0}, {"rmse": 3.0}, {"rmse": 5.0})
    assert rows[0] == {"metric": "rmse", "new": 2.0, "baseline": 5.0, "served": 3.0, "change": -1.0}
    assert rows[1] == {"metric": "own", "new": 1.0, "baseline": None, "served": None, "change": None}
    assert evaluate.table(rows).splitlines()[0].split() == ["metric", "new", "baseline", "served", "change"]
    assert evaluate.table(evaluate.compare({"rmse": 2.0}, {}, {})).splitlines()[1].split() == [
        "rmse",
        "2.0000",
        "-",
        "-",
    ]


def test_a_candidate_without_the_metric_that_decides_is_named():
    assert evaluate.score({"rmse": 1}, "rmse", "a.json") == 1.0
    with pytest.raises(SystemExit, match=r"evaluate: a\.json has no rmse\n  fix: "):
        evaluate.score({"mae": 1}, "rmse", "a.json")
