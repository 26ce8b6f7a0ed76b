"""Metrics and curves are those of scikit-learn, and a class that does not occur breaks none of them."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from copier_mlops import problems
from tests.package.problems.made import BINARY, NUMBER, SEVERAL, contract_of

CONTRACTS = {
    name: contract_of(target) for name, target in (("binary", BINARY), ("multiclass", SEVERAL), ("regression", NUMBER))
}
CHANCES = st.floats(0, 1, width=16)
NUMBERS = st.floats(-1e6, 1e6)


@st.composite
def some_outcomes(draw: st.DrawFn, problem: str) -> pd.DataFrame:
    contract, number = CONTRACTS[problem], draw(st.integers(1, 12))

    def column(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=number, max_size=number))

    if problem == "regression":
        return pd.DataFrame({"prediction": column(NUMBERS), "actual": column(NUMBERS)})
    names = problems.class_names(contract)
    # Often, not all classes occur.
    actual = column(st.sampled_from(draw(st.lists(st.sampled_from(names), min_size=1))))
    chances = np.array(column(st.tuples(*[CHANCES] * len(names)))) + 1e-6
    chances /= chances.sum(axis=1, keepdims=True)
    labels = [names[place] for place in chances.argmax(axis=1)]
    outcomes = pd.DataFrame({"label": labels, "actual": actual, "probability": chances.max(axis=1)}).astype(
        {"label": object, "actual": object}
    )
    if problem == "binary":
        return outcomes.assign(probability=chances[:, 1])
    return outcomes.assign(**{f"probability_{name}": chances[:, place] for place, name in enumerate(names)})


@pytest.mark.parametrize("problem", CONTRACTS)
@given(data=st.data())
@settings(max_examples=25)
@pytest.mark.filterwarnings("error")
def test_all_figures_are_finite_whatever_occurs(problem, data):
    contract, outcomes = CONTRACTS[problem], data.draw(some_outcomes(problem))
    found = problems.of(contract).measure(outcomes, contract)
    assert found and all(type(value) is float and math.isfinite(value) for value in found.values())
    for curve in problems.of(contract).curves:
        points = curve.points(outcomes, contract)
        assert {curve.x, curve.y} <= set(points.columns) and points.notna().all(axis=None)


@given(outcomes=some_outcomes("binary"))
@settings(max_examples=25)
def test_binary_metrics_are_those_of_scikit_learn(outcomes):
    found = problems.PROBLEMS["binary"].measure(outcomes, CONTRACTS["binary"])
    actual, label, chance = outcomes["actual"] == "bad", outcomes["label"] == "bad", outcomes["probability"]
    expected = {
        "accuracy": metrics.accuracy_score(actual, label),
        "brier": metrics.brier_score_loss(actual, chance, pos_label=True),
        "log_loss": metrics.log_loss(actual, chance, labels=[False, True]),
    }
    if actual.any():
        expected["average_precision"] = metrics.average_precision_score(actual, chance)
        expected["recall"] = metrics.recall_score(actual, label)
        expected["f1"] = metrics.f1_score(actual, label)
    if label.any():
        expected["precision"] = metrics.precision_score(actual, label)
    if actual.any() and not actual.all():
        expected["roc_auc"] = metrics.roc_auc_score(actual, chance)
        expected["balanced_accuracy"] = metrics.balanced_accuracy_score(actual, label)
    else:
        found.pop("balanced_accuracy")
    assert found == pytest.approx(expected)


@given(outcomes=some_outcomes("multiclass"))
@settings(max_examples=25)
def test_multiclass_metrics_are_those_of_scikit_learn(outcomes):
    contract = CONTRACTS["multiclass"]
    names = problems.class_names(contract)
    found = problems.PROBLEMS["multiclass"].measure(outcomes, contract)
    actual, label = outcomes["actual"], outcomes["label"]
    chances = outcomes[[f"probability_{name}" for name in sorted(names)]]
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(actual, label))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(actual, chances, labels=sorted(names)))
    assert found["f1_macro"] == pytest.approx(metrics.f1_score(actual, label, average="macro", zero_division=0))
    if set(actual) == set(names):
        area = metrics.roc_auc_score(actual, chances, multi_class="ovr", average="macro", labels=sorted(names))
        assert found["roc_auc"] == pytest.approx(area)
        assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(actual, label))


@given(outcomes=some_outcomes("regression"))
@settings(max_examples=25)
@pytest.mark.filterwarnings("error")
def test_regression_metrics_are_those_of_scikit_learn(outcomes):
    found = problems.PROBLEMS["regression"].measure(outcomes, CONTRACTS["regression"])
    actual, prediction = outcomes["actual"], outcomes["prediction"]
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(actual, prediction))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(actual, prediction))
    assert found["median_absolute_error"] == pytest.approx(metrics.median_absolute_error(actual, prediction))
    if "r2" in found:
        assert found["r2"] == pytest.approx(metrics.r2_score(actual, prediction), rel=1e-4)


def test_an_error_in_percent_needs_values_other_than_zero():
    outcomes = pd.DataFrame({"actual": [1.0, 2.0], "prediction": [1.1, 1.8]})
    measure = problems.PROBLEMS["regression"].measure
    assert measure(outcomes, CONTRACTS["regression"])["mape"] == pytest.approx(0.1)
    assert "mape" not in measure(outcomes.assign(actual=[0.0, 2.0]), CONTRACTS["regression"])


def test_curves_of_many_records_have_2000_points_from_the_first_to_the_last():
    made = np.random.default_rng(0)
    outcomes = pd.DataFrame({"actual": made.normal(size=5_000), "prediction": made.normal(size=5_000)})
    for curve in problems.PROBLEMS["regression"].curves:
        points = curve.points(outcomes, CONTRACTS["regression"])
        assert len(points) == 2_000 and points[curve.x].is_monotonic_increasing
    shown = problems.PROBLEMS["regression"].curves[0].points(outcomes, CONTRACTS["regression"])["actual"]
    assert (shown.iloc[0], shown.iloc[-1]) == (outcomes["actual"].min(), outcomes["actual"].max())


def test_a_calibration_has_a_point_for_each_tenth():
    chances = np.linspace(0, 1, 1_000)
    outcomes = pd.DataFrame({"probability": chances, "actual": np.where(chances > 0.5, "bad", "good"), "label": "good"})
    points = next(each for each in problems.PROBLEMS["binary"].curves if each.name == "calibration").points(
        outcomes, CONTRACTS["binary"]
    )
    assert points["predicted"].tolist() == pytest.approx([0.05 + place / 10 for place in range(10)], abs=0.002)
    assert points["observed"].tolist() == [0.0] * 5 + [1.0] * 5


@pytest.mark.parametrize("problem", problems.PROBLEMS.values(), ids=lambda problem: problem.name)
def test_a_problem_explains_its_figures(problem):
    assert problem.metric() is problem.metric(problem.gate)
    assert all(metric.meaning.endswith(".") and len(metric.meaning.split()) <= 30 for metric in problem.metrics)
    with pytest.raises(ValueError, match=f"^'moon' is not a metric of {problem.name}\n  fix: one of "):
        problem.metric("moon")


def test_only_errors_of_a_regression_have_the_unit_of_the_target():
    contract = CONTRACTS["regression"]
    units = {metric.name: metric.unit_of(contract) for metric in problems.of(contract).metrics}
    assert units == {"rmse": "EUR", "mae": "EUR", "median_absolute_error": "EUR", "r2": "", "mape": ""}
    assert {metric.unit_of(CONTRACTS["binary"]) for metric in problems.PROBLEMS["binary"].metrics} == {""}
