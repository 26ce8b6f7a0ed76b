"""Training: the pipeline runs while tracking gets ready, and what goes wrong with either is told."""

import os
import signal
import subprocess
import sys
import time

import pytest

from copier_mlops.project import load_settings
from copier_mlops.tracking import server, track, train
from tests.package.shared import uri


@pytest.fixture
def pipeline(inside, tmp_path, monkeypatch):
    """A function that says which Python code stands for `dvc`; it sees the arguments, as `sys.argv[1:]`."""
    tracked = []
    monkeypatch.setattr(track, "main", tracked.append)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(tmp_path))

    def be(code: str) -> list:
        monkeypatch.setattr(train, "PIPELINE", (sys.executable, "-c", f"import sys, time, pathlib\n{code}", "repro"))
        return tracked

    return be


def test_a_training_makes_the_database_and_tracks_what_the_pipeline_made(pipeline, tmp_path):
    tracked = pipeline(f"pathlib.Path({str(tmp_path / 'said')!r}).write_text(' '.join(sys.argv[1:]))")
    assert train.main(["--force", "evaluate"]) == 0
    assert (tmp_path / "said").read_text() == "repro --force evaluate"
    assert tracked == [[]]
    settings = load_settings()
    assert server.experiment(server.connect(settings), settings).name == "lending"


def test_a_pipeline_that_fails_is_not_tracked_and_its_code_is_the_answer(pipeline):
    tracked = pipeline("sys.exit(255)")
    assert train.main([]) == 255
    assert tracked == []


def test_a_server_that_is_away_is_named_while_the_pipeline_runs(pipeline, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    go = tmp_path / "go"
    tracked = pipeline(
        f"[time.sleep(0.05) for _ in range(600) if not pathlib.Path({str(go)!r}).exists()]\nprint('ran')"
    )
    prepare = train.prepare_tracking

    def prepare_then_go() -> None:
        prepare()
        go.touch()

    monkeypatch.setattr(train, "prepare_tracking", prepare_then_go)
    assert train.main([]) == 0
    early, late = capfd.readouterr().out.splitlines()
    assert early.startswith("train: http://127.0.0.1:9 does not answer")
    assert "the pipeline goes on" in early
    assert late == "ran"
    assert tracked == [[]]


def test_a_wrong_setting_is_named_before_the_pipeline_runs(pipeline, tmp_path, monkeypatch):
    pipeline(f"pathlib.Path({str(tmp_path / 'ran')!r}).touch()")
    monkeypatch.setenv("OPERATION_PORT", "many")
    with pytest.raises(SystemExit, match="port"):
        train.main([])
    assert not (tmp_path / "ran").exists()


def test_dvc_that_is_not_installed_is_named(inside, monkeypatch):
    monkeypatch.setattr(train, "PIPELINE", ("no-such-dvc", "repro"))
    with pytest.raises(SystemExit, match=r"dvc is not installed\n  fix: uv sync"):
        train.main([])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_lets_the_pipeline_keep_what_it_has(inside, tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(
        "import sys\nfrom copier_mlops import cli\nfrom copier_mlops.tracking import train\n"
        "kept = '''import signal, pathlib, time\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        f"pathlib.Path({str(tmp_path / 'started')!r}).touch()\n"
        f"signal.pause(); time.sleep(0.3); pathlib.Path({str(tmp_path / 'kept')!r}).touch()'''\n"
        "train.PIPELINE = (sys.executable, '-c', kept)\n"
        "train.prepare_tracking = lambda: None\n"
        "sys.exit(cli.main(['train']))\n"
    )
    running = subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert (tmp_path / "kept").exists()
    assert running.returncode == 130
    assert said == "mlops: train was interrupted\n"
