"""The pipeline as data: what DVC reads, with names and resources that an engine can use."""

import re
from itertools import pairwise

import pytest
from dvc.repo import Repo
from hypothesis import given, settings
from hypothesis import strategies as st

from copier_mlops.pipeline.dag import MOST_SLUG, DagError, find, read, slug
from tests.package.pipeline.conftest import start, step


def nodes(pipeline, stages: dict, **files: str) -> list:
    pipeline.write(stages, **files)
    return read(Repo(str(pipeline.path)))


def refusal(pipeline, stages: dict) -> str:
    with pytest.raises(DagError) as refused:
        nodes(pipeline, stages)
    said = str(refused.value)
    assert "\n  fix: " in said
    return said


def test_loops_and_variables_are_expanded_and_needs_named(pipeline):
    each = {
        "foreach": {"small": "1Gi", "big": "16Gi"},
        "do": {
            "cmd": "python step.py ${key} 0 ${key}.txt first.txt",
            "deps": ["first.txt"],
            "outs": ["${key}.txt"],
            "meta": {"execution": {"memory": "${item}", "cpu": 0.5, "timeout": "90m", "retries": 2}},
        },
    }
    found = nodes(pipeline, {"last": step("last", "small.txt", "big.txt"), "each": each, "first": step("first")})
    by_name = {node.name: node for node in found}
    assert {name: node.needs for name, node in by_name.items()} == {
        "first": (),
        "each@small": ("first",),
        "each@big": ("first",),
        "last": ("each@big", "each@small"),
    }
    order = [node.name for node in found]
    assert all(order.index(need) < order.index(node.name) for node in found for need in node.needs)
    big = by_name["each@big"]
    assert (big.slug, big.resources.memory, big.resources.seconds, big.resources.retries) == (
        "each-big",
        "16Gi",
        5400,
        2,
    )
    assert by_name["first"].resources.seconds is None


def test_data_and_frozen_stages_need_no_machine(pipeline):
    stages = {"first": step("first", "source.txt", frozen=True), "next": step("next", "first.txt")}
    pipeline.write(stages, source_txt="source")
    pipeline.dvc("add", "source.txt")
    (found,) = nodes(pipeline, stages)
    assert (found.name, found.needs) == ("next", ())


def test_a_stage_is_found_by_name_and_by_slug(pipeline):
    found = nodes(pipeline, {"fit": {"matrix": {"kind": ["a b"]}, "cmd": "python step.py fit 0 fit.txt"}})
    assert find(found, "fit@a b") == find(found, "fit-a-b")
    with pytest.raises(DagError, match="has no stage 'nope'\n  fix: name one of its stages: fit@a b"):
        find(found, "nope")


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (step("one") | {"outs": [{"one.txt": {"persist": True}}]}, "the stage one keeps one.txt from its last run"),
        (step("one", "/etc/hostname"), "the stage one reads /etc/hostname, outside of the repository"),
        (step("one") | {"outs": ["../one.txt"]}, "the stage one writes "),
        (
            step("one", meta={"execution": {"ram": "4Gi"}}),
            "meta.execution.ram is not known: only cpu, memory, shared_memory, gpu, image",
        ),
        (step("one", meta={"execution": {"memory": "4 GB"}}), "meta.execution.memory is '4 GB': string should match"),
        (step("one", meta={"execution": {"cpu": 0}}), "meta.execution.cpu is 0: input should be greater than 0"),
        (step("one", meta={"execution": {"cpu": float("inf")}}), "meta.execution.cpu is inf: input should be a finite"),
        (step("one", meta={"execution": {"gpu": True}}), "meta.execution.gpu is True: "),
        (step("one", meta={"execution": {"timeout": "soon"}}), "meta.execution.timeout is 'soon': "),
        (step("one", meta={"execution": "big"}), "meta.execution is 'big', not a mapping"),
    ],
)
def test_what_cannot_run_apart_is_refused(pipeline, stage, said):
    assert said in refusal(pipeline, {"one": stage})


def test_a_name_that_dvc_takes_for_a_folder_is_refused(pipeline):
    pipeline.write({"a": {"matrix": {"x": ["\\b"]}, **step("a")}})
    with pytest.raises(DagError, match="has a backslash"):
        read(Repo(str(pipeline.path)))


def test_stages_that_engines_cannot_tell_apart_are_refused(pipeline):
    stages = {"fit": {"matrix": {"kind": ["a_b", "a-b"]}, "cmd": "python step.py x 0 ${item.kind}.txt"}}
    assert "fit@a_b and fit@a-b are both fit-a-b for an engine" in refusal(pipeline, stages)


def test_a_pipeline_below_the_root_is_refused(pipeline):
    below = pipeline.path / "sub"
    below.mkdir()
    (below / "dvc.yaml").write_text("stages: {inner: {cmd: python -V}}", encoding="utf-8")
    said = refusal(pipeline, {"one": step("one")})
    assert "sub/dvc.yaml has stages of its own" in said and "`wdir: sub`" in said


@given(names=st.lists(st.text(min_size=1, max_size=90), min_size=2, max_size=20, unique=True))
@settings(max_examples=100)
def test_slugs_are_names_that_engines_take(names):
    slugs = [slug(name) for name in names]
    assert all(re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", each) and len(each) <= MOST_SLUG for each in slugs)


def test_many_stages_are_read_in_their_order(tmp_path):
    pipeline = start(tmp_path / "many")
    chain = {f"s{number}": step(f"s{number}", *([f"s{number - 1}.txt"] if number else [])) for number in range(200)}
    found = nodes(pipeline, chain)
    assert all(node.needs == (before.name,) for before, node in pairwise(found))
