"""What search.yaml may say, checked against params.yaml and the stages, and params.yaml with other values."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from copier_mlops.pipeline import PipelineError
from copier_mlops.tuning import parameters, space, target
from copier_mlops.tuning.ray_workers import asked
from tests.package.tuning.conftest import FILE, PARAMS, SEARCH

RATE = {"low": 0.1, "high": 1.0}


def metric(**changes: str) -> dict:
    return {"metric": SEARCH["metric"] | changes}


def searched(**keys: dict) -> dict:
    """A search of parameters by their keys, in which `_` stands for a dot."""
    return {"parameters": {key.replace("_", "."): each for key, each in keys.items()}}


FAULTS = {
    "a_stage_that_is_not_there": (metric(file="metrics/moon.json"), "metrics/moon.json, which no stage of dvc.yaml"),
    "a_metric_that_the_stage_does_not_write": (metric(name="cv.moon"), "name one of its numbers: cv.loss, records"),
    "a_text_as_a_metric": (metric(name="note"), "metric.name is note, which metrics/cv.json does not have"),
    "the_metric_of_the_gate": (metric(file="metrics/test.json"), "measures on the test records (metrics/test.json)"),
    "a_direction": (metric(direction="up"), "metric.direction is 'up': input should be 'higher' or 'lower'"),
    "a_key_that_is_not_there": (searched(train_rat=RATE), "has no train.rat; did you mean train.rate?"),
    "a_group": (searched(train=RATE), "train of params.yaml is not one value"),
    "a_list": (searched(layers=RATE), "layers of params.yaml is not one value"),
    "a_key_that_nothing_uses": (searched(seed={"low": 1, "high": 5}), "nor a stage before it uses seed"),
    "reversed_bounds": (searched(train_rate={"low": 1.0, "high": 0.1}), "train.rate has low 1, which is not below"),
    "a_number_for_a_whole_one": (
        searched(train_leaf={"low": 0.5, "high": 9}),
        "is 10 in params.yaml, which is a whole",
    ),
    "a_text_for_a_number": (searched(train_rate={"choices": ["a", "b"]}), "and choices[0] is 'a'"),
    "a_text_as_a_bound": (searched(train_rate={"low": "a", "high": 1}), "train.rate.low is 'a'"),
    "a_range_of_texts": (searched(train_kind={"low": 1, "high": 2}), "which is a text, and low is 1"),
    "one_bound": (searched(train_rate={"low": 1}), "train.rate needs low and high, or choices"),
    "one_choice": (searched(train_kind={"choices": ["plain"]}), "train.kind.choices is ['plain']"),
    "choices_and_a_range": (searched(train_leaf={"choices": [1, 2], "low": 1}), "has choices, so low, high, step"),
    "the_log_of_zero": (searched(train_rate={"low": 0, "high": 1, "log": True}), "so low must be above 0"),
    "log_and_step": (searched(train_leaf={"low": 1, "high": 9, "step": 2, "log": True}), "has both log and step"),
    "an_unknown_key": ({"trails": 3}, "search.yaml: trails is not known"),
    "no_parameters": ({"parameters": {}}, "search.yaml: parameters is {}"),
    "no_metric": ({"metric": None}, "search.yaml: metric is None"),
    "no_trials": ({"trials": 0}, "search.yaml: trials is 0"),
    "a_time_without_a_unit": ({"timeout": "90"}, "search.yaml: timeout is '90'"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The project, whose metrics are here; each fault is read in it."""
    from tests.package.tuning.conftest import make

    ours = make(tmp_path_factory.mktemp("space") / "ours")
    (ours.path / "metrics").mkdir()
    (ours.path / "metrics" / "cv.json").write_text(
        '{"cv": {"loss": 1}, "records": 3, "note": "good"}', encoding="utf-8"
    )
    return ours


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_file_is_named_with_its_fix(place, fault):
    changes, said = FAULTS[fault]
    place.search(**changes)
    with pytest.raises(PipelineError) as refused:
        target.find(place.path, space.read(place.path))
    assert said in str(refused.value)
    assert "\n  fix: " in str(refused.value)


def test_what_is_not_yaml_is_named(place):
    (place.path / FILE).write_text("metric: [", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"search.yaml cannot be read: .*\n  fix: "):
        space.read(place.path)


def test_whole_numbers_are_bounds_of_a_number(place):
    place.search(**searched(train_rate={"low": 1, "high": 3, "step": 1}, train_wide={"choices": [True, False]}))
    found = target.find(place.path, space.read(place.path))
    assert found.node.name == "score" and found.own == {"train.rate": 0.5, "train.wide": False}
    assert [type(each) for each in (found.space["train.rate"].low, found.space["train.rate"].step)] == [float, float]


def test_all_that_is_no_value_stays():
    new = {"train.rate": 1e-05, "train.leaf": 40, "train.kind": 'two "words"', "train.wide": True}
    after = parameters.with_values(PARAMS, new)
    changes = {"0.5 ": "1.0e-05 ", "leaf: 10": "leaf: 40", "plain": '"two \\"words\\""', "false": "true"}
    expected = PARAMS
    for old, written in changes.items():
        expected = expected.replace(old, written)
    assert after == expected
    assert yaml.safe_load(after)["train"]["rate"] == 1e-05, "YAML 1.1 reads the same"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_each_number_is_read_as_it_was_written(number):
    after = parameters.with_values("a: {b: 1.5, c: 2} # both\r\n", {"a.b": number})
    assert parameters.values(after) == {"a.b": number, "a.c": 2}
    assert yaml.safe_load(after) == {"a": {"b": number, "c": 2}}
    assert after.endswith(", c: 2} # both\r\n")


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x\n", "a: 1\n<<: {b: 2}\n"])
def test_a_value_that_stands_for_several_is_left_alone(text):
    with pytest.raises(PipelineError, match="cannot be changed by itself\n  fix: "):
        parameters.with_values(text, {"a": 3, "b": 4})


@pytest.mark.parametrize("text", ["- 1\n", "a: [\n", "a: 1\na: 2\n"])
def test_what_has_no_keys_is_refused(text):
    with pytest.raises(PipelineError, match=r"params.yaml .*\n  fix: "):
        parameters.values(text)


def test_a_trial_asks_ray_for_what_the_stage_says():
    from copier_mlops.pipeline.dag import Resources

    assert asked(Resources()) == {"num_cpus": 1, "num_gpus": 0}
    assert asked(Resources(cpu=0.5, gpu=1, memory="2Gi")) == {"num_cpus": 0.5, "num_gpus": 1, "memory": 2**31}
