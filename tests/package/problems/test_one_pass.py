"""Predictions of each kind of problem come from one pass through the model."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.svm import LinearSVC

from copier_mlops import problems
from tests.package.problems.made import BINARY, NUMBER, SEVERAL, contract_of


class Fake:
    """A model that counts its passes, and answers with the probabilities that it is given."""

    def __init__(self, classes, chances):
        self.classes_, self.chances, self.passes, self.columns = classes, np.array(chances), 0, None

    def predict_proba(self, records):
        self.passes, self.columns = self.passes + 1, list(records.columns)
        return self.chances


TWO = pd.DataFrame({"other": [0, 0], "x": [1.0, 2.0]}, index=["b", "a"])


def test_a_binary_prediction_has_the_probability_of_the_positive_class():
    model = Fake(["bad", "good"], [[0.5, 0.5], [0.3, 0.7]])
    found = problems.predict(model, TWO, contract_of(BINARY))
    assert found.to_dict("list") == {"label": ["bad", "good"], "probability": [0.5, 0.3]}
    assert (found.index.tolist(), found["label"].dtype) == (["b", "a"], object)
    assert (model.passes, model.columns) == (1, ["x"])


@pytest.mark.parametrize(("threshold", "labels"), [(0.31, ["bad", "good"]), (0.3, ["bad", "bad"])])
def test_the_threshold_of_a_model_counts(threshold, labels):
    model = Fake(["bad", "good"], [[0.5, 0.5], [0.3, 0.7]])
    model.threshold = threshold
    assert problems.predict(model, TWO, contract_of(BINARY))["label"].tolist() == labels


def test_labels_are_those_of_scikit_learn():
    made = np.random.default_rng(0)
    table = pd.DataFrame({"x": made.normal(size=80)})
    table["y"] = np.where(table["x"] + made.normal(size=80) > 0, 2, 1)
    contract = contract_of(BINARY)
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label="bad", response_method="auto")
    model.fit(table[["x"]], problems.targets(table, contract))
    assert problems.predict(model, table, contract)["label"].tolist() == model.predict(table[["x"]]).tolist()


def test_a_multiclass_prediction_has_all_probabilities_in_the_order_of_the_contract():
    model = Fake(["high", "low", "middle"], [[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    found = problems.predict(model, TWO, contract_of(SEVERAL))
    assert found.to_dict("list") == {
        "label": ["low", "high"],
        "probability": [0.5, 0.6],
        "probability_low": [0.5, 0.3],
        "probability_middle": [0.3, 0.1],
        "probability_high": [0.2, 0.6],
    }
    assert model.passes == 1


def test_a_class_that_a_model_has_not_seen_has_the_probability_0():
    found = problems.predict(Fake(["low", "middle"], [[0.4, 0.6], [0.7, 0.3]]), TWO, contract_of(SEVERAL))
    assert found["label"].tolist() == ["middle", "low"] and found["probability_high"].tolist() == [0, 0]
    assert problems.predict(Fake(["good"], [[1], [1]]), TWO, contract_of(BINARY))["probability"].tolist() == [0, 0]


def test_a_regression_has_numbers():
    model = Ridge().fit(TWO[["x"]], [[1], [2]])
    found = problems.predict(model, TWO, contract_of(NUMBER))
    assert (list(found), found["prediction"].dtype, found.index.tolist()) == (["prediction"], "float64", ["b", "a"])


@pytest.mark.parametrize("target", [BINARY, SEVERAL, NUMBER])
def test_no_records_give_no_predictions(target):
    contract = contract_of(target)
    model = Fake(problems.class_names(contract), [])
    found = problems.predict(model, TWO.head(0), contract)
    assert len(found) == 0 and len(found.columns) > 0 and model.passes == 0
    assert problems.of(contract).measure(found.assign(actual=[]), contract) == {}


def test_a_model_that_does_not_fit_is_refused_in_one_sentence():
    contract = contract_of(BINARY, {"name": "x", "type": "number"}, {"name": "z", "type": "number"})
    with pytest.raises(ValueError, match=r"^columns missing: z$"):
        problems.predict(Fake(["good", "bad"], []), TWO, contract)
    with pytest.raises(
        ValueError, match=r"^the model knows the classes 1, 2, and the contract good, bad\n  fix: fit it"
    ):
        problems.predict(Fake([1, 2], []), TWO, contract_of(BINARY))
    with pytest.raises(ValueError, match=r"^LinearSVC gives no probabilities\n  fix: wrap it"):
        problems.predict(LinearSVC(), TWO, contract_of(BINARY))
