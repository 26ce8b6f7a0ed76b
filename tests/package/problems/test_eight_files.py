"""Files as teams bring them are learned, saved, loaded and measured without a line of code for any of them."""

import math
import warnings

import pytest

from copier_mlops import model_file, problems, splits
from tests.package.problems.made import TARGETS, case, models, names

# Without signal: these models do not beat the shares of the classes on so few records.
NO_SIGNAL = {("02_churn_bom.csv", "boosting")}


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_is_learned_saved_and_measured(tmp_path, name):
    contract, table = case(name)
    problem = problems.of(contract)
    train, test = splits.hold_out(table, contract, 0.25, seed=0)
    known = problems.targets(train, contract)
    dummy = problems.baseline(contract).fit(train[names(contract)], known)
    least = problems.scores(dummy, test, contract)
    assert least.keys() <= {metric.name for metric in problem.metrics}
    for kind, model in models(contract).items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(train[names(contract)], known)
        model_file.save(model, tmp_path / f"{kind}.skops")
        loaded = model_file.load(tmp_path / f"{kind}.skops")
        outcomes = problems.outcomes(loaded, test, contract)
        assert outcomes.equals(problems.outcomes(model, test, contract))
        found = problem.measure(outcomes, contract)
        assert problem.gate in found and all(map(math.isfinite, found.values()))
        for curve in problem.curves:
            points = curve.points(outcomes, contract)
            assert {curve.x, curve.y} <= set(points.columns) and 0 < len(points) <= 2_000
            assert points.notna().all(axis=None)
        if (name, kind) not in NO_SIGNAL:
            assert problem.metric().gain(found[problem.gate], least[problem.gate]) > 0


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_is_cross_validated(name):
    contract, table = case(name)
    model = problems.baseline(contract)
    for train, test in splits.folds(table, contract, 3, seed=0):
        model.fit(table.iloc[train][names(contract)], problems.targets(table.iloc[train], contract))
        assert problems.scores(model, table.iloc[test], contract)
