"""Runs, versions and aliases in a real tracking database."""

import pytest

from copier_mlops.release import rollback
from copier_mlops.settings import Settings, load_settings
from copier_mlops.tracking import models, register, server
from tests.package.shared import at_level, flip, new_database, stored, tracked, uri


@pytest.fixture
def settings(inside, tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(tmp_path))
    found = load_settings("dev")
    new_database(tmp_path, found)
    return found


def test_from_run_to_version_to_rollback(settings, team_project, table, tmp_path, capsys):
    client = server.connect(settings)
    with pytest.raises(SystemExit, match="has no version at alias candidate"):
        models.predictor(settings)

    first = tracked(settings, tmp_path / "a.skops", 1.0, pipeline="a")
    version = register.register(client, settings, first)
    assert register.register(client, settings, first).version == version.version
    assert version.tags["sha256"] == first.data.tags["model.sha256"]
    assert version.tags["md5"] == first.data.tags["model.md5"]
    traced = models.about(version)
    assert (traced["run"], traced["sha256"], traced["md5"]) == (
        first.info.run_id,
        first.data.tags["model.sha256"],
        first.data.tags["model.md5"],
    )
    models.point(client, settings, version)
    assert models.predictor(settings).version == str(version.version)

    second = tracked(settings, tmp_path / "b.skops", 0.1, pipeline="b")
    models.point(client, settings, register.register(client, settings, second))
    predictor = models.predictor(settings)
    assert predictor.score(table)["model_version"].unique() == ["2"]
    assert predictor.sha256 == second.data.tags["model.sha256"]
    # What the team's predictor has beside the interface is there too.
    assert list(predictor.model.classes_) == ["bad", "good"]

    content = flip(stored(client, settings, "2"))
    with pytest.raises(SystemExit, match=r"version 2 of .* cannot be used: .* is damaged: its SHA-256 is"):
        models.predictor(settings)
    assert content == (tmp_path / "b.skops").read_bytes()

    # Level 2 deploys nothing: going back moves the alias.
    with at_level(team_project, 2):
        rollback.main([])
    assert "is version 1 (was version 2)" in capsys.readouterr().out
    assert models.predictor(settings).version == "1"
    with at_level(team_project, 2), pytest.raises(SystemExit, match="version 1 is the first"):
        rollback.main([])
    with at_level(team_project, 2), pytest.raises(SystemExit, match="no version 9; there are 1, 2"):
        rollback.main(["--to", "9"])


def test_a_model_that_changed_in_the_store_is_not_registered(settings, tmp_path):
    client = server.connect(settings)
    run = tracked(settings, tmp_path / "a.skops", pipeline="a")
    file = models.fetch(run.data.tags["model.uri"], run.data.tags["model.sha256"])
    content = flip(file)
    command = f"  fix: uv run mlflow runs delete --run-id {run.info.run_id} && uv run poe track"
    with pytest.raises(SystemExit, match=r"^register: the model of run \w+ cannot be used: .* is damaged") as refused:
        register.register(client, settings, run)
    assert str(refused.value).splitlines()[1:] == [command]
    assert models.versions(client, settings) == []
    file.write_bytes(content)
    assert str(register.register(client, settings, run).version) == "1"


def test_a_run_of_0_2_0_is_registered_by_the_hash_that_it_named(settings, tmp_path):
    run = tracked(settings, tmp_path / "a.skops", pipeline="a")
    del run.data.tags["model.md5"]
    version = register.register(server.connect(settings), settings, run)
    assert version.tags["sha256"] == run.data.tags["model.sha256"]
    assert "md5" not in version.tags


def test_a_server_that_is_away_is_named_and_nothing_is_lost(inside, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(server.TrackingError, match=r"http://127.0.0.1:9 does not answer.*(\n.*)*nothing is lost"):
        server.connect(load_settings("dev"))
