"""Stages apart on a bad day: a disk without space, two runs of one name. Nothing is lost; the next run completes."""

import subprocess
import sys
from pathlib import Path

import pytest

from copier_mlops.pipeline import fragments
from copier_mlops.pipeline.apart import collect, run_stage
from tests.package.pipeline.conftest import Pipeline, step
from tests.package.pipeline.test_apart import copy

BYTES = 20_000_000
# A limit of a process, which has the effect of a disk without space: what is written beyond it is an error.
LIMITED = """\
import resource, signal, sys
from pathlib import Path
from copier_mlops.pipeline import PipelineError
from copier_mlops.pipeline.apart import run_stage
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
try:
    run_stage(Path().resolve(), sys.argv[2], "one")
except PipelineError as error:
    sys.exit(f"said: {error}")
"""
WRITE = f"python -c \"open('big.txt', 'w').write('x' * {BYTES})\""


@pytest.fixture
def big(pipeline, tmp_path) -> Pipeline:
    """A stage that writes a large file, one that reads it, and a data remote."""
    pipeline.write({"big": {"cmd": WRITE, "outs": ["big.txt"]}, "next": step("next", "big.txt")})
    pipeline.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    return pipeline


def limited(place: Path, stage: str, size: int) -> str:
    """Run a stage that can write no file of more than so many bytes, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), stage], cwd=place, capture_output=True, text=True, check=False
    )
    said = done.stderr.partition("said: ")[2]  # before it, the command of the stage may print what it likes
    assert done.returncode == 1 and "\n  fix: " in said and "Traceback" not in said, done.stdout + done.stderr
    return done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_without_space_is_named_and_the_next_attempt_completes(big, tmp_path):
    assert "failed to reproduce 'big'" in limited(copy(big, tmp_path / "place").path, "big", BYTES // 2)
    run_stage(copy(big, tmp_path / "again").path, "big", "one")
    # What it reads does not fit either.
    assert "File too large" in limited(copy(big, tmp_path / "reader").path, "next", BYTES // 2)
    assert run_stage(copy(big, tmp_path / "second").path, "next", "one")
    assert collect(big.path, "one") == ["big", "next"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_without_space_for_a_single_byte_is_named(big, tmp_path):
    said = limited(copy(big, tmp_path / "place").path, "big", 0)
    assert "files cannot be written below" in said
    assert not list((tmp_path / "store").glob("executions/one/*"))


def test_of_two_runs_with_one_name_the_results_of_the_first_stay(pipeline, tmp_path, monkeypatch):
    """Each writes another number, as a training without a seed does."""
    number = tmp_path / "number"
    number.write_text("1")
    command = (
        f"python -c \"import pathlib; pathlib.Path('out.txt').write_text(pathlib.Path({str(number)!r}).read_text())\""
    )
    pipeline.write({"luck": {"cmd": command, "outs": ["out.txt"]}, "next": step("next", "out.txt")})
    pipeline.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    write, other = fragments.Store.write, copy(pipeline, tmp_path / "other")

    def overtaken(store: fragments.Store, slug: str, fragment: fragments.Fragment) -> bool:
        """Let another machine end the same stage, and the one after it, before this one stores its result."""
        monkeypatch.setattr(fragments.Store, "write", write)
        number.write_text("2")
        assert run_stage(other.path, "luck", "one")
        assert run_stage(copy(pipeline, tmp_path / "third").path, "next", "one")
        return write(store, slug, fragment)

    monkeypatch.setattr(fragments.Store, "write", overtaken)
    assert run_stage(copy(pipeline, tmp_path / "place").path, "luck", "one")
    home = copy(pipeline, tmp_path / "home")
    assert collect(home.path, "one") == ["luck", "next"]
    home.dvc("pull")
    assert home.text("out.txt") == "2"
    assert home.text("next.txt") == "2n"
