"""Training: the pipeline runs while tracking gets ready, and what goes wrong with either is told."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from copier_mlops.settings import load_settings
from copier_mlops.tracking import last_run, server, track, train
from tests.package.shared import uri
from tests.platforms import on_posix

# The DVC of these tests is a command line, and nothing else.
SERIAL = ("--jobs", "1")


@pytest.fixture
def pipeline(inside, tmp_path, monkeypatch) -> Callable[[str], list]:
    """Let DVC's command line be other code, and return the calls of tracking, which needs a trained model."""
    tracked = []
    monkeypatch.setattr(track, "main", tracked.append)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(tmp_path))

    def be(code: str) -> list:
        monkeypatch.setenv("PYTHONPATH", str(dvc(tmp_path, code)))
        return tracked

    return be


def dvc(folder: Path, code: str) -> Path:
    """Write a package `dvc` whose command line is this code, and return the folder that it is in."""
    package = folder / "packages" / "dvc"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    lines = textwrap.indent(f"import pathlib, signal, sys, time\n{code}\nreturn 0\n", "    ")
    (package / "cli.py").write_text(f"def main(arguments):\n{lines}", encoding="utf-8")
    return package.parent


def start_training(project: Path, folder: Path, code: str) -> tuple[subprocess.Popen, Path]:
    """Start `mlops train` with a pipeline of this code and a server that is away; return it and its output."""
    variables = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "PYTHONPATH": str(dvc(folder, code))}
    output = folder / "output.txt"
    with output.open("w") as file:
        command = [sys.executable, "-m", "copier_mlops.cli", "train", *SERIAL]
        options = {"stdout": file, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        return subprocess.Popen(command, cwd=project, env=os.environ | variables, **options), output


def test_a_training_can_leave_the_tracking_to_a_later_step(pipeline, tmp_path):
    tracked = pipeline(f"pathlib.Path({str(tmp_path / 'said')!r}).write_text(' '.join(sys.argv[1:]))")
    assert train.main([*SERIAL, "--no-track", "--force"]) == 0
    assert (tmp_path / "said").read_text() == "repro --pull --force"
    assert tracked == []


def test_a_training_makes_the_database_and_tracks_what_the_pipeline_made(pipeline, tmp_path):
    tracked = pipeline(f"pathlib.Path({str(tmp_path / 'said')!r}).write_text(' '.join(sys.argv[1:]))")
    assert train.main([*SERIAL, "--force", "evaluate"]) == 0
    assert (tmp_path / "said").read_text() == "repro --pull --force evaluate"
    assert tracked == [[]]
    settings = load_settings()
    assert server.experiment(server.connect(settings), settings).name == "lending"


def test_a_result_that_is_tracked_already_needs_no_server(pipeline, monkeypatch, capsys):
    tracked = pipeline("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(last_run, "of_result", lambda: "4d47cb6")
    assert train.main([*SERIAL]) == 0
    said = capsys.readouterr().out
    assert said.startswith("train: nothing has changed: this result is tracked already, as run 4d47cb6\n")
    assert said.endswith("Next: uv run poe evaluate, for its figures\n")
    assert tracked == []


def test_without_tracking_a_training_with_nothing_to_do_names_what_comes_next(pipeline, capsys):
    pipeline("")
    assert train.main([*SERIAL, "--no-track"]) == 0
    assert capsys.readouterr().out == "train: nothing has changed\n\nNext: uv run poe track\n"


def test_a_stage_that_ran_is_not_nothing(pipeline, monkeypatch, capsys):
    write = "pathlib.Path('build').mkdir(exist_ok=True)\npathlib.Path('build/stages.json').write_text('{}')"
    tracked = pipeline(write)
    monkeypatch.setattr(last_run, "of_result", lambda: "4d47cb6")
    assert train.main([*SERIAL]) == 0
    assert tracked == [[]]
    assert "nothing has changed" not in capsys.readouterr().out


def test_a_pipeline_that_fails_is_not_tracked_and_its_code_is_the_answer(pipeline):
    tracked = pipeline("return 255")
    assert train.main([*SERIAL]) == 255
    assert tracked == []


def test_a_server_that_is_away_is_named_while_the_pipeline_runs(team_project, tmp_path):
    output = tmp_path / "output.txt"
    wait = (
        f"[time.sleep(0.05) for _ in range(600) if 'does not answer' not in pathlib.Path({str(output)!r}).read_text()]"
    )
    running, output = start_training(team_project, tmp_path, f"{wait}\nprint('ran')")
    _, said = running.communicate(timeout=90)
    early, late, last = output.read_text(encoding="utf-8").splitlines()
    assert early.startswith("train: http://127.0.0.1:9 does not answer")
    assert "the pipeline goes on" in early
    assert late == "ran"
    assert last == "train: no figures to compare: metrics/test.json is not here"
    # Afterwards it is tracked, or said why not.
    assert running.returncode == 1
    assert said.startswith("track: ")


def test_a_wrong_setting_is_named_before_the_pipeline_runs(pipeline, tmp_path, monkeypatch):
    pipeline(f"pathlib.Path({str(tmp_path / 'ran')!r}).touch()")
    monkeypatch.setenv("OPERATION_PORT", "many")
    with pytest.raises(SystemExit, match="port"):
        train.main([*SERIAL])
    assert not (tmp_path / "ran").exists()


def test_dvc_that_is_not_installed_is_named(pipeline, tmp_path, capfd):
    pipeline("")
    missing = "raise ModuleNotFoundError(\"No module named 'dvc'\", name='dvc')\n"
    (tmp_path / "packages" / "dvc" / "__init__.py").write_text(missing, encoding="utf-8")
    assert train.main([*SERIAL]) == 1
    assert "mlops: dvc is not installed\n  fix: uv sync" in capfd.readouterr().err


@on_posix
def test_an_interrupt_lets_the_pipeline_keep_what_it_has(team_project, tmp_path):
    keep = f"time.sleep(0.3)\npathlib.Path({str(tmp_path / 'kept')!r}).touch()"
    code = f"signal.signal(signal.SIGINT, lambda *_: None)\nprint('started', flush=True)\nsignal.pause()\n{keep}"
    running, output = start_training(team_project, tmp_path, code)
    deadline = time.monotonic() + 120
    while "the pipeline goes on" not in output.read_text(encoding="utf-8") and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert (tmp_path / "kept").exists()
    assert running.returncode == 130
    assert said == "mlops: train was interrupted\n"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_is_noted():
    class Dropping:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with train.noted_interrupts() as interrupts:
        one = Dropping()
        del one
    assert interrupts == [signal.SIGINT]
