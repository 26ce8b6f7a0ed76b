"""Stages apart: each in a clean copy of its own, with the data remote as all that they share."""

import shutil

import pytest
import yaml
from dvc.repo import Repo

from copier_mlops.pipeline import PipelineError, fragments
from copier_mlops.pipeline.apart import collect, push_uncached, run_stage
from copier_mlops.pipeline.dag import read
from tests.package.pipeline.conftest import Pipeline, start, step
from tests.package.pipeline.test_parallel import PARAMETERS, fill

LOCAL = ("cache", "tmp", "*.txt", "*.span", "last")


@pytest.fixture
def stored(pipeline, tmp_path) -> Pipeline:
    """The diamond with a data remote that has its source."""
    fill(pipeline)
    pipeline.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    pipeline.dvc("push")
    return pipeline


@pytest.fixture
def two(pipeline, tmp_path) -> Pipeline:
    """Two stages, of which the second reads what the first has written, and a data remote."""
    pipeline.write({"first": step("first"), "second": step("second", "first.txt")})
    pipeline.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    return pipeline


def copy(pipeline: Pipeline, path) -> Pipeline:
    """Return what git would give a machine that runs a stage."""
    shutil.copytree(pipeline.path, path, ignore=shutil.ignore_patterns(*LOCAL))
    return Pipeline(path)


def run_all(pipeline: Pipeline, folder, run: str) -> dict[str, Pipeline]:
    """Run each stage in a copy of its own, and return the copies of those that ran."""
    ran = {}
    for node in read(Repo(str(pipeline.path))):
        place = copy(pipeline, folder / f"{run}-{node.slug}")
        if run_stage(place.path, node.name, run):
            ran[node.name] = place
    return ran


def refusal(act, *arguments: object) -> str:
    with pytest.raises(PipelineError) as refused:
        act(*arguments)
    assert "\n  fix: " in str(refused.value)
    return str(refused.value)


def test_a_run_apart_gives_the_lock_of_one_in_sequence_and_a_change_runs_its_branch(stored, tmp_path):
    ran = run_all(stored, tmp_path, "one")
    assert len(ran) == 7
    assert not (ran["last"].path / "source.txt").exists()  # only what a stage reads is downloaded
    home = copy(stored, tmp_path / "home")
    assert set(collect(home.path, "one")) == ran.keys()
    twin = copy(stored, tmp_path / "twin")
    twin.run("--pull", jobs=1)
    assert home.text("dvc.lock") == twin.text("dvc.lock")
    assert home.text("measure.json") == twin.text("measure.json")

    assert not run_all(home, tmp_path, "two")
    assert not (tmp_path / "two-last" / "a.txt").exists()
    (home.path / "params.yaml").write_text(PARAMETERS.replace("depth_b: 1", "depth_b: 2"), encoding="utf-8")
    assert run_all(home, tmp_path, "three").keys() == {
        "each@b"
    }  # it writes what it had written, so `last` need not run
    collect(home.path, "three")
    assert yaml.safe_load(home.text("dvc.lock"))["stages"]["each@b"]["params"]["params.yaml"] == {"depth_b": 2}


