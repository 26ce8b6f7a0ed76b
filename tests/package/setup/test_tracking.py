"""The tracking server and the experiment, in a process of their own."""

import os
import sqlite3
import sys

import pytest

from copier_mlops.command import run
from copier_mlops.settings import load_settings
from copier_mlops.setup import prepare, tracking
from copier_mlops.tracking import server


@pytest.fixture
def database(inside, tmp_path, monkeypatch):
    """The file of a tracking database that is not there yet."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}")
    tracking._ask.cache_clear()
    yield tmp_path / "mlflow.db"
    tracking._ask.cache_clear()


def walked(fixes: bool) -> list[tuple[str, str]]:
    return [(state, found.text) for _, state, found in prepare.run_checks(tracking.CHECKS, fixes)]


def test_a_database_that_is_not_there_yet_is_left_to_the_first_training(database):
    expected = [
        ("ok", f"sqlite:///{database.as_posix()} is created by the first training"),
        ("ok", "lending is created by the first training"),
    ]
    assert walked(fixes=False) == walked(fixes=True) == expected
    assert not database.exists()


def test_the_experiment_of_a_database_is_made(database):
    server.connect(load_settings())
    assert walked(fixes=False)[1] == ("FAILED", "no experiment lending")
    assert [state for state, _ in walked(fixes=True)] == ["ok", "done"]
    assert walked(fixes=True) == [
        ("ok", f"sqlite:///{database.as_posix()} answers"),
        ("ok", "lending, number 1"),
    ]
    assert [path.name for path in database.parent.iterdir()] == ["mlflow.db"]


def test_to_look_for_a_file_that_is_not_there_imports_no_mlflow(database):
    script = (
        "import sys; from copier_mlops.setup import tracking;"
        "found = [check.look() for check in tracking.CHECKS];"
        "assert all(each.ok for each in found) and 'mlflow' not in sys.modules"
    )
    run(sys.executable, "-c", script)


def test_a_database_has_the_tables_that_mlflow_makes_by_itself(database):
    from mlflow import MlflowClient

    def schema(file) -> list[list[tuple]]:
        """Names and columns: in which order a table has its constraints is different each time."""
        with sqlite3.connect(file) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            columns = [connection.execute("SELECT * FROM pragma_table_info(?)", name).fetchall() for name in names]
            versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            return [names, columns, versions, connection.execute("SELECT name FROM experiments").fetchall()]

    other = database.with_name("other.db")
    MlflowClient(f"sqlite:///{other.as_posix()}").search_experiments(max_results=1)
    server.connect(load_settings())
    assert schema(database) == schema(other)
    assert "MLFLOW_SQLALCHEMYSTORE_POOLCLASS" not in os.environ


def test_a_database_that_cannot_be_made_is_named_and_leaves_no_draft(database, monkeypatch):
    (database.parent / "no").write_text("a file")
    absent = database.parent / "no" / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{absent.as_posix()}")
    (state, text), _ = walked(fixes=True)
    assert (state, text) == ("FAILED", f"the folder {absent.parent} is not there, or cannot be written")
    with pytest.raises(server.TrackingError, match="does not answer"):
        server.connect(load_settings())
    assert [path.name for path in database.parent.iterdir()] == ["no"]


def test_a_server_that_is_away_is_asked_once(inside, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracking._ask.cache_clear()
    asked, connect = [], server.connect
    monkeypatch.setattr(server, "connect", lambda settings: asked.append(1) or connect(settings))
    found = [check.look() for check in tracking.CHECKS]
    assert "http://127.0.0.1:9 does not answer" in found[0].text
    assert found[1].advice == server.FIX
    assert len(asked) == 1
    tracking._ask.cache_clear()


def test_a_setting_that_is_wrong_is_named(inside, monkeypatch):
    monkeypatch.setenv("OPERATION_PORT", "many")
    assert all("port" in text for _, text in walked(fixes=False))


def test_a_process_that_cannot_run_is_a_finding(inside, monkeypatch):
    monkeypatch.setattr(sys, "executable", "no-such-python")
    assert walked(fixes=False) == [("FAILED", "no-such-python is not installed")] * 2
