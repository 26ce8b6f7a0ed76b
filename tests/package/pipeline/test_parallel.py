"""Stages side by side: a real DVC runs them, and leaves what it leaves when it runs them in sequence."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.package.pipeline.conftest import Pipeline, start, step

DIAMOND = {
    "first": step("first", "source.txt"),
    "each": {
        "matrix": {"letter": ["b", "a"]},
        "cmd": "python step.py ${item.letter} 0.6 ${item.letter}.txt first.txt",
        "deps": ["first.txt"],
        "params": ["depth_${item.letter}"],
        "outs": ["${item.letter}.txt"],
    },
    "last": step("last", "a.txt", "b.txt", outs="last/one.txt,last/two.txt") | {"outs": ["last"]},
    "measure": step("measure", "a.txt", outs="measure.json")
    | {"outs": [], "metrics": [{"measure.json": {"cache": False}}]},
    "lone": step("lone"),
    "below": {
        "wdir": "below",
        "cmd": "python ../step.py below 0 below.txt ../first.txt",
        "deps": ["../first.txt"],
        "outs": ["below.txt"],
    },
}
PARAMETERS = "depth_a: 1\ndepth_b: 1\n"


def fill(pipeline: Pipeline) -> Pipeline:
    """Write the diamond with its source, which DVC tracks."""
    (pipeline.path / "below").mkdir()
    pipeline.write(DIAMOND, source_txt="source", params_yaml=PARAMETERS)
    pipeline.dvc("add", "source.txt")
    return pipeline


def overlap(pipeline: Pipeline, one: str, other: str) -> bool:
    """Whether two stages ran at the same time."""
    (began, ended), (other_began, other_ended) = pipeline.runs(one)[-1], pipeline.runs(other)[-1]
    return began < other_ended and other_began < ended


def test_the_lock_is_that_of_a_run_in_sequence(pipeline, tmp_path):
    fill(pipeline)
    printed = pipeline.run()
    assert overlap(pipeline, "a", "b")
    twin = fill(start(tmp_path / "twin"))
    twin.run(jobs=1)
    assert pipeline.text("dvc.lock") == twin.text("dvc.lock")
    assert pipeline.text("last/two.txt") == twin.text("last/two.txt")
    assert "\neach@a | a has read ['first.txt']\n" in printed
    assert (pipeline.path / "build" / "logs" / "each@a.log").read_text() == "a has read ['first.txt']\n"
    assert "7 of 7 stages ran, in " in printed


def test_what_has_not_changed_does_not_run_again(pipeline):
    fill(pipeline).run()
    assert "Data and pipelines are up to date." in pipeline.run()
    (pipeline.path / "params.yaml").write_text(PARAMETERS.replace("depth_a: 1", "depth_a: 2"), encoding="utf-8")
    pipeline.run()
    runs = {name: len(pipeline.runs(name)) for name in ("first", "a", "b", "lone", "below/below", "last")}
    assert runs == {"first": 1, "a": 2, "b": 1, "lone": 1, "below/below": 1, "last": 1}
    (pipeline.path / "last" / "one.txt").unlink()
    assert "Stage 'last' is cached" in pipeline.run()
    pipeline.run("--force")
    assert len(pipeline.runs("b")) == 2
    pipeline.run("--force", "measure")
    assert [len(pipeline.runs(name)) for name in ("a", "measure", "b", "last")] == [4, 3, 2, 2]


def test_missing_results_come_from_the_remote(pipeline, tmp_path):
    fill(pipeline).run()
    pipeline.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    pipeline.dvc("push", "--run-cache")
    clone = start(tmp_path / "clone")
    (clone.path / "below").mkdir()
    for name in ("dvc.yaml", "dvc.lock", "params.yaml", "source.txt.dvc", ".dvc/config"):
        (clone.path / name).write_bytes((pipeline.path / name).read_bytes())
    clone.run("--pull", jobs=3)
    assert clone.text("last/two.txt") == pipeline.text("last/two.txt")
    assert clone.text("dvc.lock") == pipeline.text("dvc.lock")
    assert not clone.runs("a")
    (clone.path / "params.yaml").write_text(PARAMETERS.replace("depth_b: 1", "depth_b: 2"), encoding="utf-8")
    clone.run("--pull", jobs=3)
    assert (len(clone.runs("a")), len(clone.runs("b"))) == (0, 1)


def test_a_failure_stops_what_needs_it_and_keeps_what_ran_beside_it(pipeline):
    failing = step("bad") | {"cmd": "python -c \"print('before'); raise SystemExit(3)\""}
    pipeline.write(
        {
            "bad": failing,
            "good": step("good", seconds=0.5),
            "after_bad": step("after_bad", "bad.txt"),
            "after_good": step("after_good", "good.txt"),
        }
    )
    printed = pipeline.run(fails=True)
    assert "ERROR: failed to reproduce 'bad': failed to run: python -c" in printed
    assert "(its output: build/logs/bad.log), exited with 3" in printed
    assert "bad | before" in printed
    assert yaml.safe_load(pipeline.text("dvc.lock"))["stages"].keys() == {"good"}
    assert not pipeline.runs("after_good")

    printed = pipeline.run("--keep-going", fails=True)
    assert "Stage 'after_bad' will be skipped due to this failure" in printed
    assert len(pipeline.runs("good")) == len(pipeline.runs("after_good")) == 1

    pipeline.write({"bad": step("bad"), "good": step("good", seconds=0.5), "after_bad": step("after_bad", "bad.txt")})
    pipeline.run()
    assert len(pipeline.runs("good")) == len(pipeline.runs("after_bad")) == 1


def test_a_frozen_stage_keeps_its_result(pipeline):
    fill(pipeline).run()
    pipeline.dvc("freeze", "first")
    (pipeline.path / "source.txt").write_text("newer", encoding="utf-8")
    pipeline.dvc("add", "source.txt")
    printed = pipeline.run()
    assert len(pipeline.runs("first")) == 1 and "frozen" in printed


def test_no_more_stages_run_at_once_than_were_asked_for(pipeline):
    stages = {f"stage{number}": step(f"stage{number}", seconds=0.3) for number in range(5)}
    pipeline.write(stages)
    pipeline.run(jobs=2)
    spans = [span for name in stages for span in pipeline.runs(name)]
    most = max(sum(began <= moment < ended for began, ended in spans) for moment, _ in spans)
    assert most == 2


def test_a_chain_is_run_by_dvc_itself(pipeline):
    pipeline.write({"one": step("one"), "two": step("two", "one.txt")})
    printed = pipeline.run(jobs=4)
    assert "\none has read []\n" in printed and " | " not in printed
    assert not (pipeline.path / "build" / "logs").exists()


def test_each_stage_gets_its_share_of_the_cores(pipeline, monkeypatch):
    show = "import os; print(os.environ.get('OMP_NUM_THREADS'))"
    pipeline.write(
        {name: {"cmd": f'python -c "{show}"', "always_changed": True} for name in ("one", "two")}
        | {"own": {"cmd": f'python -c "{show}"', "always_changed": True}}
    )
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    many = (
        "from copier_mlops.pipeline import dvc_cli, parallel\n"
        "parallel.cores = lambda: 8\n"
        "raise SystemExit(dvc_cli.run(['repro'], 2))"
    )
    done = subprocess.run([sys.executable, "-c", many], cwd=pipeline.path, capture_output=True, text=True, check=True)
    assert "one | 4" in done.stdout and "two | 4" in done.stdout
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "one | 3" in pipeline.run()


def test_a_dvc_that_has_changed_runs_one_stage_after_the_other(pipeline):
    pipeline.write({"one": step("one"), "two": step("two")})
    code = "import dvc.stage.run as run, runpy, sys; del run._run; sys.argv[1:] = ['--side-by-side=2', 'repro']\n"
    code += "runpy.run_module('copier_mlops.pipeline.dvc_cli', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=pipeline.path, capture_output=True, text=True, check=False)
    assert "train: stages run one after the other, since this version of DVC is not known: " in done.stdout


def test_logs_that_cannot_be_written_are_on_the_screen(pipeline):
    (pipeline.path / "build").write_text("a file", encoding="utf-8")
    pipeline.write({"one": step("one"), "two": step("two")})
    assert "one | one has read []" in pipeline.run()


@pytest.mark.skipif(os.name == "nt", reason="a terminal of Windows sends Ctrl-C in another way")
def test_after_an_interrupt_what_ran_to_its_end_is_kept(pipeline):
    pipeline.write(
        {"quick": step("quick"), "slow": step("slow", seconds=30), "after": step("after", "quick.txt", seconds=30)}
    )
    with subprocess.Popen(pipeline.command(3), cwd=pipeline.path, start_new_session=True) as process:
        for _ in range(200):
            time.sleep(0.1)
            if pipeline.runs("quick") and "quick" in (
                pipeline.text("dvc.lock") if (pipeline.path / "dvc.lock").exists() else ""
            ):
                break
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) != 0
    assert not pipeline.runs("slow")
    pipeline.write({"quick": step("quick"), "slow": step("slow"), "after": step("after", "quick.txt")})
    pipeline.run()
    assert [len(pipeline.runs(name)) for name in ("quick", "slow", "after")] == [1, 1, 1]


@st.composite
def graphs(draw) -> dict[str, list[str]]:
    """Stages by name, each with those of the earlier ones whose files it reads."""
    names = [f"s{number}" for number in range(draw(st.integers(2, 7)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }


@given(graph=graphs(), jobs=st.integers(2, 4), order=st.randoms(use_true_random=False))
@settings(max_examples=4)
def test_any_graph_gives_the_lock_of_a_run_in_sequence(pipeline, tmp_path_factory, graph, jobs, order):
    folder = tmp_path_factory.mktemp("graphs")
    names = list(graph)
    order.shuffle(names)
    stages = {name: step(name, *(f"{each}.txt" for each in graph[name])) for name in names}
    found = []
    for name, number in (("beside", jobs), ("sequence", 1)):
        made = start(folder / name)
        made.write(stages)
        made.run(jobs=number)
        found.append(made)
    beside, sequence = found
    assert beside.text("dvc.lock") == sequence.text("dvc.lock")
    for name, needed in graph.items():
        (began, _) = beside.runs(name)[0]
        assert all(beside.runs(each)[0][1] <= began for each in needed)
