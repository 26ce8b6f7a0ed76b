"""Tracking what the pipeline wrote: the hash of dvc.lock, the tags of the run and the bytes in the store."""

import hashlib
import json

import pandas as pd
import pytest
import yaml

from copier_mlops import handover, model_file
from copier_mlops.project import root, team
from copier_mlops.settings import load_settings, sqlite_file
from copier_mlops.tracking import last_run, models, register, server, track
from tests.package.shared import SAMPLE, fitted, flip, loaded, new_database, uri


@pytest.fixture
def results(inside, tmp_path, monkeypatch):
    """A project whose pipeline has run, as far as `track` reads it; all of it is gone after the test."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(tmp_path))
    new_database(tmp_path, load_settings("dev"))
    before = {path for path in root().rglob("*") if path.is_file()}
    model_file.save(fitted(), root() / track.MODEL)
    records = team("ingest").ingest(SAMPLE)
    written = {
        "metrics/test.json": {"candidate": "logistic_regression", "roc_auc": 0.8},
        "metrics/data.json": {"n": 125},
    }
    for name, document in written.items():
        (root() / name).parent.mkdir(exist_ok=True)
        (root() / name).write_text(json.dumps(document))
    (root() / "build" / "plots").mkdir()
    pd.DataFrame({"x": [1.0]}).to_csv(root() / "build" / "plots" / "roc.csv")
    (root() / track.TRAIN).parent.mkdir(exist_ok=True)
    records.to_parquet(root() / track.TRAIN)
    outs = [{"path": path, "md5": hashlib.md5((root() / path).read_bytes()).hexdigest()} for path in track.RESULTS]  # noqa: S324
    lock = {"schema": "2.0", "stages": {"evaluate": {"outs": outs, "params": {"params.yaml": {"seed": 42}}}}}
    (root() / "dvc.lock").write_text(yaml.safe_dump(lock))
    yield {each["path"]: each["md5"] for each in outs}
    for path in {path for path in root().rglob("*") if path.is_file()} - before:
        path.unlink()
    (root() / "build" / "plots").rmdir()


def test_the_tracked_model_is_the_file_of_dvc_lock(results, capsys):
    track.main([])
    tracked = handover.read("train", "run")
    assert tracked["md5"] == results[track.MODEL] == tracked["data"][track.MODEL]
    assert tracked["sha256"] == model_file.sha256(root() / track.MODEL)
    stored = models.fetch(tracked["model_uri"], tracked["sha256"])
    assert stored.read_bytes() == (root() / track.MODEL).read_bytes()
    run = server.connect(load_settings()).get_run(tracked["run_id"])
    assert run.data.tags["model.md5"] == results[track.MODEL]
    assert run.data.params["seed"] == "42"
    assert (run.data.metrics["roc_auc"], run.data.metrics["data.n"]) == (0.8, 125)
    track.main([])
    assert "is tracked already" in capsys.readouterr().out


def test_the_last_run_is_known_without_the_server_as_long_as_it_is_where_the_settings_say(results, monkeypatch):
    track.main([])
    document = handover.read("train", "run")
    handover.write("train", "run", document | {"dirty": "false"})
    assert last_run.of_result() == document["run_id"]
    handover.write("train", "run", document | {"dirty": "true"})
    assert last_run.of_result() == ""
    handover.write("train", "run", document | {"dirty": "false"})
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert last_run.of_result() == ""
    lock = root() / "dvc.lock"
    content = lock.read_text(encoding="utf-8")
    lock.write_text(content.replace("seed: 42", "seed: 43"), encoding="utf-8")
    assert last_run.of_result() == ""
    lock.write_text(content, encoding="utf-8")
    handover.file_of("train", "run").write_text("[", encoding="utf-8")
    assert last_run.of_result() == ""


def test_the_last_run_is_forgotten_with_the_database_that_had_it(results, tmp_path):
    track.main([])
    handover.write("train", "run", handover.read("train", "run") | {"dirty": "false"})
    assert last_run.of_result()
    sqlite_file(uri(tmp_path)).unlink()
    assert last_run.of_result() == ""


def test_a_result_whose_code_is_committed_later_gets_the_commit(results, capsys):
    made = root() / "src" / "helper.py"
    made.write_text("", encoding="utf-8")
    track.main([])
    run_id = handover.read("train", "run")["run_id"]
    settings, client = load_settings(), server.connect(load_settings())
    register.register(client, settings, client.get_run(run_id))
    versions = client.search_model_versions(f"run_id = '{run_id}'")
    assert [each.tags["git.dirty"] for each in versions] == [client.get_run(run_id).data.tags["git.dirty"]] == ["true"]
    made.unlink()
    track.main([])
    assert "its code is committed now, as" in capsys.readouterr().out
    assert handover.read("train", "run")["run_id"] == run_id
    versions = client.search_model_versions(f"run_id = '{run_id}'")
    assert [each.tags["git.dirty"] for each in versions] == [client.get_run(run_id).data.tags["git.dirty"]] == ["false"]


def test_what_a_team_hands_to_dvc_is_tracked_whatever_its_names(results, capsys):
    """Partitions as paths, a pointer that was not downloaded, a second parameter file, nested metrics."""
    lock = yaml.safe_load((root() / "dvc.lock").read_text())
    lock["stages"]["evaluate"]["deps"] = [{"path": "data/raw/year=2024/part (final).csv", "md5": "5" * 32}]
    lock["stages"]["evaluate"]["params"]["conf/model.yaml"] = {"layers": {"drop out": 0.5}}
    (root() / "dvc.lock").write_text(yaml.safe_dump(lock))
    pointer = {"deps": [{"etag": '"1"', "path": "s3://bucket/x.csv"}], "outs": [{"path": "x.csv"}]}
    (root() / "data" / "raw" / "x.csv.dvc").write_text(yaml.safe_dump(pointer))
    nested = {"candidate": "logistic_regression", "roc_auc": 0.8, "report": {"good": {"f1-score": 0.7}}}
    nested |= {"none": None, "curve": [1, 2], "note": "good", "50%": 1}
    test = root() / "metrics" / "test.json"
    test.write_text(json.dumps(nested))
    lock["stages"]["evaluate"]["outs"][2]["md5"] = hashlib.md5(test.read_bytes()).hexdigest()  # noqa: S324
    (root() / "dvc.lock").write_text(yaml.safe_dump(lock))
    track.main([])
    printed = capsys.readouterr().out
    for name in ("none", "curve", "note"):
        assert f"track: the metric {name} is not a number, and is left out" in printed
    tracked = handover.read("train", "run")
    assert tracked["data"]["data/raw/year=2024/part (final).csv"] == "5" * 32
    assert tracked["data"]["data/raw/x.csv"] == ""
    run = server.connect(load_settings()).get_run(tracked["run_id"])
    assert run.data.metrics["report.good.f1-score"] == 0.7
    assert run.data.metrics["50:25:"] == 1
    assert run.data.params["conf/model.yaml:3a:layers.drop out"] == "0.5"
    settings = load_settings("dev")
    client = server.connect(settings)
    version = register.register(client, settings, run)
    assert models.about(version)["data"]["data/raw/year=2024/part (final).csv"] == "5" * 32


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "<<<<<<< HEAD\nschema: '2.0'\n=======\nschema: '2.1'\n>>>>>>> other\n",
            "has conflict markers\n  fix: take one side",
        ),
        ("stages: [", "cannot be read: .*\n  fix: git restore dvc.lock, then: uv run poe train"),
    ],
)
def test_a_lock_that_cannot_be_read_is_named(results, content, sentence):
    (root() / "dvc.lock").write_text(content)
    with pytest.raises(SystemExit, match=f"^mlops: dvc.lock {sentence}"):
        track.main([])


@pytest.mark.parametrize(("content", "sentence"), [("{", "cannot be read"), ("[1]", "has no candidate")])
def test_metrics_that_cannot_be_read_are_named(results, monkeypatch, content, sentence):
    monkeypatch.setattr(track, "RESULTS", track.RESULTS[:2])
    (root() / "metrics" / "test.json").write_text(content)
    with pytest.raises(SystemExit, match=rf"^track: metrics/test\.json {sentence}"):
        track.main([])


def test_metrics_that_are_a_list_are_named(results):
    (root() / "metrics" / "data.json").write_text("[1]")
    with pytest.raises(SystemExit, match=r"^track: metrics/data\.json is not a JSON object\n  fix: uv run poe train"):
        track.main([])


def test_a_changed_byte_is_not_tracked(results):
    flip(root() / track.MODEL)
    with pytest.raises(SystemExit, match=r"^track: build/model/model\.skops is damaged or was changed"):
        track.main([])


def test_what_a_run_of_0_2_0_named_is_handed_on_without_the_hash_of_dvc(results):
    track.main([])
    client = server.connect(load_settings())
    run = client.get_run(handover.read("train", "run")["run_id"])
    client.delete_tag(run.info.run_id, "model.md5")
    track.main([])
    assert handover.read("train", "run")["md5"] == ""


def test_tracking_and_registering_do_without_scikit_learn(results):
    for task in ("track", "track", "register"):
        code = f"from copier_mlops.cli import main\nassert main([{task!r}]) == 0"
        found = loaded(code, root(), PYTHONPATH=str(root() / "src"))
        assert "mlflow" in found
        assert not found & {"skops", "sklearn"}


def test_what_can_be_said_without_mlflow_is_said_before_it_is_loaded(results):
    (root() / track.MODEL).unlink()
    code = "from copier_mlops.cli import main\ntry:\n    main(['track'])\nexcept SystemExit as error:\n    print(error)"
    assert loaded(code, root()) == set()
