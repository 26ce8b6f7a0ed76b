"""The file that says what `poe tune` searches: a metric, and the parameters that may change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from copier_mlops.pipeline import dag
from copier_mlops.project import CONFIGURATION
from copier_mlops.tuning import TuneError

FILE = CONFIGURATION / "search.yaml"
PLACE = FILE.as_posix()
Number = StrictInt | StrictFloat


class Metric(BaseModel):
    """The figure that a search improves.

    Attributes:
        file: A metrics file of the pipeline, for example `metrics/candidates/linear.json`.
        name: A number in it, with dots if it is inside others, for example `roc_auc`.
        direction: Which value is better.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    direction: Literal["higher", "lower"]


class Parameter(BaseModel):
    """The values that a parameter may have: a range, or choices.

    Attributes:
        low, high: The bounds, both of which may be chosen.
        log: Whether small values are tried as often as large ones, for example for 0.001 to 1.
        step: The distance between two values, for example 5.
        choices: The values themselves, for example `[relu, tanh]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: Number | None = None
    high: Number | None = None
    log: StrictBool = False
    step: Annotated[Number, Field(gt=0)] | None = None
    choices: Annotated[list[StrictBool | StrictInt | StrictFloat | StrictStr], Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.choices is not None:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("has choices, so low, high, step and log say nothing")
            return self
        if self.low is None or self.high is None:
            raise ValueError("needs low and high, or choices")
        if self.low >= self.high:
            raise ValueError(f"has low {self.low:g}, which is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"has log, so low must be above 0, and is {self.low:g}")
        if self.log and self.step:
            raise ValueError("has both log and step, of which only one can be")
        return self


class Search(BaseModel):
    """The content of the file.

    Attributes:
        metric: The figure that it improves.
        parameters: The values of parameters by their keys in params.yaml, for example `train.leaf`.
        trials: How many sets of values are tried.
        seed: The same seed gives the same trials.
        timeout: The time after which no trial starts, for example `90m`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Metric
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]
    trials: Annotated[StrictInt, Field(ge=1)] = 20
    seed: Annotated[StrictInt, Field(ge=0)] = 0
    timeout: dag.Time | None = None

    @property
    def seconds(self) -> float | None:
        """The timeout in seconds."""
        return dag.seconds(self.timeout) if self.timeout else None


def read(root: Path) -> Search:
    """Return what the file of a project says.

    Raises:
        TuneError: It is not here, or says something that is not known; the text names it.
    """
    try:
        found = yaml.safe_load((root / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TuneError(
            f"{PLACE} is not here, which says what to search\n"
            "  fix: uv run poe tune --new STAGE KEY, for example: "
            "uv run poe tune --new train@gradient_boosting train.learning_rate train.leaf"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise TuneError(f"{PLACE} cannot be read: {reason:.200}\n  fix: correct it") from None
    try:
        return Search.model_validate(found)
    except ValidationError as error:
        raise TuneError(_sentence(error.errors()[0])) from None


def _sentence(fault: Any) -> str:
    """Return a fault of the file in a sentence."""
    # The names of the members of a union are no keys of the file.
    keys = [str(each) for each in fault["loc"] if not str(each).startswith(("int", "float", "str", "bool"))]
    where, kind = ".".join(keys), fault["type"]
    place = f"{PLACE}: {where}" if where else PLACE
    if kind == "missing":
        return f"{place} is missing\n  fix: add it, for example: {EXAMPLES.get(keys[-1], keys[-1])}"
    if kind == "extra_forbidden":
        return f"{place} is not known\n  fix: delete it, or correct its name"
    if kind == "value_error":
        return f"{place} {fault['ctx']['error']}\n  fix: for example: {EXAMPLES['parameter']}"
    said = fault["msg"][0].lower() + fault["msg"][1:]
    example = EXAMPLES.get(keys[-1] if keys else "", EXAMPLES["parameter"])
    return f"{place} is {fault['input']!r:.60}: {said}\n  fix: for example: {example}"


EXAMPLES = {
    "metric": "metric: {file: metrics/candidates/linear.json, name: roc_auc, direction: higher}",
    "file": "file: metrics/candidates/linear.json",
    "name": "name: roc_auc",
    "direction": "direction: higher",
    "parameters": "parameters: {train.leaf: {low: 5, high: 80}}",
    "parameter": "train.leaf: {low: 5, high: 80}",
    "choices": "choices: [relu, tanh]",
    "trials": "trials: 20",
    "seed": "seed: 42",
    "timeout": "timeout: 90m",
}
