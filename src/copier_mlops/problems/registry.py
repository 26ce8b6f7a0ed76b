"""The registry of problems: a new kind is one module and one entry here."""

from copier_mlops.contract import Contract
from copier_mlops.problems.binary import BINARY
from copier_mlops.problems.multiclass import MULTICLASS
from copier_mlops.problems.problem import Problem
from copier_mlops.problems.regression import REGRESSION

PROBLEMS: dict[str, Problem] = {each.name: each for each in (BINARY, MULTICLASS, REGRESSION)}


def of(contract: Contract) -> Problem:
    """Return the kind of problem that a contract has."""
    return PROBLEMS[contract.learning.problem]