def test_a_second_attempt_does_nothing_and_one_that_was_killed_goes_on(two, tmp_path, monkeypatch):
    place = copy(two, tmp_path / "place")
    written = fragments.Store.write
    monkeypatch.setattr(fragments.Store, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_stage(place.path, "first", "one")
    monkeypatch.setattr(fragments.Store, "write", written)
    said = refusal(run_stage, copy(two, tmp_path / "early").path, "second", "one")
    assert "second needs first, which has not ended in the run one\n  fix: uv run mlops stage first --run one" in said

    assert run_stage(copy(two, tmp_path / "again").path, "first", "one")
    assert not run_stage(place.path, "first", "one")
    assert len(place.runs("first")) == 1
    assert run_stage(copy(two, tmp_path / "second").path, "second", "one")
    assert (tmp_path / "second" / "second.txt").read_text(encoding="utf-8") == "fs"


def test_a_copy_without_git_runs_the_code_that_is_in_it(two, tmp_path, monkeypatch):
    other = tmp_path / "other"
    for folder, text in ((other, "other"), (two.path / "src", "here")):
        (folder / "ours").mkdir(parents=True)
        (folder / "ours" / "__init__.py").write_text("", encoding="utf-8")
        (folder / "ours" / "say.py").write_text(f"open('said.txt', 'w').write({text!r})", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(other))
    two.write({"say": {"cmd": "python -m ours.say", "outs": ["said.txt"]}})
    place = copy(two, tmp_path / "place")
    run_stage(place.path, "say", "one")
    assert place.text("said.txt") == "here"


def test_a_stage_that_fails_leaves_no_result(two, tmp_path):
    two.write({"bad": {"cmd": 'python -c "raise SystemExit(3)"', "outs": ["bad.txt"]}, "next": step("next", "bad.txt")})
    said = refusal(run_stage, copy(two, tmp_path / "bad").path, "bad", "one")
    assert "failed to reproduce 'bad'" in said and "exited with 3" in said
    assert "bad, next: not ended in the run one, so nothing was changed here" in refusal(collect, two.path, "one")
    assert not (two.path / "dvc.lock").exists()


def test_results_of_other_code_are_not_collected(two, tmp_path):
    run_all(two, tmp_path, "one")
    two.write({"first": step("first", seconds=0.01), "second": step("second", "first.txt")})
    said = refusal(collect, two.path, "one")
    assert "the results of first in the run one are of other code, data or parameters than yours" in said


def test_a_remote_that_fails_is_named_and_the_next_run_goes_on(two, tmp_path):
    store = tmp_path / "store"
    (store / "executions").parent.mkdir(exist_ok=True)
    (store / "executions").write_text("in the way", encoding="utf-8")
    place = copy(two, tmp_path / "place")
    said = refusal(run_stage, place.path, "first", "one")
    assert "the data remote failed to " in said and "executions/one" in said.replace("\\", "/")
    (store / "executions").unlink()
    run_stage(place.path, "first", "one")
    damaged = store / "executions" / "one" / "first.tar.gz"
    damaged.write_bytes(damaged.read_bytes()[:60])
    assert "first.tar.gz is damaged: " in refusal(run_stage, copy(two, tmp_path / "next").path, "second", "one")


def test_a_project_without_a_remote_and_a_bad_name_of_a_run_are_refused(pipeline):
    pipeline.write({"first": step("first")})
    assert "no remote specified" in refusal(run_stage, pipeline.path, "first", "one")
    assert "'../one' cannot name a run" in refusal(run_stage, pipeline.path, "first", "../one")


def test_a_fragment_writes_nothing_outside_of_the_repository(two):
    for name in ("../outside", "/outside"):
        bad = fragments.Fragment({"cmd": "x"}, {name: b"1"})
        said = refusal(fragments.take_over, two.path, {"first": bad})
        assert "outside of the repository" in said
    assert not (two.path.parent / "outside").exists()
    packed = fragments.Fragment({"cmd": "x"}, {"a/b.json": b"{}"}).packed()
    assert fragments.Fragment.unpacked(packed).files == {"a/b.json": b"{}"}


def test_the_tasks_say_what_they_did(two, tmp_path, monkeypatch, capfd, caplog):
    from copier_mlops.cli import main

    monkeypatch.chdir(two.path)  # no template rendered it
    assert main(["stage", "--list"]) == 0
    assert capfd.readouterr().out == "first\nsecond: needs first\n"
    assert main(["stage", "first", "--run", "one"]) == 0
    printed = capfd.readouterr().out
    assert "Running stage 'first':" in caplog.text and "first has read []" in printed
    assert "stage: first ran, in " in printed and "; run one has its result" in printed
    assert main(["stage", "first", "--run", "one"]) == 0
    assert "first has not changed, and nothing was downloaded" in capfd.readouterr().out
    with pytest.raises(SystemExit, match="collect: second: not ended in the run one"):
        main(["collect", "--run", "one"])
    main(["stage", "second", "--run", "one"])
    assert main(["collect", "--run", "one"]) == 0
    assert "collect: dvc.lock has the results of 2 stages of the run one" in capfd.readouterr().out
    with pytest.raises(
        SystemExit, match=r"stage: dvc.yaml has no stage 'x'\n  fix: name one of its stages: first, second"
    ):
        main(["stage", "x", "--run", "one"])


def test_a_remote_whose_library_fails_in_mid_push_is_a_sentence_and_the_stage_runs_again(two):
    def fail(*_: object) -> None:
        raise ConnectionError("https://ada:hunter2@host/path is away\nwith details")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Repo, "push", fail)
        said = refusal(run_stage, two.path, "first", "one")
    reason = "the data remote failed to take the outputs: ConnectionError: https://host/path is away with details"
    assert said == f"{reason}\n  fix: uv run poe doctor"
    assert run_stage(two.path, "first", "one") is False  # its outputs are here; only the push was missing
    assert run_stage(two.path, "second", "one")


def measuring(name: str, dep: str, path: str) -> dict:
    """A stage with a metric that git has."""
    return step(name, dep, outs=path) | {"outs": [], "metrics": [{path: {"cache": False}}]}


def test_what_dvc_does_not_cache_is_pushed_as_well_so_that_nothing_runs_twice(pipeline, tmp_path):
    """DVC records no run of a stage with a folder that it does not cache."""
    stages = {
        "first": step("first", "source.txt"),
        "measure": measuring("measure", "first.txt", "figures.json"),
        "draw": step("draw", "first.txt", outs="curves/roc.csv") | {"outs": [{"curves": {"cache": False}}]},
        "never": measuring("never", "first.txt", "never.json"),
    }
    pipeline.write(stages, source_txt="source")
    pipeline.run("measure", "draw")
    pipeline.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    pipeline.dvc("push", "--run-cache")
    push_uncached(pipeline.path)
    clone = start(tmp_path / "clone")
    for name in ("dvc.yaml", "source.txt", ".dvc/config"):
        (clone.path / name).write_bytes((pipeline.path / name).read_bytes())
    printed = clone.run("--pull", "measure", "draw")
    assert printed.count("is cached - skipping run") == 2
    assert [len(clone.runs(name)) for name in ("first", "measure", "draw")] == [0, 0, 1]
    assert clone.text("dvc.lock") == pipeline.text("dvc.lock")
    assert clone.text("figures.json") == pipeline.text("figures.json")
    push_uncached(clone.path)


def test_a_remote_that_does_not_take_results_is_named(pipeline, tmp_path):
    pipeline.write({"measure": measuring("measure", "source.txt", "a.json")}, source_txt="source")
    pipeline.run()
    (tmp_path / "store").write_text("a file")
    pipeline.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    assert "the data remote" in refusal(push_uncached, pipeline.path)
