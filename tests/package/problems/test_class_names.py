"""A class has one name in the model, in predictions and in the report."""

import numpy as np
import pandas as pd
import pytest

from copier_mlops import problems
from copier_mlops.contract import Contract
from tests.package.problems.made import BINARY, NUMBER, SEVERAL, contract_of


def test_a_label_is_the_name_of_a_class_and_else_its_value():
    contract = contract_of(BINARY)
    assert problems.class_names(contract) == ["good", "bad"]
    assert problems.positive_name(contract) == "bad"
    assert [problems.class_name(contract, value) for value in (1, np.int64(2), 2.0)] == ["good", "bad", "bad"]
    assert problems.class_names(contract_of(SEVERAL)) == ["low", "middle", "high"]


def test_true_and_false_are_names_too():
    fields = [{"name": "x", "type": "number"}, {"name": "y", "type": "boolean"}]
    contract = Contract.model_validate(
        {"learning": {"target": "y", "problem": "binary", "positive": True}, "fields": fields}
    )
    assert problems.class_names(contract) == ["False", "True"]
    assert problems.positive_name(contract) == "True"
    assert problems.targets(pd.DataFrame({"y": [True, False]}), contract).tolist() == ["True", "False"]


def test_a_label_that_two_classes_share_is_not_a_name():
    same = {"type": "integer", "categories": [{"value": 1, "label": "a"}, {"value": 2, "label": "a"}]}
    contract = contract_of(BINARY)
    fields = [contract.fields[0].model_dump(by_alias=True, exclude_unset=True), {"name": "y"} | same]
    changed = Contract.model_validate({"learning": contract.learning.model_dump(exclude_unset=True), "fields": fields})
    assert problems.class_names(changed) == ["1", "2"]


@pytest.mark.parametrize("values", [[1, 2, 1], np.array([1.0, 2.0, 1.0]), pd.array([1, 2, 1], dtype="Int64")])
def test_a_model_learns_the_names_of_classes(values):
    found = problems.targets(pd.DataFrame({"y": values}, index=[7, 3, 5]), contract_of(BINARY))
    assert (found.tolist(), found.dtype, found.index.tolist()) == (["good", "bad", "good"], object, [7, 3, 5])


def test_a_regression_learns_floats():
    found = problems.targets(pd.DataFrame({"y": [1, 2]}), contract_of(NUMBER))
    assert (found.tolist(), found.dtype) == ([1.0, 2.0], "float64")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"x": [1]}, "the records have no column 'y', the target\n  fix: "),
        ({"y": [1, None, None]}, "the target 'y' has no value in 2 of 3 records\n  fix: "),
        ({"y": [1, 3]}, "3 is not a class of 'y'\n  fix: one of 1, 2, or add it to categories"),
    ],
)
def test_records_without_a_class_are_refused_in_one_sentence(table, said):
    with pytest.raises(ValueError) as refused:
        problems.targets(pd.DataFrame(table), contract_of(BINARY))
    assert str(refused.value).startswith(said)
