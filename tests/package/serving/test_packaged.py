"""What an image runs: the model beside the settings, whose hash is compared."""

import json

import pytest

from copier_mlops import model_file
from copier_mlops.serving import packaged
from copier_mlops.settings import load_settings
from tests.package.shared import fitted, flip


@pytest.fixture
def folder(inside, tmp_path):
    model_file.save(fitted(), tmp_path / "model.skops")
    about = {"version": "3", "sha256": model_file.sha256(tmp_path / "model.skops")}
    (tmp_path / "model.json").write_text(json.dumps(about))
    return tmp_path


def test_the_model_beside_the_settings_answers(folder, table):
    found = packaged.predictor(load_settings("prod"), folder)
    assert found.version == "3"
    assert found.sha256 == model_file.sha256(folder / "model.skops")
    assert len(found.score(table)) == len(table)


def test_a_changed_byte_is_refused_in_one_sentence(folder):
    flip(folder / "model.skops")
    with pytest.raises(SystemExit) as refused:
        packaged.predictor(load_settings("prod"), folder)
    sentence, fix = str(refused.value).splitlines()
    assert sentence.startswith("service: the packaged lending cannot be used: ")
    assert "is damaged: its SHA-256 is" in sentence
    assert fix == "  fix: uv run poe package"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file"),
        ("{", "Expecting property name"),
        ("[]", "list indices must be"),
        ('{"version": "3"}', "model.json has no 'sha256'"),
    ],
)
def test_a_broken_model_json_is_named(folder, text, reason):
    file = folder / "model.json"
    file.unlink()
    if text:
        file.write_text(text)
    with pytest.raises(SystemExit, match=f"^service: the packaged lending cannot be used: .*{reason}"):
        packaged.predictor(load_settings("prod"), folder)
