"""The trials of a search in Optuna's own storage: a file of SQLite in `build/tune/NAME`, which outlives the process."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from copier_mlops.tuning import TuneError
from copier_mlops.tuning.parameters import Value
from copier_mlops.tuning.space import Parameter, Search

FILE = "study.db"
PRINT = "fingerprint"
# Attributes of a trial: the numbers of its metrics file, the stages that ran, and the trial whose result it has.
METRICS, RAN, SAME = "metrics", "ran", "same_as"


def distribution(parameter: Parameter, own: Value) -> BaseDistribution:
    """Return the values that a parameter may have, in Optuna's words.

    Raises:
        ValueError: Optuna refuses them, for example a step that is longer than the range.
    """
    if parameter.choices is not None:
        return CategoricalDistribution(parameter.choices)
    low, high, step = parameter.low or 0, parameter.high or 0, parameter.step
    if isinstance(own, int):
        return IntDistribution(int(low), int(high), parameter.log, int(step or 1))
    return FloatDistribution(low, high, parameter.log, step)


class Study:
    """A search that can go on after its process has ended."""

    def __init__(
        self, folder: Path, search: Search, space: Mapping[str, Parameter], own: Mapping[str, Value], mark: str
    ) -> None:
        """Open a search, or begin one.

        Args:
            folder: Where its files are, for example `build/tune/leaf`.
            search: What it searches.
            space: The values that each parameter may have.
            own: The values that the parameters have now, which are the first trial.
            mark: What tells apart searches whose results cannot be compared.

        Raises:
            TuneError: The folder has a search of something else, or cannot be read.
        """
        self.folder, self.search, self.own = folder, search, dict(own)
        self.space = {key: distribution(each, own[key]) for key, each in space.items()}
        quiet()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # One name in each file, whatever that of the folder.
            self.study = optuna.create_study(
                storage=f"sqlite:///{(folder / FILE).as_posix()}",
                study_name="search",
                direction="maximize" if search.metric.direction == "higher" else "minimize",
                load_if_exists=True,
            )
            known = self.study.user_attrs.get(PRINT)
        except Exception as error:  # of SQLAlchemy, SQLite or Optuna
            reason = " ".join(str(error).split())
            raise TuneError(
                f"{folder / FILE} cannot be read: {reason:.200}\n  fix: uv run poe tune --name OTHER"
            ) from None
        if known not in (None, mark):
            raise TuneError(
                f"the search {folder.name} is about another metric, other parameters, code or data than yours now\n"
                "  fix: leave out --name, or give another one"
            )
        if known is None:
            self.study.set_user_attr(PRINT, mark)
            if self._contains(self.own):
                self.study.enqueue_trial(self.own)
        self.left = self._left()

    def _contains(self, values: Mapping[str, Value]) -> bool:
        try:
            optuna.trial.create_trial(params=dict(values), distributions=self.space, value=0.0)
        except ValueError:
            return False
        return True

    def _left(self) -> list[FrozenTrial]:
        """Return the trials that a search which was ended had begun, and let those that failed be tried again."""
        found = self.study.get_trials(deepcopy=False)
        ready = {_key(each.params) for each in found if each.state in (TrialState.COMPLETE, TrialState.RUNNING)}
        for each in found:
            is_whole = each.state == TrialState.FAIL and each.params.keys() == self.space.keys()
            if is_whole and _key(each.params) not in ready:
                ready.add(_key(each.params))
                self.study.enqueue_trial(each.params)
        begun = [each for each in found if each.state == TrialState.RUNNING]
        for each in begun:
            if each.params.keys() != self.space.keys():
                self.study.tell(each.number, state=TrialState.FAIL)
        return [each for each in begun if each.params.keys() == self.space.keys()]

    def next(self, jobs: int) -> tuple[int, dict[str, Value]]:
        """Return the number and the values of the next trial: one that was begun, or a new one."""
        if self.left:
            trial = self.left.pop(0)
            return trial.number, dict(trial.params)
        number = len(self.study.get_trials(deepcopy=False))
        # From the number of the trial, so that a search which goes on tries what it would have tried anyway.
        seed = int.from_bytes(hashlib.sha256(f"{self.search.seed} {number}".encode()).digest()[:4], "big")
        with warnings.catch_warnings(action="ignore"):
            self.study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=jobs > 1)
            asked = self.study.ask(self.space)
        return asked.number, dict(asked.params)

    def twin(self, number: int, values: Mapping[str, Value]) -> FrozenTrial | None:
        """Return a trial that has ended with the same values."""
        found = (each for each in self.ended() if each.number != number and _key(each.params) == _key(values))
        return next(found, None)

    def note(self, number: int, result: Mapping[str, Any] | None, same: int | None = None) -> None:
        """Note the result of a trial; without one, or with a value that is not finite, it has failed."""
        if result is None or not math.isfinite(result["value"]):
            self.study.tell(number, state=TrialState.FAIL)
            return
        attributes = {METRICS: result[METRICS], RAN: result[RAN]} | ({} if same is None else {SAME: same})
        trial = optuna.trial.Trial(self.study, self.study.get_trials(deepcopy=False)[number]._trial_id)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        self.study.tell(number, result["value"])

    def ended(self) -> list[FrozenTrial]:
        """Return the trials that have a result."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def all(self) -> list[FrozenTrial]:
        """Return all trials that have ended, with those that failed."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))

    def ranked(self) -> list[FrozenTrial]:
        """Return the trials that have a result, the best first, each set of values once; of equals, the first."""
        sign = -1 if self.search.metric.direction == "higher" else 1
        found: dict[str, FrozenTrial] = {}
        for each in sorted(self.ended(), key=lambda trial: (sign * (trial.value or 0.0), trial.number)):
            found.setdefault(_key(each.params), each)
        return list(found.values())

    def importances(self) -> dict[str, float]:
        """Return how much of the metric each parameter explains, from 0 to 1; nothing if too few trials say."""
        trials = self.ranked()
        if len(self.space) < 2 or len(trials) < 10 or trials[0].value == trials[-1].value:
            return {}
        with warnings.catch_warnings(action="ignore"):
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            return dict(optuna.importance.get_param_importances(self.study, evaluator=evaluator))


def quiet() -> None:
    """Let Optuna say nothing: `poe tune` prints each trial itself."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _key(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
