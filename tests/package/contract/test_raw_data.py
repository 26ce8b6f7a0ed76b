"""The check of the raw data finds it by its pointer and its target, and is never green without having looked at any."""

from pathlib import Path

import pytest

from copier_mlops.contract import parse
from copier_mlops.contract.raw import to_check
from copier_mlops.release.runner import MACHINES

CONTRACT = parse(
    "learning: {target: y, problem: regression}\nfields: [{name: x, type: number}, {name: y, type: number}]\n",
    "contract.yaml",
)


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    """The folder of raw data, on a machine that is not one of CI."""
    for name in MACHINES:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "data" / "raw"
    folder.mkdir(parents=True)
    return folder


def point(raw: Path, name: str) -> None:
    (raw / f"{name}.dvc").write_text(f"outs: [{{md5: {'0' * 32}, path: '{name}'}}]\n")


def test_files_with_the_target_are_checked_whatever_they_are_called(raw, tmp_path):
    for name, text in (("a (1).csv", "x,y\n1,2\n"), ("other.csv", "rooms\n3\n"), ("notes.pdf", "%PDF")):
        (raw / name).write_text(text)
        point(raw, name)
    assert to_check(tmp_path, CONTRACT) == [raw / "a (1).csv"]


def test_data_without_a_pointer_is_not_there(raw, tmp_path):
    (raw / "renamed.csv").write_text("x,y\n1,2\n")
    with pytest.raises(AssertionError, match=r"data/raw has no raw data\n  fix: uv run dvc add"):
        to_check(tmp_path, CONTRACT)


def test_data_without_the_target_is_named(raw, tmp_path, monkeypatch):
    (raw / "a.csv").write_text("x,z\n1,2\n")
    point(raw, "a.csv")
    for machine in ("", "true"):
        monkeypatch.setenv("CI", machine)
        with pytest.raises(AssertionError, match=r"no raw data has the target 'y': data/raw/a\.csv"):
            to_check(tmp_path, CONTRACT)


def test_data_that_is_not_here_is_red_on_a_laptop_and_left_out_in_ci(raw, tmp_path, monkeypatch):
    point(raw, "a.csv")
    with pytest.raises(AssertionError, match=r"no raw data is here: data/raw/a\.csv\n  fix: uv run dvc pull"):
        to_check(tmp_path, CONTRACT)
    monkeypatch.setenv("CI", "true")
    assert to_check(tmp_path, CONTRACT) == []
