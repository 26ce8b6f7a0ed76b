"""Contracts and records that the tests of problems, features and splits share."""

from functools import cache

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from copier_mlops.contract import Contract
from copier_mlops.contract.cast import records
from copier_mlops.contract.files import open_source
from copier_mlops.contract.infer import Wishes, infer
from copier_mlops.features import encoder
from tests.package.contract.eight import CASES, TARGETS

BINARY = {"type": "integer", "categories": [{"value": 1, "label": "good"}, {"value": 2, "label": "bad"}]}
SEVERAL = {"type": "string", "categories": ["low", "middle", "high"]}
NUMBER = {"type": "number", "unit": "EUR"}


@cache
def case(name: str) -> tuple[Contract, pd.DataFrame]:
    """The inferred contract of a file that a team brought, and its records."""
    source = open_source(CASES / name)
    contract = infer(source, Wishes(TARGETS[name])).contract
    return contract, pd.concat(records(source, contract))


def contract_of(target: dict, *fields: dict, **learning) -> Contract:
    """A contract with a target `y` and fields; by default one number, `x`."""
    problem = "binary" if target == BINARY else "multiclass" if target == SEVERAL else "regression"
    positive = {"positive": 2} if target == BINARY else {}
    document = {
        "learning": {"target": "y", "problem": problem} | positive | learning,
        "fields": [*(fields or [{"name": "x", "type": "number"}]), {"name": "y"} | target],
    }
    return Contract.model_validate(document)


def names(contract: Contract) -> list[str]:
    return [field.name for field in contract.features]


def models(contract: Contract, rounds: int = 10) -> dict[str, object]:
    """A linear model and gradient boosting for a contract, not fitted."""
    is_regression = contract.learning.problem == "regression"
    linear = Ridge() if is_regression else LogisticRegression(max_iter=500)
    boosting = HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
    return {
        "linear": make_pipeline(encoder(contract, for_linear=True), linear),
        "boosting": make_pipeline(
            encoder(contract, for_linear=False), boosting(max_iter=rounds, min_samples_leaf=5, random_state=0)
        ),
    }
