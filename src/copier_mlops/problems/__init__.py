"""The kinds of problems: what a model learns, how its predictions are measured, and which curves show them.

Binary, multiclass and regression are entries of one registry, so that no stage of a pipeline asks which one it has. For
example, `problems.of(contract).measure(outcomes, contract)` gives the figures of any of them.
"""

from copier_mlops.problems.classes import class_name, class_names, positive_name, targets
from copier_mlops.problems.judging import baseline, importance, scores
from copier_mlops.problems.prediction import outcomes, predict
from copier_mlops.problems.problem import Curve, Metric, Problem
from copier_mlops.problems.registry import PROBLEMS, of
from copier_mlops.problems.threads import threads_for

__all__ = [
    "PROBLEMS",
    "Curve",
    "Metric",
    "Problem",
    "baseline",
    "class_name",
    "class_names",
    "importance",
    "of",
    "outcomes",
    "positive_name",
    "predict",
    "scores",
    "targets",
    "threads_for",
]
